"""Keep the ids of checkpoints in order where the clocks of processes differ, or a clock is set back.

LangGraph takes the checkpoint with the greatest id for the latest, and an id begins with the time of the process that
makes it (langgraph-checkpoint 4.x: `uuid6`, which never goes back within a process). A process that continues a thread
with a clock behind the previous one's would write checkpoints that count as older. So a process that reads a thread
makes greater ids than those it has read from then on.
"""

from __future__ import annotations

from uuid import UUID

from langgraph.checkpoint.base import id as langgraph_ids

_VERSION = 6


def advance_ids(checkpoint_id: str | None) -> None:
    """Make the ids of this process's checkpoints greater than this one from now on."""
    try:
        read = UUID(checkpoint_id or "")
    except ValueError:
        return
    if read.version != _VERSION:
        return
    time = (read.time_low << 28) | (read.time_mid << 12) | (read.time_hi_version & 0x0FFF)
    if time > (langgraph_ids._last_v6_timestamp or 0):  # the event loop may make ids meanwhile: never set it back
        langgraph_ids._last_v6_timestamp = time  # type: ignore[assignment]
