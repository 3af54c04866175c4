"""The command line: `agent-server` and `python -m agent_server`."""
