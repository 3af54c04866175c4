"""The statements that write checkpoints in PostgreSQL, each of which checks the run's lease itself.

One statement is one transaction and one round trip, so that no process can stall halfway with the run's row locked. It
locks the row against claims (`FOR SHARE`): either the write commits before another worker claims the run, and that
worker finds it, or the claim comes first, and the write changes nothing.
"""

from __future__ import annotations

from typing import Any

from agent_server.agents.lease import Lease

LEASED = """held AS (
    SELECT 1 FROM runs WHERE run_id = %(run)s AND lease_token = %(token)s AND status = 'running' FOR SHARE)"""
_FREE = "held AS (SELECT 1)"  # outside of attempts, such as a client's state update

_PUT = """
    WITH {held}, blobs AS (
        INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
        SELECT %(thread)s::text, %(ns)s::text, one.channel, one.version, one.type, one.blob FROM held, unnest(
            %(channels)s::text[], %(versions)s::text[], %(types)s::text[], %(blobs)s::bytea[]
        ) AS one (channel, version, type, blob)
        ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
    ), checkpoint AS (
        INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
        SELECT %(thread)s::text, %(ns)s::text, %(id)s::text, %(parent)s::text,
            %(checkpoint)s::jsonb, %(metadata)s::jsonb
        FROM held
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)
        DO UPDATE SET checkpoint = EXCLUDED.checkpoint, metadata = EXCLUDED.metadata
    )
    SELECT 1 AS held FROM held"""

_PUT_WRITES = """
    WITH {held}, writes AS (
        INSERT INTO checkpoint_writes
            (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
        SELECT %(thread)s::text, %(ns)s::text, %(id)s::text, %(task)s::text, %(path)s::text,
            one.idx, one.channel, one.type, one.blob
        FROM held, unnest(
            %(indexes)s::int[], %(channels)s::text[], %(types)s::text[], %(blobs)s::bytea[]
        ) AS one (idx, channel, type, blob)
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) {conflict}
    )
    SELECT 1 AS held FROM held"""
_REPLACE = "DO UPDATE SET channel = EXCLUDED.channel, type = EXCLUDED.type, blob = EXCLUDED.blob"
_KEEP = "DO NOTHING"

_FORGET_RUN = """
    WITH {held}, made AS (
        SELECT checkpoint_ns, checkpoint_id FROM checkpoints, held
        WHERE thread_id = %(thread)s AND metadata->>'run_id' = %(forget)s
    ), writes AS (
        DELETE FROM checkpoint_writes AS one USING made WHERE one.thread_id = %(thread)s
        AND one.checkpoint_ns = made.checkpoint_ns AND one.checkpoint_id = made.checkpoint_id
    ), gone AS (
        DELETE FROM checkpoints AS one USING made WHERE one.thread_id = %(thread)s
        AND one.checkpoint_ns = made.checkpoint_ns AND one.checkpoint_id = made.checkpoint_id
    )
    SELECT 1 AS held FROM held"""


def put_statement(lease: Lease | None) -> str:
    """Return the statement that stores a checkpoint and its new blobs."""
    return _PUT.format(held=_build_lease_check(lease))


def put_writes_statement(lease: Lease | None, *, replace: bool) -> str:
    """Return the statement that stores the writes of a task; `replace` existing ones, or keep them."""
    return _PUT_WRITES.format(held=_build_lease_check(lease), conflict=_REPLACE if replace else _KEEP)


def forget_run_statement(lease: Lease | None) -> str:
    """Return the statement that deletes the checkpoints of the run `forget`, and their writes."""
    return _FORGET_RUN.format(held=_build_lease_check(lease))


def lease_parameters(lease: Lease | None) -> dict[str, Any]:
    """Return the statements' parameters for the lease."""
    return {} if lease is None else {"run": lease.run_id, "token": lease.token}


def _build_lease_check(lease: Lease | None) -> str:
    return _FREE if lease is None else LEASED
