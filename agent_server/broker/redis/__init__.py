"""The broker for several processes: logs on Redis Streams, notifications over pub/sub."""

from agent_server.broker.redis.broker import RedisBroker

__all__ = ["RedisBroker"]
