"""Live streams and doorbells: the seam (`protocol.py`), and its implementations in memory and over Redis."""

from agent_server.broker.memory import MemoryBroker
from agent_server.broker.protocol import START, Broker, Doorbell, Frame, FrameId, LogLost, SlowSubscriber
from agent_server.config import ConfigError

__all__ = [
    "START",
    "Broker",
    "Doorbell",
    "Frame",
    "FrameId",
    "LogLost",
    "MemoryBroker",
    "SlowSubscriber",
    "open_broker",
]


def open_broker(redis_url: str | None, keep: float) -> Broker:
    """The broker, not yet entered: over Redis, where a URL is given. `ConfigError` where its library is missing."""
    if redis_url is None:
        return MemoryBroker(keep=keep)
    try:
        from agent_server.broker.redis import RedisBroker  # the extra "redis"
    except ImportError:
        raise ConfigError("REDIS_URL needs the Redis library: pip install 'agent-server[redis]'") from None
    return RedisBroker(redis_url, keep=keep)
