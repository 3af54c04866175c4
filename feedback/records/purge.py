"""Purge: delete rows that no longer have an effect, in small steps.

Grants stay for `GRANT_DAYS` after they expire, so that their tokens are rejected as expired and still listed; after
that they are rejected as removed. One-time tokens are deleted as soon as they expire. Each step is a transaction, so
that submissions are stored in between, and several processes may purge at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from feedback.database import Connection, Database, Row, build_in_list
from feedback.tokens.presigned import url_denials

logger = logging.getLogger("feedback")

GRANT_DAYS = 90
GRANTS_AT_ONCE = 100
ROWS_AT_ONCE = 500
PURGE_SECONDS = 3600.0
DAY = 86_400_000_000

EXPIRED_GRANTS = """SELECT id, key_count FROM feedback_grant
WHERE expires_at < now_us() - CAST(:age AS BIGINT) ORDER BY expires_at LIMIT :limit"""
SPENT = """DELETE FROM feedback_spent WHERE nonce IN (
    SELECT nonce FROM feedback_spent WHERE expires_at <= now_us() LIMIT :limit)"""
MINTED = """DELETE FROM feedback_minted WHERE idempotency IN (
    SELECT idempotency FROM feedback_minted WHERE expires_at <= now_us() LIMIT :limit)"""


async def purge(database: Database, grant_days: int = GRANT_DAYS) -> int:
    """Delete what has expired; return the number of grants and one-time tokens."""
    purged = 0
    steps = (
        lambda db: _purge_grants(db, grant_days * DAY),
        lambda db: db.execute(SPENT, limit=ROWS_AT_ONCE),
        lambda db: db.execute(MINTED, limit=ROWS_AT_ONCE),
    )
    for step in steps:
        while count := await database.write(step):
            purged += count
    return purged


async def keep_purging(database: Database, every: float = PURGE_SECONDS) -> None:
    """Purge regularly, until cancelled."""
    while True:
        try:
            if purged := await purge(database):
                logger.info("purged %d expired grants and one-time tokens", purged)
        except Exception as error:  # the database may respond again later
            logger.warning("expired grants were not purged: %r", error)
        await asyncio.sleep(every)


def _purge_grants(db: Connection, age: int) -> int:
    rows = db.all(EXPIRED_GRANTS, age=age, limit=GRANTS_AT_ONCE)
    grants = [row["id"] for row in rows]
    delete_url_denials(db, rows)
    _delete(db, "feedback_use", "grant_id", grants)
    return _delete(db, "feedback_grant", "id", grants)


def delete_url_denials(db: Connection, grants: Iterable[Row]) -> None:
    """Delete the denials of the URLs of these grants, of which `id` and `key_count` are read."""
    denials = [name for grant in grants for name in url_denials(grant["id"], grant["key_count"])]
    for at in range(0, len(denials), ROWS_AT_ONCE):
        _delete(db, "feedback_denial", "id", denials[at : at + ROWS_AT_ONCE])


def _delete(db: Connection, table: str, column: str, values: Sequence[object]) -> int:
    chosen, names = build_in_list("value", values)
    return db.execute(f"DELETE FROM {table} WHERE {column} IN {chosen}", **names) if names else 0
