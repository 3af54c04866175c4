"""A census of the queue and of the outbox: what all processes that share the database have before them."""

from __future__ import annotations

from typing import cast

from msgspec import Struct

from agent_server.database import Connection, Row


class Census(Struct):
    """What waits and what is at work; times in seconds, none where nothing waits."""

    pending: int
    running: int
    longest_wait: float | None
    median_wait: float | None
    longest_unblocked_wait: float | None
    """Among the runs whose threads are free: they wait for a worker."""
    webhooks: int
    oldest_webhook: float | None
    """Since when the one that is due the longest is due."""


def take_census(connection: Connection) -> Census:
    """The counts of this moment. Every one of them reads an index of what has not ended, never all runs."""
    row = cast(Row, connection.one(_COUNTS))
    middle = connection.one(_MIDDLE, offset=(row["due"] - 1) // 2) if row["due"] else None

    def since(moment: int | None) -> float | None:
        return None if moment is None else max(row["now"] - moment, 0) / 1_000_000

    return Census(
        pending=row["pending"],
        running=row["running"],
        longest_wait=since(row["first"]),
        median_wait=since(middle["start_at"]) if middle else None,
        longest_unblocked_wait=since(row["first_unblocked"]),
        webhooks=row["webhooks"],
        oldest_webhook=since(row["first_webhook"]),
    )


_COUNTS = """
    SELECT now_us() AS now,
    (SELECT COUNT(*) FROM runs WHERE status = 'pending') AS pending,
    (SELECT COUNT(*) FROM runs WHERE status = 'pending' AND start_at <= now_us()) AS due,
    (SELECT COUNT(*) FROM runs WHERE status = 'running') AS running,
    (SELECT MIN(start_at) FROM runs WHERE status = 'pending' AND start_at <= now_us()) AS first,
    (SELECT MIN(next.start_at) FROM runs AS next WHERE next.status = 'pending' AND next.start_at <= now_us()
        AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.thread_id = next.thread_id AND other.status = 'running')
    ) AS first_unblocked,
    (SELECT COUNT(*) FROM webhooks) AS webhooks,
    (SELECT MIN(due_at) FROM webhooks WHERE due_at <= now_us()) AS first_webhook"""

_MIDDLE = """
    SELECT start_at FROM runs WHERE status = 'pending' AND start_at <= now_us()
    ORDER BY start_at DESC, run_id DESC LIMIT 1 OFFSET :offset"""
