"""Logs, metrics, and detection of event loop blocking."""
