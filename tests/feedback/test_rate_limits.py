"""Rate limits of submissions and minting: 429 with Retry-After, by token and by address, in bounded memory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from litestar import Litestar

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from feedback.auth import Entry, Keys
from feedback.errors import TooMany, Unauthorized
from feedback.rate_limits import Limits, RateLimit, RateLimiter, TokenBuckets
from tests.feedback.conftest import RUN, mint, serving, stored

MINUTE = RateLimit(3, 60)
JSON = {"Accept": "application/json"}


@asynccontextmanager
async def client_at(
    url: str, peer: str, limits: Limits, api_keys: Keys = (), **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with the address `peer` of an application that has only the plugin."""
    app = Litestar(
        plugins=[FeedbackPlugin(open_database(url), FeedbackSettings(limits=limits, **settings), api_keys=api_keys)]
    )
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 1)), base_url="http://a.test") as client,
    ):
        yield client


async def test_token_rate_limit_returns_retry_after(sqlite_url: str) -> None:
    async with client_at(sqlite_url, "203.0.113.7", Limits(token=MINUTE)) as client:
        url, other = await mint(client), await mint(client, "other")
        statuses = [(await client.post(url, json={"score": 1})).status_code for _ in range(2)]
        statuses.append((await client.get(url + "?score=1", headers=JSON)).status_code)
        assert statuses == [200, 200, 200]
        refused = await client.post(url, json={"score": 1})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert refused.headers["access-control-allow-origin"] == "*"
        assert (await client.get(url + "?score=1", headers=JSON)).status_code == 429
        page = await client.post(url, data={"score": "1"}, headers={"Accept": "text/html"})
        assert (page.status_code, "One moment" in page.text, int(page.headers["retry-after"]) > 0) == (429, True, True)
        assert (await client.post(other, json={"score": 1})).status_code == 200
        assert len(await stored(client)) == 4


async def test_address_limit_counts_submissions_and_mintings(sqlite_url: str) -> None:
    async with client_at(sqlite_url, "203.0.113.7", Limits(address=MINUTE)) as client:
        url = await mint(client)
        assert (await client.post(url, json={"score": 1})).status_code == 200
        assert (await client.get(url + "?score=1", headers=JSON)).status_code == 200
        assert (await client.post(url, json={"score": 1})).status_code == 429
        minted = await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"})
        assert (minted.status_code, int(minted.headers["retry-after"]) > 0) == (429, True)


async def test_mintings_may_be_bounded_on_their_own(sqlite_url: str) -> None:
    async with client_at(sqlite_url, "203.0.113.7", Limits(minting=RateLimit(1, 60))) as client:
        url = await mint(client)
        once = {"resource_type": "trace", "resource_id": "t"}
        refused = [
            await client.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}),
            await client.post("/api/v1/feedback/token", json=once, headers={"Authorization": "Bearer any"}),
        ]
        assert [(one.status_code, int(one.headers["retry-after"]) > 0) for one in refused] == [(429, True)] * 2
        assert (await client.post(url, json={"score": 1})).status_code == 200


async def test_minting_with_an_api_key_is_not_limited(sqlite_url: str) -> None:
    limits = Limits(address=RateLimit(1, 60))
    async with client_at(sqlite_url, "203.0.113.7", limits, api_keys=("secret-key",)) as client:
        for _ in range(3):
            body = {"run_id": RUN, "feedback_key": "k"}
            assert (await client.post("/feedback/tokens", json=body)).status_code == 401
            minted = await client.post("/feedback/tokens", json=body, headers={"x-api-key": "secret-key"})
            assert minted.status_code == 200
        url = "/feedback/tokens/" + minted.json()["id"]
        assert [(await client.post(url, json={})).status_code for _ in range(2)] == [200, 429]


async def test_wrong_keys_are_limited_and_right_ones_pass(sqlite_url: str) -> None:
    limits = Limits(address=MINUTE)
    async with client_at(sqlite_url, "203.0.113.7", limits, api_keys=("secret-key",)) as client:
        wrong, right = {"x-api-key": "guess"}, {"x-api-key": "secret-key"}
        assert [(await client.get("/feedback", headers=wrong)).status_code for _ in range(4)] == [401, 401, 401, 429]
        for path in ("/api/v1/feedback/statistics", "/v1/_/agents/_/feedback"):
            refused = await client.get(path, headers={"Authorization": "Bearer guess"})
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
        assert (await client.get("/feedback")).status_code == 401, (
            "a request without an API key is not counted as a wrong one"
        )
        assert (await client.get("/feedback", headers=right)).status_code == 200


