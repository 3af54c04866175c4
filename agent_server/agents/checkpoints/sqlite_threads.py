"""Operations on all checkpoints of a thread in SQLite: copy, reduce to the latest, measure."""

from __future__ import annotations

from collections import defaultdict

from langgraph.checkpoint.serde.base import SerializerProtocol

from agent_server.agents.checkpoints.thread_bytes import Amount, ChannelBytes, ThreadBytes
from agent_server.database import Connection, Row

_COPY_CHECKPOINTS = """
    INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT :target, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,
        CAST(json_replace(CAST(metadata AS TEXT), '$.thread_id', :target) AS BLOB)
    FROM checkpoints WHERE thread_id = :source"""
_COPY_WRITES = """
    INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value)
    SELECT :target, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value
    FROM writes WHERE thread_id = :source"""

_USES_DELTAS = """
    SELECT 1 AS x FROM checkpoints WHERE thread_id = :thread AND (
        json_extract(CAST(metadata AS TEXT), '$.counters_since_delta_snapshot') IS NOT NULL
        OR json_extract(CAST(metadata AS TEXT), '$.delta_writes_versioned') IS NOT NULL
    ) LIMIT 1"""

# The latest of each namespace. That of a subgraph's call ("name:task id") counts only while the call is running, that
# is, if it is later than the latest of the thread itself; that of a subgraph with a state of its own always counts.
_LATEST = """
    SELECT checkpoint_ns, max(checkpoint_id) AS checkpoint_id FROM checkpoints AS one WHERE thread_id = :thread
    GROUP BY checkpoint_ns HAVING instr(checkpoint_ns, ':') = 0 OR max(checkpoint_id) > COALESCE((
        SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = :thread AND checkpoint_ns = ''), '')"""


def copy_thread(connection: Connection, source: str, target: str) -> None:
    """Copy the checkpoints of `source` to `target`."""
    for statement in (_COPY_CHECKPOINTS, _COPY_WRITES):
        connection.execute(statement, source=source, target=target)


def keep_latest(connection: Connection, thread_id: str) -> None:
    """Delete all checkpoints of the thread except those that make up its current state.

    Errors: NotImplementedError for a thread with a `DeltaChannel`, whose value depends on all earlier checkpoints.
    """
    if connection.one(_USES_DELTAS, thread=thread_id):
        raise NotImplementedError("it uses a DeltaChannel")
    for table in ("writes", "checkpoints"):
        connection.execute(
            f"DELETE FROM {table} WHERE thread_id = :thread AND (checkpoint_ns, checkpoint_id) NOT IN ({_LATEST})",
            thread=thread_id,
        )


def thread_bytes(connection: Connection, thread_id: str, serde: SerializerProtocol) -> ThreadBytes:
    """Return the thread's size. A checkpoint holds all its values, so each counts with every checkpoint that has it."""
    rows = connection.all(
        "SELECT type, checkpoint, length(CAST(metadata AS BLOB)) AS size FROM checkpoints WHERE thread_id = :thread",
        thread=thread_id,
    )
    writes = connection.one(
        "SELECT count(*) AS n, COALESCE(sum(length(CAST(value AS BLOB))), 0) AS bytes FROM writes "
        "WHERE thread_id = :thread",
        thread=thread_id,
    )
    channels = _channels(rows, serde)
    total = sum(len(row["checkpoint"]) + (row["size"] or 0) for row in rows)
    checkpoints = Amount(len(rows), max(0, total - sum(one.bytes for one in channels.values())))
    return ThreadBytes(checkpoints, channels, Amount(writes["n"], writes["bytes"]) if writes else Amount(0, 0))


def _channels(rows: list[Row], serde: SerializerProtocol) -> dict[str, ChannelBytes]:
    versions: dict[str, set[object]] = defaultdict(set)
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        checkpoint = serde.loads_typed((row["type"], row["checkpoint"]))
        for channel, value in checkpoint["channel_values"].items():
            versions[channel].add(checkpoint["channel_versions"].get(channel))
            sizes[channel] += len(serde.dumps_typed(value)[1])
    return {channel: ChannelBytes(len(versions[channel]), sizes[channel]) for channel in sorted(sizes)}
