"""Wrong API keys: an address that sends many gets 429, and a valid API key is never refused for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_server.access.failed_key_limiter import AT_ONCE, REMEMBERED, SECONDS, FailedKeyLimiter
from agent_server.config.api_keys import parse_api_keys
from agent_server.errors import TooMany, Unauthorized
from tests.agent_server.api import Api, serving

KEY = "a-right-key-of-one's-own"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def statuses(wrong: FailedKeyLimiter, address: str, times: int) -> list[int]:
    return [wrong.refusal(address).status_code for _ in range(times)]


def test_address_is_limited_then_admitted_again() -> None:
    wrong = FailedKeyLimiter(clock := Clock())
    assert statuses(wrong, "10.0.0.5", AT_ONCE + 2) == [401] * AT_ONCE + [429] * 2
    assert statuses(wrong, "10.0.0.6", 1) == [401]
    received = wrong.refusal("10.0.0.5")
    assert isinstance(received, TooMany)
    assert received.headers == {"Retry-After": "2"}
    clock.now = 2.0
    assert statuses(wrong, "10.0.0.5", 2) == [401, 429]
    clock.now = 2.0 + SECONDS
    assert statuses(wrong, "10.0.0.5", AT_ONCE) == [401] * AT_ONCE


def test_network_of_ipv6_is_one_address() -> None:
    wrong = FailedKeyLimiter(Clock())
    statuses(wrong, "2001:db8::1", AT_ONCE)
    assert statuses(wrong, "2001:db8::2", 1) == [429]
    assert statuses(wrong, "2001:db8:0:1::2", 1) == [401]
    statuses(wrong, "::ffff:10.0.0.5", AT_ONCE)
    assert statuses(wrong, "10.0.0.5", 1) == [429]


def test_memory_is_bounded_for_many_addresses() -> None:
    wrong = FailedKeyLimiter(Clock())
    for number in range(REMEMBERED + 100):
        assert isinstance(wrong.refusal(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"), Unauthorized)
    assert len(wrong) == REMEMBERED


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(sqlite_url, tmp_path, allow_anyone=False, api_keys=parse_api_keys(f"{KEY}:run")) as api:
        yield api


async def test_right_key_is_admitted_after_many_wrong_ones(api: Api) -> None:
    wrong = [await api.send("POST", "/threads/count", {}, **{"x-api-key": f"as_{n}"}) for n in range(AT_ONCE + 5)]
    right = await api.send("POST", "/threads/count", {}, **{"x-api-key": KEY})
    nothing = await api.send("POST", "/threads/count", {})
    assert [one.status_code for one in wrong] == [401] * AT_ONCE + [429] * 5
    assert int(wrong[-1].headers["retry-after"]) > 0
    assert (right.status_code, nothing.status_code) == (200, 401)
