"""Checkpoint savers on SQLite and PostgreSQL. Needs the extra `langgraph`."""
