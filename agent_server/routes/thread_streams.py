"""`/threads/{thread_id}/stream`: the events of all of the thread's runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from agent_server.asgi.sse import stream_response
from agent_server.errors import Invalid
from agent_server.routes.run_responses import STREAM, cut_where_slow
from agent_server.routes.runs import LastEventId
from agent_server.streams.run_streams import RunStreams, parse_modes
from agent_server.streams.thread_streams import ThreadStreamMode, ThreadStreams


@get("/threads/{thread_id:str}/stream", tags=["threads"], responses=STREAM)
async def join_thread_stream(
    thread_id: FromPath[str],
    thread_streams: NamedDependency[ThreadStreams],
    streams: NamedDependency[RunStreams],
    last_event_id: LastEventId = None,
    stream_modes: FromQuery[list[str] | None] = None,
    stream_mode: FromQuery[list[str] | None] = None,
) -> ASGIApp:
    """Stream the events of the thread's runs, from now on or after `Last-Event-ID` (`-`: all stored ones), without end.

    `run_modes` (the default) is all events of runs, `lifecycle` the first and last event of each run, `state_update` a
    `ThreadState` after every change of the state by a client. The official clients send `stream_mode` for
    `stream_modes`.
    """
    modes = _modes([*(stream_modes or ()), *(stream_mode or ())])
    frames = await thread_streams.follow(thread_id, last_event_id, modes)
    query = "&".join(f"stream_modes={mode}" for mode in modes)
    location = {"Location": f"/threads/{thread_id}/stream?{query}"}  # where to reconnect after a broken connection
    return cut_where_slow(stream_response(frames, location, streams.closing), thread_id)


def _modes(query: Sequence[str]) -> list[ThreadStreamMode]:
    """Return the modes in the query values; a value may hold several, with commas or as a JSON list."""
    names = [name.strip() for value in parse_modes(query, "stream_modes") for name in value.split(",") if name.strip()]
    known: dict[str, ThreadStreamMode] = {mode: mode for mode in get_args(ThreadStreamMode)}
    for name in names:
        if name not in known:
            raise Invalid(f"Invalid stream mode: {name}. It must be one of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] or ["run_modes"]


HANDLERS = [join_thread_stream]
