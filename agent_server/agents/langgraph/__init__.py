"""LangGraph graphs as agents. Needs the extra `langgraph`."""
