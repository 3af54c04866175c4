"""News of a thread, for those who stream it: a doorbell, and the changes of its state from outside, kept for an hour.

Runs are news, too; those have rows of their own (`streams/thread_news.py`).
"""

from __future__ import annotations

import msgspec
from uuid_utils import uuid7

from agent_server.database import Connection
from agent_server.schema import JsonObject

KEEP_SECONDS = 3600
"""How long a change of a thread's state can be read from its stream."""


def thread_channel(thread_id: str) -> str:
    """The channel that is rung when a run is created on this thread, or its state is changed."""
    return f"thread:{thread_id}"


def put_state_update(connection: Connection, thread_id: str, checkpoint: JsonObject) -> None:
    """Keep that somebody changed the thread's state, which led to `checkpoint`; forget what is old, of all threads."""
    connection.execute("DELETE FROM state_updates WHERE made_at < now_us() - :keep", keep=KEEP_SECONDS * 1_000_000)
    connection.execute(
        """INSERT INTO state_updates (update_id, thread_id, checkpoint, made_at)
        VALUES (:id, :thread_id, :checkpoint, now_us())""",
        id=str(uuid7()),
        thread_id=thread_id,
        checkpoint=msgspec.json.encode(checkpoint).decode(),
    )
