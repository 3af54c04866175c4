"""The outbox of webhooks: the transaction that ends a run writes its webhook, which is kept until delivered.

Taking a row sets its next due time, which serves as lease and retry. So only one process at a time sends a webhook, and
another takes over where a sender dies.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from agent_server.database import Connection, Row
from agent_server.runs.records import RUN_COLUMNS, Claim, Ending, read_run
from agent_server.schema import timestamp

WEBHOOKS = "webhooks"
"""The channel that signals a new webhook."""
ENDED_COLUMNS = f"{RUN_COLUMNS}, webhook_targets, now_us() AS now"
"""The columns of an ended run's row that its webhooks need."""
LEASE_SECONDS = 60
LONGEST_WAIT_SECONDS = 600
"""The longest time between two attempts to send, in seconds."""


class Webhook(Struct):
    """A webhook about the end of one run."""

    run_id: str
    target: str
    """The id of the run's webhook target; empty for the run's own webhook."""
    url: str
    payload: str
    attempts: int


def put_webhook(connection: Connection, claim: Claim, ending: Ending, status: str | None = None) -> None:
    """Write the webhook of a run's end, if its client wants one; call it before the run's row changes."""
    url = claim.run.kwargs.webhook
    row = url and connection.one(
        f"SELECT {RUN_COLUMNS}, now_us() AS now FROM runs WHERE run_id = :id", id=claim.run.run_id
    )
    if row and url:
        _put(connection, row, url, _payload(row, ending, status or ending.status, timestamp(row["updated_at"])))


def put_webhook_unstarted(connection: Connection, row: Row, status: str) -> None:
    """Write the webhooks of a run that was cancelled before it started; `row` has the
    `ENDED_COLUMNS`."""
    ending = Ending("interrupted", "interrupted")
    if url := msgspec.json.decode(row["kwargs"], type=_Webhook).webhook:
        _put(connection, row, url, _payload(row, ending, status, None))
    put_targets(connection, row, ending, status)


def put_targets(connection: Connection, row: Row, ending: Ending, status: str | None = None) -> None:
    """Write the webhooks of the run's targets; `row` has the `ENDED_COLUMNS`."""
    for target, url in msgspec.json.decode(row["webhook_targets"] or "{}", type=dict[str, str]).items():
        put_target_webhook(connection, row, ending, target, url, status)


def get_ended_row(connection: Connection, run_id: str) -> Row:
    """Return the `ENDED_COLUMNS` of a run."""
    row = connection.one(f"SELECT {ENDED_COLUMNS} FROM runs WHERE run_id = :id", id=run_id)
    assert row is not None, "the transaction has just changed it"
    return row


def put_target_webhook(
    connection: Connection, row: Row, ending: Ending, target: str, url: str, status: str | None = None
) -> None:
    """Write the webhook of one of the run's targets, in place of an undelivered one."""
    connection.execute("DELETE FROM webhooks WHERE run_id = :id AND target = :target", id=row["run_id"], target=target)
    _put(connection, row, url, _payload(row, ending, status or ending.status, None), target)


class _Webhook(Struct):
    """The part of a run's kwargs that webhooks need."""

    webhook: str | None = None


def _put(connection: Connection, row: Row, url: str, payload: dict[str, Any], target: str = "") -> None:
    connection.execute(
        """INSERT INTO webhooks (run_id, target, url, payload, attempts, due_at)
        VALUES (:run_id, :target, :url, :payload, 0, now_us()) ON CONFLICT DO NOTHING""",
        run_id=row["run_id"],
        target=target,
        url=url,
        payload=msgspec.json.encode(payload).decode(),
    )


def _payload(row: Row, ending: Ending, status: str, started_at: str | None) -> dict[str, Any]:
    """Return the official server's payload (as of 0.16.7): the run, its values or error, and its start and end."""
    run = read_run(row)
    run.status = status  # type: ignore[assignment]  # `rollback` occurs only here
    failed = ending.error != b"null"
    return {
        **msgspec.structs.asdict(run),
        "run_started_at": started_at,
        "run_ended_at": timestamp(row["now"]),
        "values": Raw(ending.output or ending.values or b"null"),
        **({"error": Raw(ending.error)} if failed else {}),
    }


def claim_webhook(connection: Connection) -> Webhook | None:
    """Take the next due webhook, which this process owns until its lease ends; None where none is due."""
    due = "SELECT run_id, target FROM webhooks WHERE due_at <= now_us() ORDER BY due_at LIMIT 1"
    row = connection.one(
        f"""UPDATE webhooks SET attempts = attempts + 1, due_at = now_us() + :lease
        WHERE (run_id, target) = ({due} {connection.skip_locked}) RETURNING *""",
        lease=LEASE_SECONDS * 1_000_000,
    )
    return Webhook(row["run_id"], row["target"], row["url"], row["payload"], row["attempts"]) if row else None


def is_due(connection: Connection) -> bool:
    """Return whether a webhook is due."""
    return connection.one("SELECT 1 AS x FROM webhooks WHERE due_at <= now_us() LIMIT 1") is not None


def mend_webhook_times(connection: Connection) -> None:
    """Make webhooks due whose time lies in the future only because the clock was set back."""
    connection.execute(
        """UPDATE webhooks SET due_at = now_us()
        WHERE due_at > now_us() AND (attempts = 0 OR due_at > now_us() + :longest)""",
        longest=LONGEST_WAIT_SECONDS * 1_000_000,
    )


def drop_webhook(connection: Connection, webhook: Webhook) -> None:
    """Delete a webhook after delivery or after giving up."""
    connection.execute(
        "DELETE FROM webhooks WHERE run_id = :id AND target = :target AND attempts = :attempts",
        id=webhook.run_id,
        target=webhook.target,
        attempts=webhook.attempts,
    )


def put_off_webhook(connection: Connection, webhook: Webhook, seconds: float) -> None:
    """Make the webhook due again in this many seconds."""
    connection.execute(
        """UPDATE webhooks SET due_at = now_us() + :wait
        WHERE run_id = :id AND target = :target AND attempts = :attempts""",
        id=webhook.run_id,
        target=webhook.target,
        attempts=webhook.attempts,
        wait=int(seconds * 1_000_000),
    )
