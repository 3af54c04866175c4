"""Expired rows, and no others, are deleted in small steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feedback import FeedbackPlugin
from feedback.errors import TokenExpired, TokenGone
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeTokenCreate
from feedback.records import purge as purge_module
from feedback.records.purge import DAY, purge
from feedback.schema import FeedbackSubmission
from feedback.tokens.presigned import Order
from tests.feedback.conftest import RUN

TABLES = ("feedback_grant", "feedback_use", "feedback_denial", "feedback_spent", "feedback_minted", "feedback")


async def counts(service: FeedbackPlugin) -> dict[str, int]:
    sql = " UNION ALL ".join(f"SELECT '{table}' AS name, COUNT(*) AS rows FROM {table}" for table in TABLES)
    return {row["name"]: row["rows"] for row in await service.database.read(lambda db: db.all(sql))}


async def mint(service: FeedbackPlugin, expires_at: datetime | None, count: int = 1) -> list[str]:
    orders = [Order(RUN, ["a", "b"], [None, None], expires_at, max_uses=3) for _ in range(count)]
    return [one.token for one in await service.default.tokens.mint(orders)]


async def test_purge_deletes_what_has_expired(service: FeedbackPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_module, "GRANTS_AT_ONCE", 3)
    now = datetime.now(UTC)
    valid = [*await mint(service, None), *await mint(service, now + timedelta(hours=1))]
    late = await mint(service, now - timedelta(days=89))
    old = await mint(service, now - timedelta(days=91), 8)
    for token in (*old, *valid):
        await service.default.revocation.revoke_token(token)
    for at in ("", " - 1"):
        sql = f"INSERT INTO feedback_use (grant_id, place, uses) SELECT MAX(id){at}, 0, 1 FROM feedback_grant"
        await service.database.write(lambda db, sql=sql: db.execute(sql))  # type: ignore[misc]
    assert await purge(service.database) == 8
    remaining = await counts(service)
    assert (remaining["feedback_grant"], remaining["feedback_use"], remaining["feedback_denial"]) == (3, 0, 4)
    with pytest.raises(TokenGone):
        await service.default.tokens.redeem(old[0])
    with pytest.raises(TokenExpired):
        await service.default.tokens.redeem(late[0])
    assert await purge(service.database) == 0


async def test_purge_ends_at_the_first_new_grants(service: FeedbackPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_module, "ROWS_AT_ONCE", 2)
    expired = datetime.now(UTC) - timedelta(days=91)
    for expires_at, is_old in ((None, 1), (None, 1), (expired, 1), (None, 1), (None, 0), (None, 0), (expired, 0)):
        await mint(service, expires_at)
        sql = "UPDATE feedback_grant SET created_at = created_at - :age WHERE id = (SELECT MAX(id) FROM feedback_grant)"
        await service.database.write(lambda db, sql=sql, age=is_old * 91 * DAY: db.execute(sql, age=age))  # type: ignore[misc]
    assert await purge(service.database) == 1, "the last one is not looked at yet"
    assert (await counts(service))["feedback_grant"] == 6


async def test_purge_keeps_feedback_and_what_processes_remember(service: FeedbackPlugin) -> None:
    [token, _] = await mint(service, None)
    await mint(service, datetime.now(UTC) - timedelta(days=91), 4)
    pointer = await service.default.tokens.open(token)
    await service.default.store.submit(pointer, FeedbackSubmission(1))
    epoch = "SELECT number FROM feedback_epoch"
    before = await service.database.read(lambda db: db.one(epoch))
    assert await purge(service.database) == 4
    assert await service.database.read(lambda db: db.one(epoch)) == before
    assert (await counts(service))["feedback"] == 1


async def test_purge_deletes_one_time_tokens(service: FeedbackPlugin) -> None:
    wanted = OneTimeTokenCreate("trace", "t", expires_in_seconds=3600)
    token = (await service.default.one_time.mint(wanted, "key", "again")).token
    await service.default.one_time.spend(OneTimeSubmission(token, score=1))
    assert await purge(service.database) == 0
    for table in ("feedback_spent", "feedback_minted"):
        sql = f"UPDATE {table} SET expires_at = now_us()"
        await service.database.write(lambda db, sql=sql: db.execute(sql))  # type: ignore[misc]
    assert await purge(service.database) == 2
    remaining = await counts(service)
    assert (remaining["feedback_spent"], remaining["feedback_minted"], remaining["feedback"]) == (0, 0, 1)
