"""Purge: delete rows that no longer have an effect, in small steps.

Grants stay for `GRANT_DAYS` after they expire, so that their tokens are rejected as expired and still listed; after
that they are rejected as removed. One-time tokens are deleted as soon as they expire. Each step is a transaction, so
that submissions are stored in between, and several processes may purge at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from operator import methodcaller

from feedback.database import Connection, Database, Row, build_in_list
from feedback.tokens.presigned import url_denials

logger = logging.getLogger("feedback")

GRANT_DAYS = 90
GRANTS_AT_ONCE = 100
ROWS_AT_ONCE = 500
PURGE_SECONDS = 3600.0
DAY = 86_400_000_000

GRANTS = """SELECT id, key_count,
    CASE WHEN expires_at < now_us() - CAST(:age AS BIGINT) THEN 1 ELSE 0 END AS is_expired,
    CASE WHEN created_at < now_us() - CAST(:age AS BIGINT) THEN 1 ELSE 0 END AS is_old
FROM feedback_grant WHERE id > :after ORDER BY id LIMIT :limit"""
"""The next grants in the order of minting: an index by expiry would cost each minting a page of the log."""
SPENT = """DELETE FROM feedback_spent WHERE nonce IN (
    SELECT nonce FROM feedback_spent WHERE expires_at <= now_us() LIMIT :limit)"""
MINTED = """DELETE FROM feedback_minted WHERE idempotency IN (
    SELECT idempotency FROM feedback_minted WHERE expires_at <= now_us() LIMIT :limit)"""


async def purge(database: Database, grant_days: int = GRANT_DAYS) -> int:
    """Delete what has expired; return the number of grants and one-time tokens."""
    purged = await _purge_grants(database, grant_days * DAY)
    for sql in (SPENT, MINTED):
        while count := await database.write(methodcaller("execute", sql, limit=ROWS_AT_ONCE)):
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


async def _purge_grants(database: Database, age: int) -> int:
    """Delete the grants that expired so long ago: a pass over all that were minted so long ago."""
    purged, after, is_old = 0, 0, True
    while is_old:
        rows = await database.read(methodcaller("all", GRANTS, age=age, after=after, limit=ROWS_AT_ONCE))
        expired = [row for row in rows if row["is_expired"]]
        for at in range(0, len(expired), GRANTS_AT_ONCE):
            purged += await database.write(partial(_delete_grants, grants=expired[at : at + GRANTS_AT_ONCE]))
        is_old = any(row["is_old"] for row in rows)
        after = rows[-1]["id"] if rows else after
    return purged


def _delete_grants(db: Connection, grants: Sequence[Row]) -> int:
    ids = [grant["id"] for grant in grants]
    delete_url_denials(db, grants)
    _delete(db, "feedback_use", "grant_id", ids)
    return _delete(db, "feedback_grant", "id", ids)


def delete_url_denials(db: Connection, grants: Iterable[Row]) -> None:
    """Delete the denials of the URLs of these grants, of which `id` and `key_count` are read."""
    denials = [name for grant in grants for name in url_denials(grant["id"], grant["key_count"])]
    for at in range(0, len(denials), ROWS_AT_ONCE):
        _delete(db, "feedback_denial", "id", denials[at : at + ROWS_AT_ONCE])


def _delete(db: Connection, table: str, column: str, values: Sequence[object]) -> int:
    chosen, names = build_in_list("value", values)
    return db.execute(f"DELETE FROM {table} WHERE {column} IN {chosen}", **names) if names else 0
