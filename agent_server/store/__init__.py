"""The key-value store that graphs and clients share."""

from agent_server.store.store import Store

__all__ = ["Store"]
