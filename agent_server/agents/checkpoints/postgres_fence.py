"""The statements that write checkpoints in PostgreSQL, each of which checks the run's lease itself.

One statement is one transaction and one round trip, so that no process can stall halfway with the run's row locked. It
locks the row against claims (`FOR SHARE`): either the write commits before another worker claims the run, and that
worker finds it, or the claim comes first, and the write changes nothing.
"""

from __future__ import annotations

from typing import Any

from agent_server.agents.lease import Lease

_LEASED = """held AS (
    SELECT 1 FROM runs WHERE run_id = :run AND lease_token = :token AND status = 'running' FOR SHARE)"""
_FREE = "held AS (SELECT 1)"  # outside of attempts, such as a client's state update

_FORGET_RUN = """
    WITH {held}, made AS (
        SELECT checkpoint_ns, checkpoint_id FROM checkpoints, held
        WHERE thread_id = :thread AND metadata->>'run_id' = :forget
    ), writes AS (
        DELETE FROM checkpoint_writes AS one USING made WHERE one.thread_id = :thread
        AND one.checkpoint_ns = made.checkpoint_ns AND one.checkpoint_id = made.checkpoint_id
    ), gone AS (
        DELETE FROM checkpoints AS one USING made WHERE one.thread_id = :thread
        AND one.checkpoint_ns = made.checkpoint_ns AND one.checkpoint_id = made.checkpoint_id
    )
    SELECT 1 AS held FROM held"""


def forget_run_statement(lease: Lease | None) -> str:
    """Return the statement that deletes the checkpoints of the run `forget`, and their writes."""
    return _FORGET_RUN.format(held=build_lease_check(lease))


def lease_parameters(lease: Lease | None) -> dict[str, Any]:
    """Return the statements' parameters for the lease."""
    return {} if lease is None else {"run": lease.run_id, "token": lease.token}


def build_lease_check(lease: Lease | None) -> str:
    """Return the part of a statement that has a row only while the lease is held."""
    return _FREE if lease is None else _LEASED
