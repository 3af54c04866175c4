"""Plain submissions are stored by one statement that respects the changes of other processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from agent_server.database import open_database
from feedback import FeedbackPlugin, Webhook
from feedback.configs.feedback_config import FeedbackConfig
from feedback.configs.schema import FeedbackConfigCreate
from feedback.database import Connection, Database, Row
from feedback.delivery.webhooks import Webhooks
from feedback.errors import FeedbackError, Rejected, TokenExpired, TokenGone, TokenRevoked, TokenUsed
from feedback.schema import FeedbackSubmission
from feedback.tokens.presigned import Order, Pointer
from tests.feedback.conftest import RUN
from tests.feedback.delivery.test_webhooks import SECRET

T = TypeVar("T")
Change = Callable[[FeedbackPlugin, str], Awaitable[Any]]


class Counting:
    """A connection that records its statements."""

    def __init__(self, connection: Connection, statements: list[str]) -> None:
        self._connection, self._statements = connection, statements

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        self._statements.append(sql)
        return self._connection.one(sql, **parameters)

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        self._statements.append(sql)
        return self._connection.all(sql, **parameters)

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        self._statements.append(sql)
        return self._connection.tuples(sql, **parameters)

    def execute(self, sql: str, /, **parameters: object) -> int:
        self._statements.append(sql)
        return self._connection.execute(sql, **parameters)


def record_statements(database: Database) -> list[str]:
    """Return the list of the statements that the database runs from now on."""
    statements: list[str] = []
    read, write = database.read, database.write

    async def counting_read(work: Callable[[Connection], T]) -> T:
        return await read(lambda db: work(Counting(db, statements)))

    async def counting_write(work: Callable[[Connection], T]) -> T:
        return await write(lambda db: work(Counting(db, statements)))

    database.read, database.write = counting_read, counting_write  # type: ignore[method-assign]
    return statements


@pytest.fixture
async def other(database_url: str, service: FeedbackPlugin) -> AsyncIterator[FeedbackPlugin]:  # noqa: ARG001  it opens first
    """Open the service as another process does, on the same database."""
    async with FeedbackPlugin(open_database(database_url)).open() as other:
        yield other


async def minted(service: FeedbackPlugin, key: str = "k", **more: Any) -> str:
    expires_at = more.pop("expires_at", datetime.now(UTC) + timedelta(hours=1))
    config = more.pop("config", None)
    [token] = await service.default.tokens.mint([Order(RUN, [key], [config], expires_at, **more)])
    return token.token


async def mint_cached(service: FeedbackPlugin, key: str = "k", **more: Any) -> tuple[str, Pointer]:
    """Mint a token whose grant and configuration the service has cached."""
    token = await minted(service, key, **more)
    pointer = await service.default.tokens.open(token)
    await service.default.store.submit(pointer, FeedbackSubmission(1))
    return token, pointer


@pytest.mark.parametrize(
    "submission",
    [FeedbackSubmission(1, comment="Nice."), FeedbackSubmission(True), FeedbackSubmission(0.5, user_id="ada"),
     FeedbackSubmission(value={"a": 1}, correction="b", metadata={"c": [None]})],
)  # fmt: skip
async def test_plain_submission_is_one_statement(service: FeedbackPlugin, submission: FeedbackSubmission) -> None:
    _, pointer = await mint_cached(service)
    slow = await service.default.store.submit(pointer, submission, "an Idempotency-Key")
    before = await service.default.store.get(slow.id)
    await service.default.store.delete(slow.id)
    statements = record_statements(service.database)
    result = await service.default.store.submit(pointer, submission)
    assert (result.status, len(statements)) == ("created", 1)
    after = await service.default.store.get(result.id)
    for name in ("id", "created_at", "modified_at"):
        setattr(after, name, getattr(before, name))
    assert after == before


async def test_first_submission_through_a_url_is_one_statement(service: FeedbackPlugin) -> None:
    await mint_cached(service)
    pointer = await service.default.tokens.open(await minted(service))
    statements = record_statements(service.database)
    await service.default.store.submit(pointer, FeedbackSubmission(1))
    assert len(statements) == 1


async def revoke_url(other: FeedbackPlugin, token: str) -> None:
    await other.default.revocation.revoke_token(token)


async def revoke_run(other: FeedbackPlugin, _token: str) -> None:
    await other.default.revocation.revoke_run(RUN)


async def revoke_ring_key(other: FeedbackPlugin, _token: str) -> None:
    await other.default.revocation.revoke_ring_key(1)


async def retire_ring_key(other: FeedbackPlugin, _token: str) -> None:
    await other.ring.rotate()
    await other.ring.retire(1)


async def erase_run(other: FeedbackPlugin, _token: str) -> None:
    await other.default.erasure.erase_run(RUN)


async def erase_all(other: FeedbackPlugin, _token: str) -> None:
    await other.default.erasure.erase_all()


async def enforce(other: FeedbackPlugin, _token: str) -> None:
    config = FeedbackConfig(type="continuous", min=5, max=9)
    await other.default.configs.create(FeedbackConfigCreate("k", config, is_enforced=True))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (revoke_url, TokenRevoked),
        (revoke_run, TokenRevoked),
        (revoke_ring_key, TokenRevoked),
        (retire_ring_key, TokenRevoked),
        (erase_run, TokenGone),
        (erase_all, TokenGone),
        (enforce, Rejected),
    ],
)
async def test_change_in_another_process_counts_at_once(
    service: FeedbackPlugin, other: FeedbackPlugin, change: Change, error: type[FeedbackError]
) -> None:
    token, pointer = await mint_cached(service)
    await change(other, token)
    before = len(await service.feedback_for_run(RUN))
    for _ in range(2):
        with pytest.raises(error):
            await service.default.store.submit(pointer, FeedbackSubmission(1))
    assert len(await service.feedback_for_run(RUN)) == before


async def test_policy_of_another_process_counts_at_once(service: FeedbackPlugin, other: FeedbackPlugin) -> None:
    _, pointer = await mint_cached(service)
    await service.default.store.submit(pointer, FeedbackSubmission(1, user_id="ada"))
    config = FeedbackConfig(type="freeform")
    await other.default.configs.create(FeedbackConfigCreate("k", config, subject_policy="append"))
    for status in ("created", "created"):
        assert (await service.default.store.submit(pointer, FeedbackSubmission(0, user_id="ada"))).status == status
    assert len(await service.feedback_for_run(RUN)) == 4


async def test_webhook_of_another_process_receives_plain_submissions(
    service: FeedbackPlugin, other: FeedbackPlugin
) -> None:
    _, pointer = await mint_cached(service)
    await Webhooks(other.database, [Webhook("http://127.0.0.1:9/", SECRET)]).register()
    ids = [(await service.default.store.submit(pointer, FeedbackSubmission(1))).id for _ in range(3)]
    rows = await service.database.read(lambda db: db.all("SELECT feedback_id FROM feedback_outbox ORDER BY id"))
    assert [row["feedback_id"] for row in rows] == ids


async def test_remembered_grant_expires(service: FeedbackPlugin) -> None:
    _, pointer = await mint_cached(service, expires_at=datetime.now(UTC) + timedelta(seconds=1.5))

    async def submit_until_refused() -> None:
        while True:
            await service.default.store.submit(pointer, FeedbackSubmission(1))
            await asyncio.sleep(0.05)

    with pytest.raises(TokenExpired):
        await asyncio.wait_for(submit_until_refused(), 20)


async def test_plain_submissions_count_as_uses(service: FeedbackPlugin, other: FeedbackPlugin) -> None:
    token, pointer = await mint_cached(service, max_uses=8)
    there = await other.default.tokens.open(token)
    submissions = [
        one.default.store.submit(p, FeedbackSubmission(1)) for one, p in ((service, pointer), (other, there)) * 10
    ]
    results = await asyncio.gather(*submissions, return_exceptions=True)
    assert sum(isinstance(one, TokenUsed) for one in results) == 13
    assert len(await service.feedback_for_run(RUN)) == 8


async def test_repeats_and_replacements_are_as_before(service: FeedbackPlugin) -> None:
    _, pointer = await mint_cached(service)
    submission = FeedbackSubmission(1, id="018f0000-0000-7000-8000-0000000000aa")
    assert [(await service.default.store.submit(pointer, submission)).status for _ in range(2)] == [
        "created",
        "unchanged",
    ]
    statuses = [
        (await service.default.store.submit(pointer, FeedbackSubmission(score, user_id="ada"))).status
        for score in (1, 0, 0)
    ]
    assert statuses == ["created", "updated", "unchanged"]


async def test_forged_pointer_never_meets_a_remembered_grant(service: FeedbackPlugin) -> None:
    await service.ring.rotate()
    token, genuine = await mint_cached(service)
    assert (await service.default.tokens.open(token)).ring_key == 2
    forged = service.ring.key(1).seal(genuine.grant << 24 | genuine.salt << 8 | genuine.place)
    resalted = service.ring.key(2).seal(genuine.grant << 24 | (genuine.salt ^ 1) << 8 | genuine.place)
    for one in (forged, resalted):
        with pytest.raises(TokenGone):
            await service.default.store.submit(await service.default.tokens.open(one), FeedbackSubmission(1))
