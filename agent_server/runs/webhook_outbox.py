"""The outbox of webhooks: what is to be told of a run's end is written by the unit that ends it, and kept until told.

Taking a row sets when it is due again: a lease and a retry in one. So processes that share the database tell each end
once at a time, and one that dies while it tells is made up for.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from agent_server.database import Connection, Row
from agent_server.runs.records import RUN_COLUMNS, Claim, Ending, run_of
from agent_server.schema import timestamp

WEBHOOKS = "webhooks"
"""The doorbell channel that is rung when there is something to tell."""
LEASE_SECONDS = 60
LONGEST_WAIT_SECONDS = 600
"""The longest time between two attempts to send."""


class Webhook(Struct):
    """One end of a run to tell of."""

    run_id: str
    url: str
    payload: str
    attempts: int


def put_webhook(connection: Connection, claim: Claim, ending: Ending, status: str | None = None) -> None:
    """Write what is to be told of the run's end, if its client wants to be told; before its row is changed."""
    url = claim.run.kwargs.webhook
    row = url and connection.one(
        f"SELECT {RUN_COLUMNS}, now_us() AS now FROM runs WHERE run_id = :id", id=claim.run.run_id
    )
    if row and url:
        _put(connection, row, url, _payload(row, ending, status or ending.status, timestamp(row["updated_at"])))


def put_webhook_unstarted(connection: Connection, row: Row, status: str) -> None:
    """The same of a run that was cancelled before it started; `row` has the `RUN_COLUMNS`, and `now`."""
    if url := msgspec.json.decode(row["kwargs"], type=_Webhook).webhook:
        _put(connection, row, url, _payload(row, Ending("interrupted", "interrupted"), status, None))


class _Webhook(Struct):
    """What matters here of a run's kwargs."""

    webhook: str | None = None


def _put(connection: Connection, row: Row, url: str, payload: dict[str, Any]) -> None:
    connection.execute(
        """INSERT INTO webhooks (run_id, url, payload, attempts, due_at)
        VALUES (:run_id, :url, :payload, 0, now_us()) ON CONFLICT DO NOTHING""",
        run_id=row["run_id"],
        url=url,
        payload=msgspec.json.encode(payload).decode(),
    )


def _payload(row: Row, ending: Ending, status: str, started_at: str | None) -> dict[str, Any]:
    """The official server's: the run, its values or its error, and when it was at work (looked up in 0.16.7)."""
    run = run_of(row)
    run.status = status  # type: ignore[assignment]  # `rollback` is only told here
    failed = ending.error != b"null"
    return {
        **msgspec.structs.asdict(run),
        "run_started_at": started_at,
        "run_ended_at": timestamp(row["now"]),
        "values": Raw(ending.output or ending.values or b"null"),
        **({"error": Raw(ending.error)} if failed else {}),
    }


def take_webhook(connection: Connection) -> Webhook | None:
    """The next that is due, until its lease is over nobody else's."""
    row = connection.one(
        f"""UPDATE webhooks SET attempts = attempts + 1, due_at = now_us() + :lease WHERE run_id = (
            SELECT run_id FROM webhooks WHERE due_at <= now_us() ORDER BY due_at LIMIT 1 {connection.skip_locked}
        ) RETURNING *""",
        lease=LEASE_SECONDS * 1_000_000,
    )
    return Webhook(row["run_id"], row["url"], row["payload"], row["attempts"]) if row else None


def is_due(connection: Connection) -> bool:
    """Whether there is anything to tell now."""
    return connection.one("SELECT 1 AS x FROM webhooks WHERE due_at <= now_us() LIMIT 1") is not None


def mend_webhook_times(connection: Connection) -> None:
    """Make webhooks due whose time lies ahead only because the clock was set back."""
    connection.execute(
        """UPDATE webhooks SET due_at = now_us()
        WHERE due_at > now_us() AND (attempts = 0 OR due_at > now_us() + :longest)""",
        longest=LONGEST_WAIT_SECONDS * 1_000_000,
    )


def drop_webhook(connection: Connection, webhook: Webhook) -> None:
    """It was told, or never will be."""
    connection.execute(
        "DELETE FROM webhooks WHERE run_id = :id AND attempts = :attempts",
        id=webhook.run_id,
        attempts=webhook.attempts,
    )


def put_off_webhook(connection: Connection, webhook: Webhook, seconds: float) -> None:
    """It is due again in so many seconds."""
    connection.execute(
        "UPDATE webhooks SET due_at = now_us() + :wait WHERE run_id = :id AND attempts = :attempts",
        id=webhook.run_id,
        attempts=webhook.attempts,
        wait=int(seconds * 1_000_000),
    )
