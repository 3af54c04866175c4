"""Logs, metrics, and the watch on the event loop."""