async def test_apps_checker_limits_wrong_keys_itself(sqlite_url: str) -> None:
    async def check(_connection: Any, _scope: str) -> Entry:
        raise Unauthorized("The key is wrong")

    async with client_at(sqlite_url, "203.0.113.7", Limits(address=MINUTE), api_keys=check) as client:
        responses = [await client.get("/feedback", headers={"x-api-key": "guess"}) for _ in range(5)]
    assert [response.status_code for response in responses] == [401] * 5


async def test_reading_pages_and_garbage_cost_nothing(sqlite_url: str) -> None:
    async with client_at(sqlite_url, "203.0.113.7", Limits(MINUTE, RateLimit(2, 60))) as client:
        url = await mint(client)
        for _ in range(5):
            assert (await client.get(url)).status_code == 200
            assert (await client.head(url)).status_code == 200
            assert (await client.get(url + "?score=1", headers={"Accept": "text/html"})).status_code == 200
            assert (await client.post(f"/feedback/tokens/{uuid.uuid4()}", json={})).status_code == 404
            assert (await client.post(url, json={"score": "high"})).status_code == 422
            assert await stored(client) == []
        assert (await client.post(url, json={"score": 1})).status_code == 200


async def test_this_machine_is_not_limited(sqlite_url: str) -> None:
    async with client_at(sqlite_url, "127.0.0.1", Limits(MINUTE, MINUTE, minting=MINUTE)) as client:
        for _ in range(3):
            url = await mint(client)
            statuses = [(await client.post(url, json={"score": 1})).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429], "the limit of one URL holds for everyone"


async def test_visitors_behind_a_trusted_proxy_are_distinguished(sqlite_url: str) -> None:
    limits = Limits(address=RateLimit(2, 60))
    async with client_at(sqlite_url, "10.0.0.1", limits, trust_forwarded=True) as client:
        url = await mint(client)
        for visitor in ("198.51.100.1", "198.51.100.2"):
            for status in (200, 200, 429):
                headers = {"X-Forwarded-For": f"1.2.3.{status}, {visitor}"}
                assert (await client.post(url, json={"score": 1}, headers=headers)).status_code == status


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.1"])
@pytest.mark.parametrize(
    "lines",
    [
        ["192.0.2.{}", "198.51.100.7"],
        ["127.0.0.1"],
        ["::1"],
        ["localhost"],
        ["garbage"],
        ["192.0.2.{}, garbage"],
        ["192.0.2.{}", "garbage"],
        [","],
        ["198.51.100.7, "],
        ["unix:"],
    ],
    ids=str,
)
async def test_no_forwarded_header_escapes_the_limits(sqlite_url: str, lines: list[str], peer: str) -> None:
    limits = Limits(address=RateLimit(4, 60))
    async with client_at(sqlite_url, peer, limits, trust_forwarded=True) as client:
        url = await mint(client)
        statuses = []
        for at in range(5):
            headers = [("X-Forwarded-For", line.format(at)) for line in lines]
            statuses.append((await client.post(url, json={"score": 1}, headers=headers)).status_code)
        assert statuses[-1] == 429


FORGED = [f"192.0.2.{at}" for at in range(1, 6)]


def count_admitted(rate_limiter: RateLimiter, peer: str, *forwarded: str) -> int:
    """Return how many of the requests pass."""
    count = 0
    for one in forwarded:
        try:
            rate_limiter.admit(peer, [(b"x-forwarded-for", one.encode())])
            count += 1
        except TooMany:
            pass
    return count


def test_forwarded_header_counts_only_where_it_is_trusted() -> None:
    assert count_admitted(RateLimiter(Limits(address=MINUTE), trust_forwarded=False), "203.0.113.7", *FORGED) == 3
    assert count_admitted(RateLimiter(Limits(address=MINUTE), trust_forwarded=True), "203.0.113.7", *FORGED) == 5


