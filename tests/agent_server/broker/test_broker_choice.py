"""The configuration selects the broker."""

from __future__ import annotations

import sys

import pytest

from agent_server.broker import MemoryBroker, open_broker
from agent_server.broker.redis import RedisBroker
from agent_server.config import Config, ConfigError


def test_redis_url_selects_the_redis_broker() -> None:
    config = Config.load(None, {"REDIS_URL": "rediss://user:hush@cache.example/2"})
    assert isinstance(open_broker(config.redis_url, 1), RedisBroker)
    assert isinstance(open_broker(Config.load(None, {}).redis_url, 1), MemoryBroker)
    assert "hush" not in repr(config)


def test_redis_url_with_another_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="REDIS_URL starts with 'http'; it must start with redis or rediss or unix"):
        Config.load(None, {"REDIS_URL": "http://cache.example"})


def test_missing_redis_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agent_server.broker.redis", None)
    with pytest.raises(ConfigError, match=r"pip install 'agent-server\[redis\]'"):
        open_broker("redis://cache.example", 1)
