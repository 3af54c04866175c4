"""The broker of several processes: logs on Redis Streams, doorbells on its pub/sub."""

from agent_server.broker.redis.broker import RedisBroker

__all__ = ["RedisBroker"]
