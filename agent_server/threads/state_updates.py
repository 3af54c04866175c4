"""Notifications for clients that stream a thread: a channel, and rows of state updates from outside, kept for an hour.

Runs have rows of their own (`streams/thread_updates.py`).
"""

from __future__ import annotations

import msgspec
from uuid_utils import uuid7

from agent_server.database import Connection
from agent_server.schema import JsonObject

KEEP_SECONDS = 3600
"""How long a thread's stream can replay a state update, in seconds."""


def thread_channel(thread_id: str) -> str:
    """Return the channel that signals a new run on this thread or a change of its state."""
    return f"thread:{thread_id}"


def put_state_update(connection: Connection, thread_id: str, checkpoint: JsonObject) -> None:
    """Record a state update that led to `checkpoint`; delete expired records of all threads."""
    connection.execute("DELETE FROM state_updates WHERE made_at < now_us() - :keep", keep=KEEP_SECONDS * 1_000_000)
    connection.execute(
        """INSERT INTO state_updates (update_id, thread_id, checkpoint, made_at)
        VALUES (:id, :thread_id, :checkpoint, now_us())""",
        id=str(uuid7()),
        thread_id=thread_id,
        checkpoint=msgspec.json.encode(checkpoint).decode(),
    )
