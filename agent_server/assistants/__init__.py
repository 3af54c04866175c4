"""Assistants: graphs with a configuration, in versions."""