def test_nearest_untrusted_hop_is_the_visitor() -> None:
    forged = [f"{one}, 203.0.113.7" for one in FORGED]
    assert count_admitted(RateLimiter(Limits(address=MINUTE), trust_forwarded=True), "10.0.0.1", *forged) == 3
    behind = [f"{one}, 203.0.113.7:4711, 172.16.0.9" for one in FORGED]
    far = Limits(address=MINUTE, proxies=("172.16.0.0/12",))
    assert count_admitted(RateLimiter(far, trust_forwarded=True), "10.0.0.1", *behind) == 3
    visitors = [f"{one}, 172.16.0.9" for one in FORGED]
    assert count_admitted(RateLimiter(far, trust_forwarded=True), "10.0.0.1", *visitors) == 5


def test_one_home_network_shares_one_bucket() -> None:
    home = [f"2001:db8:1:2::{at}" for at in range(1, 6)]
    homes = [f"[2001:db8:1:{at}::1]:443" for at in range(1, 6)]
    assert count_admitted(RateLimiter(Limits(address=MINUTE), trust_forwarded=True), "10.0.0.1", *home) == 3
    assert count_admitted(RateLimiter(Limits(address=MINUTE), trust_forwarded=True), "10.0.0.1", *homes) == 5


@pytest.mark.parametrize("peer", [None, "", "testclient", "unix:", "::1", "127.0.0.9", "::ffff:127.0.0.1"])
def test_unparsable_address_is_admitted(peer: str | None) -> None:
    rate_limiter = RateLimiter(Limits(address=MINUTE), trust_forwarded=False)
    for _ in range(5):
        rate_limiter.admit(peer, [])


def test_addresses_are_stored_as_hashes() -> None:
    rate_limiter = RateLimiter(Limits(), trust_forwarded=False)
    rate_limiter.admit("203.0.113.7", [], (1, 0))
    assert rate_limiter._addresses is not None
    [name] = rate_limiter._addresses._full_at
    assert len(name) == 16
    assert bytes([203, 0, 113, 7]) not in name


def test_bucket_fills_up_again_evenly_and_never_overflows() -> None:
    now = [0.0]
    throttle = TokenBuckets(RateLimit(3, 60), clock=lambda: now[0])
    assert [throttle.take(b"a") for _ in range(4)] == [0, 0, 0, 20]
    now[0] = 20.0
    assert [throttle.take(b"a") for _ in range(2)] == [0, 20]
    now[0] = 10_000.0
    assert [throttle.take(b"a") for _ in range(4)] == [0, 0, 0, 20]
    assert throttle.take(b"b") == 0


def test_names_that_were_quiet_for_longest_are_forgotten() -> None:
    throttle = TokenBuckets(RateLimit(1, 60), remembered=100, clock=lambda: 0.0)
    for at in range(1000):
        throttle.take(b"%d" % at)
        throttle.take(b"0")
    assert len(throttle) == 100
    assert throttle.take(b"0") > 0


def test_limit_of_zero_requests_is_refused() -> None:
    for wrong in ((0, 60.0), (1, 0.0)):
        with pytest.raises(ValueError, match="allows no request"):
            RateLimit(*wrong)


def test_body_that_hides_its_length_is_bounded_too(sqlite_url: str) -> None:
    with serving(Litestar(plugins=[FeedbackPlugin(open_database(sqlite_url))])) as address:
        body = {"run_id": RUN, "feedback_key": "k"}
        url = httpx.post(f"{address}/feedback/tokens", json=body).json()["url"]
        for size, status in ((1_000, 200), (70_000, 413), (700_000, 413)):
            pieces = (b'{"comment": "', *[b"a" * 100] * (size // 100), b'"}')
            response = httpx.post(url, content=iter(pieces))
            assert (response.status_code, "content-length" in response.request.headers) == (status, False)
        assert len(httpx.get(f"{address}/feedback", params={"run": RUN}).json()) == 1


async def test_other_clients_submissions_count_for_their_address(sqlite_url: str) -> None:
    async with client_at(sqlite_url, "203.0.113.7", Limits(address=RateLimit(1, 60))) as client:
        outcome = {"feedback_token": "any", "outcome": "positive"}
        assert (await client.post("/v1/feedback", json=outcome)).status_code == 400
        refused = await client.post("/v1/feedback", json=outcome)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many")
        spent = await client.post("/api/v1/feedback/submit", json={"token": "any", "score": 1})
        assert (spent.status_code, spent.json()["error"]["code"]) == (429, "too_many")
        assert int(spent.headers["retry-after"]) > 0
