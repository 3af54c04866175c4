"""Presigned tokens: sealed pointers to grants."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings
from feedback.errors import SecretMismatch, TokenExpired, TokenGone, TokenUnknown
from feedback.tokens.keyring import Key
from feedback.tokens.presigned import Order

BODIES = st.integers(0, 2**64 - 1)
KEY = Key(1, bytes(range(32)), b"")
OTHERS = [Key(1, bytes(32), b""), Key(1, bytes(range(32)), b"a secret"), Key(2, bytes(range(1, 33)), b"")]
HOUR = timedelta(hours=1)


@given(BODIES)
def test_sealed_pointer_opens_to_what_it_was(body: int) -> None:
    token = uuid.UUID(KEY.seal(body))
    assert KEY.open(token.int) == body
    assert KEY.seal(body) == str(token)


@given(BODIES)
def test_token_is_a_version_4_uuid(body: int) -> None:
    token = uuid.UUID(KEY.seal(body))
    assert (token.version, token.variant) == (4, uuid.RFC_4122)


@given(BODIES, st.integers(0, 127))
def test_token_with_one_flipped_bit_does_not_open(body: int, bit: int) -> None:
    assert KEY.open(uuid.UUID(KEY.seal(body)).int ^ 1 << bit) is None


@given(st.integers(0, 2**128 - 1))
def test_made_up_token_does_not_open(token: int) -> None:
    assert KEY.open(token) is None
    assert KEY.open(uuid.UUID(int=token, version=4).int) is None


@given(BODIES)
def test_token_of_another_key_or_secret_is_unknown(body: int) -> None:
    assert all(key.open(uuid.UUID(KEY.seal(body)).int) is None for key in OTHERS)


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_parts_of_two_tokens_make_no_third(one: int, other: int) -> None:
    first, second = uuid.UUID(KEY.seal(one)).int, uuid.UUID(KEY.seal(other)).int
    for cut in (48, 64, 96):
        low = (1 << cut) - 1
        spliced = first & ~low | second & low
        assert KEY.open(spliced) in ((None,) if spliced not in (first, second) else (one, other))


async def mint_one(service: FeedbackPlugin, run_id: str, expires_at: datetime | None = None) -> str:
    order = Order(run_id, ["user_score"], [None], expires_at or datetime.now(UTC) + HOUR)
    return (await service.default.tokens.mint([order]))[0].token


async def test_token_leads_to_its_run_and_key(service: FeedbackPlugin, run_id: str) -> None:
    order = Order(run_id, [f"key {n}" for n in range(300)], [None] * 300, datetime.now(UTC) + HOUR)
    tokens = await service.default.tokens.mint([order])
    assert len({token.token for token in tokens}) == 300
    for number in (0, 1, 255, 256, 299):
        grant = await service.default.tokens.redeem(tokens[number].token)
        assert (grant.run_id, grant.key) == (run_id, f"key {number}")


@pytest.mark.parametrize("garbage", ["", "x", "0" * 32, "018f0000-0000-7000-8000-000000000001", "9" * 5000, "é", "\0"])
async def test_garbage_is_unknown(service: FeedbackPlugin, garbage: str) -> None:
    with pytest.raises(TokenUnknown):
        await service.default.tokens.open(garbage)


async def test_truncated_and_extended_tokens_are_unknown(service: FeedbackPlugin, run_id: str) -> None:
    token = await mint_one(service, run_id)
    for changed in (token[:-1], token[1:], token[:-1] + ("0" if token[-1] != "0" else "1"), token + "0"):
        with pytest.raises(TokenUnknown):
            await service.default.tokens.open(changed)


async def test_expired_token_is_gone(service: FeedbackPlugin, run_id: str) -> None:
    token = await mint_one(service, run_id, datetime.now(UTC) - timedelta(milliseconds=1))
    with pytest.raises(TokenExpired, match="expired at"):
        await service.default.tokens.redeem(token)


async def test_token_of_a_removed_grant_is_gone(service: FeedbackPlugin, run_id: str) -> None:
    token = await mint_one(service, run_id)
    await service.database.write(lambda db: db.execute("DELETE FROM feedback_grant"))
    with pytest.raises(TokenGone, match="removed"):
        await service.default.tokens.redeem(token)


async def test_removed_grants_number_is_not_reused(service: FeedbackPlugin, run_id: str) -> None:
    token = await mint_one(service, run_id)
    await service.database.write(lambda db: db.execute("DELETE FROM feedback_grant"))
    await mint_one(service, str(uuid.uuid4()))
    with pytest.raises(TokenGone):
        await service.default.tokens.redeem(token)


async def test_restored_backups_token_reaches_no_other_grant(service: FeedbackPlugin, run_id: str) -> None:
    token = await mint_one(service, run_id)
    restored = "UPDATE feedback_grant SET salt = 65535 - salt, run_id = 'another run'"
    await service.database.write(lambda db: db.execute(restored))
    with pytest.raises(TokenGone):
        await service.default.tokens.redeem(token)


async def test_rotation_keeps_old_tokens_and_lists_them_unchanged(service: FeedbackPlugin, run_id: str) -> None:
    old = await mint_one(service, run_id)
    assert await service.ring.rotate() == 2
    new = await mint_one(service, run_id)
    assert [(await service.default.tokens.redeem(token)).run_id for token in (old, new)] == [run_id, run_id]
    assert [token.token for token in await service.default.tokens.list_issued(run_id, 100, 0)] == [old, new]


async def test_key_that_another_process_added_is_found(database_url: str, run_id: str) -> None:
    async with (
        FeedbackPlugin(open_database(database_url)).open() as here,
        FeedbackPlugin(open_database(database_url)).open() as there,
    ):
        await there.ring.rotate()
        assert (await there.default.tokens.redeem(await mint_one(here, run_id))).run_id == run_id
        here.ring.reread_seconds = 0
        there.ring.reread_seconds = 0
        await there.ring.rotate()
        token = await mint_one(there, run_id)
        assert (await here.default.tokens.redeem(token)).run_id == run_id


async def test_garbage_causes_no_look_into_the_database(database_url: str, run_id: str) -> None:
    async with FeedbackPlugin(database := open_database(database_url)).open() as service:
        token = await mint_one(service, run_id)
    assert database is service.database
    for _ in range(100):  # the database is closed, so any read would fail
        with pytest.raises(TokenUnknown):
            await service.default.tokens.open(str(uuid.uuid4()))
    assert (await service.default.tokens.open(token)).place == 0


async def test_urls_survive_a_restart_on_the_same_database(database_url: str, run_id: str) -> None:
    async with FeedbackPlugin(
        open_database(database_url), FeedbackSettings(secret="a secret of some length")
    ).open() as service:
        urls = await service.urls_for_run(run_id, ["up", "down"], "http://here")
    async with FeedbackPlugin(
        open_database(database_url), FeedbackSettings(secret="a secret of some length")
    ).open() as service:
        for key, url in urls.items():
            assert (await service.default.tokens.redeem(url.rpartition("/")[2])).key == key
        assert [token.key for token in await service.default.tokens.list_issued(run_id, 10, 0)] == ["up", "down"]


@pytest.mark.parametrize(("first", "then"), [(None, "s" * 16), ("s" * 16, None), ("s" * 16, "t" * 16)])
async def test_start_with_another_secret_is_refused(database_url: str, first: str | None, then: str | None) -> None:
    async with FeedbackPlugin(open_database(database_url), FeedbackSettings(secret=first)).open():
        pass
    with pytest.raises(SecretMismatch, match="Start with the secret it was made with"):
        async with FeedbackPlugin(open_database(database_url), FeedbackSettings(secret=then)).open():
            pass
    async with FeedbackPlugin(open_database(database_url), FeedbackSettings(secret=first)).open():
        pass


def test_short_secret_is_refused(database_url: str) -> None:
    with pytest.raises(ValueError, match="at least 16"):
        FeedbackPlugin(open_database(database_url), FeedbackSettings(secret="short"))


async def test_services_that_start_at_once_share_one_ring(database_url: str, run_id: str) -> None:
    services = [FeedbackPlugin(open_database(database_url)) for _ in range(4)]
    openings = [service.open() for service in services]
    await asyncio.gather(*(opening.__aenter__() for opening in openings))
    try:
        token = await mint_one(services[0], run_id)
        assert {(await service.default.tokens.redeem(token)).run_id for service in services} == {run_id}
    finally:
        for opening in openings:
            await opening.__aexit__(None, None, None)


async def test_urls_for_a_run_are_absolute(service: FeedbackPlugin, run_id: str) -> None:
    urls = await service.urls_for_run(run_id, ["up", "down", "up"], "https://example.com/agents/")
    assert list(urls) == ["up", "down"]
    for url in urls.values():
        assert url.startswith("https://example.com/agents/api/v1/feedback/tokens/")
        uuid.UUID(url.rpartition("/")[2])
    assert await service.urls_for_run(run_id, [], "https://example.com") == {}
