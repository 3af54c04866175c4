"""Threads: conversations and their states."""

from agent_server.threads.threads import Threads

__all__ = ["Threads"]
