"""LangGraph stores on SQLite and PostgreSQL."""
