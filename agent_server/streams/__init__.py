"""Streams of runs and threads to clients."""

from agent_server.streams.run_streams import RunStreams

__all__ = ["RunStreams"]
