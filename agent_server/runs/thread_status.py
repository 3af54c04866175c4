"""What runs do to the rows of their threads: take them, leave them in the state that they came to, or with them."""

from __future__ import annotations

from agent_server.database import Connection
from agent_server.runs.records import Ending
from agent_server.schema import ThreadStatus


def take_thread_if_there(connection: Connection, thread_id: str) -> None:
    """Take the thread's row for the rest of the unit. No error where it is gone."""
    connection.execute("UPDATE threads SET updated_at = now_us() WHERE thread_id = :id", id=thread_id)


def drop_temporary(connection: Connection, thread_id: str) -> bool:
    """Whether the thread was a temporary one, which goes with its only run."""
    return bool(connection.execute("DELETE FROM threads WHERE thread_id = :id AND temporary = 1", id=thread_id))


def write_thread_state(connection: Connection, thread_id: str, ending: Ending) -> bool:
    """Whether another run waits for the thread, now that this one has left it in the state that it came to."""
    connection.execute(
        """UPDATE threads SET state = COALESCE(:state, state), interrupts = :interrupts, error = :error,
            state_updated_at = now_us() WHERE thread_id = :id""",
        state=as_text(ending.values),
        interrupts=ending.interrupts.decode(),
        error=ending.error.decode(),
        id=thread_id,
    )
    return settle_thread(connection, thread_id, ending.thread_status)


def settle_thread(connection: Connection, thread_id: str, status: ThreadStatus) -> bool:
    """Write the thread's status after a run has left it; whether it is `busy`, since another one waits or works."""
    settled = connection.one(
        """UPDATE threads SET status = CASE WHEN EXISTS (
            SELECT 1 FROM runs WHERE thread_id = :id
            AND (status = 'running' OR (status = 'pending' AND start_at <= now_us()))
        ) THEN 'busy' ELSE :status END WHERE thread_id = :id RETURNING status""",
        id=thread_id,
        status=status,
    )
    return settled is not None and settled["status"] == "busy"


def as_text(json: bytes | None) -> str | None:
    """JSON as rows keep it."""
    return None if json is None else json.decode()
