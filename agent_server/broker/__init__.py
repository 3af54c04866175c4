"""Live streams and doorbells: the seam (`protocol.py`) and its implementation in one process's memory."""

from agent_server.broker.memory import MemoryBroker
from agent_server.broker.protocol import START, Broker, Doorbell, Frame, FrameId, SlowSubscriber

__all__ = ["START", "Broker", "Doorbell", "Frame", "FrameId", "MemoryBroker", "SlowSubscriber"]
