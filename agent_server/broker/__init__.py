"""Live streams and notifications: the seam (`protocol.py`), with implementations in memory and over Redis."""

from agent_server.broker.memory import MemoryBroker
from agent_server.broker.protocol import START, Broker, Frame, FrameId, LogLost, SlowSubscriber, Subscription
from agent_server.config import ConfigError

__all__ = [
    "START",
    "Broker",
    "Frame",
    "FrameId",
    "LogLost",
    "MemoryBroker",
    "SlowSubscriber",
    "Subscription",
    "open_broker",
]


def open_broker(redis_url: str | None, keep: float) -> Broker:
    """Return the broker for `redis_url`, or the one in memory; enter it before use. Errors: `ConfigError` without the
    library."""
    if redis_url is None:
        return MemoryBroker(keep=keep)
    try:
        from agent_server.broker.redis import RedisBroker  # the extra "redis"
    except ImportError:
        raise ConfigError("REDIS_URL needs the Redis library: pip install 'agent-server[redis]'") from None
    return RedisBroker(redis_url, keep=keep)
