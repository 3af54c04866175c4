"""Webhook targets: addresses that clients add to a run, before or after it has begun, each with an id.

A target of a run that has ended already is notified at once: a client that adds one too late misses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent_server.broker import Broker
from agent_server.config.webhooks import WebhookPolicy
from agent_server.database import Connection, Database, Row
from agent_server.errors import Conflict, Invalid, NotFound
from agent_server.runs.records import Ending
from agent_server.runs.webhook_outbox import WEBHOOKS, put_target_webhook
from agent_server.schema import canonical_id

MOST_TARGETS = 20
"""The most targets that a run may have."""


class WebhookTargets:
    """Adds and removes the webhook targets of runs."""

    def __init__(self, database: Database, broker: Broker, policy: WebhookPolicy) -> None:
        self._database = database
        self._broker = broker
        self._policy = policy

    @property
    def is_enabled(self) -> bool:
        """Whether the server sends webhooks."""
        return not self._policy.disabled

    async def add(self, run_id: str, target: str, url: str) -> None:
        """Add a target, or replace the one with this id, durably.

        Errors: `NotFound` for an unknown run, `Invalid` for a URL that the policy forbids, `Conflict` for too many.
        """
        self._policy.check(url)
        key = canonical_id(run_id, "run")
        if await self._database.write(lambda c: _add(c, key, target, url)):
            await self._broker.notify(WEBHOOKS)

    async def remove(self, run_id: str, target: str) -> None:
        """Remove a target, and its webhook if that is not delivered yet. Errors: `NotFound` for an unknown run."""
        key = canonical_id(run_id, "run")

        def work(connection: Connection) -> None:
            targets = read_targets(_lock_row(connection, key))
            targets.pop(target, None)
            store_targets(connection, key, targets)
            connection.execute("DELETE FROM webhooks WHERE run_id = :id AND target = :target", id=key, target=target)

        await self._database.write(work)


def check_targets(policy: WebhookPolicy, targets: Mapping[str, str]) -> None:
    """Check the targets of a new run. Errors: `Invalid`."""
    if len(targets) > MOST_TARGETS:
        raise Invalid(f"A run may have {MOST_TARGETS} webhook targets; these are {len(targets)}")
    for url in targets.values():
        policy.check(url)


def store_targets(connection: Connection, run_id: str, targets: Mapping[str, str]) -> None:
    """Write the run's targets."""
    connection.execute(
        "UPDATE runs SET webhook_targets = :targets WHERE run_id = :id",
        id=run_id,
        targets=msgspec.json.encode(targets).decode() if targets else None,
    )


def read_targets(row: Row) -> dict[str, str]:
    """Return the targets in a run's row, by id."""
    return msgspec.json.decode(row["webhook_targets"] or "{}", type=dict[str, str])


def _add(connection: Connection, run_id: str, target: str, url: str) -> bool:
    """Add the target; return whether its webhook is due, because the run has ended."""
    row = _lock_row(connection, run_id)
    targets = read_targets(row)
    if target not in targets and len(targets) >= MOST_TARGETS:
        raise Conflict(f"The run has {len(targets)} webhook targets, and may have no more; remove one first")
    store_targets(connection, run_id, {**targets, target: url})
    if row["status"] in ("pending", "running"):
        return False
    ending = Ending(
        row["status"],
        "idle",
        output=row["output"].encode() if row["output"] is not None else None,
        error=(row["error"] or "null").encode(),
    )
    put_target_webhook(connection, row, ending, target, url)
    return True


def _lock_row(connection: Connection, run_id: str) -> Row:
    """Return the run's row, which no other transaction changes until this one ends."""
    connection.execute("UPDATE runs SET webhook_targets = webhook_targets WHERE run_id = :id", id=run_id)
    row = connection.one("SELECT *, now_us() AS now FROM runs WHERE run_id = :id", id=run_id)
    if row is None:
        raise NotFound(f"Run with ID {run_id} not found")
    return row
