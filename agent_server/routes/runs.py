"""`/threads/{thread_id}/runs`: runs on a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.types import ASGIApp

from agent_server.errors import Invalid
from agent_server.routes.json_responses import allow_any_fields, describe_response, respond_json, select_fields
from agent_server.routes.run_responder import RunResponder
from agent_server.routes.run_responses import (
    FINAL_VALUES,
    STREAM,
    locations,
    respond_at_end,
    respond_or_not_found,
    respond_with_events,
)
from agent_server.runs.queue import Runs
from agent_server.schema import CancelAction, Run, RunCreate, RunField, RunStatus
from agent_server.streams.deletion import Deletion
from agent_server.streams.run_streams import RunStreams, parse_modes

_RUNS = describe_response(list[allow_any_fields(Run)], "The runs, or of each the fields in `select`.")  # type: ignore[misc]  # made at run time

_CANCELLED = {
    **describe_response(dict[str, Any], "An empty object: the run has stopped."),
    202: ResponseSpec(None, generate_examples=False, description="The run is going to stop."),
}

LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID", description="The id of the last event received: the stream goes on after it."
    ),
]
CancelOnDisconnect = Annotated[
    bool, QueryParameter(description="Whether the run is to be cancelled when this client leaves before its end.")
]


@post("/threads/{thread_id:str}/runs", tags=["runs"], status_code=200)
async def create_run(
    thread_id: FromPath[str], data: JSONBody[RunCreate], responder: NamedDependency[RunResponder]
) -> Response[Run]:
    """Start a run in the background; it is durable when the response arrives."""
    return await responder.respond(data, thread_id)


@post("/threads/{thread_id:str}/runs/stream", tags=["runs"], status_code=200, responses=STREAM)
async def stream_run(
    thread_id: FromPath[str], data: JSONBody[RunCreate], responder: NamedDependency[RunResponder]
) -> ASGIApp:
    """Start a run and stream its events."""
    return await responder.stream(data, thread_id)


@post("/threads/{thread_id:str}/runs/wait", tags=["runs"], status_code=200, responses=FINAL_VALUES)
async def wait_run(
    thread_id: FromPath[str], data: JSONBody[RunCreate], responder: NamedDependency[RunResponder]
) -> ASGIApp:
    """Start a run and return its final values."""
    return await responder.wait(data, thread_id)


@get("/threads/{thread_id:str}/runs", tags=["runs"], responses=_RUNS)
async def list_runs(
    thread_id: FromPath[str],
    runs: NamedDependency[Runs],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 10,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31 - 1)] = 0,
    status: FromQuery[RunStatus | None] = None,
    select: Annotated[
        list[str] | None, QueryParameter(description="The fields wanted, such as `status`; or a JSON list of them.")
    ] = None,
) -> Response[bytes]:
    """Return the thread's runs, newest first, with the fields in `select` if given."""
    fields = _fields(select)
    found = await runs.list_by_thread(thread_id, limit, offset, status)
    return respond_json([select_fields(run, fields) for run in found])


def _fields(select: Sequence[str] | None) -> list[str] | None:
    """Return the selected fields of a run, given one by one (Python client) or as a JSON list (JavaScript client)."""
    if select is None:
        return None
    names, known = parse_modes(select, "select"), get_args(RunField)
    for name in names:
        if name not in known:
            raise Invalid(f"select {name!r} is no field of a run; choose of {', '.join(known)}")
    return names


@get("/threads/{thread_id:str}/runs/{run_id:str}", tags=["runs"])
async def get_run(thread_id: FromPath[str], run_id: FromPath[str], runs: NamedDependency[Runs]) -> Run:
    """Return the run with this id."""
    return (await runs.get(run_id, thread_id)).run


@delete("/threads/{thread_id:str}/runs/{run_id:str}", tags=["runs"], status_code=204)
async def delete_run(thread_id: FromPath[str], run_id: FromPath[str], deletion: NamedDependency[Deletion]) -> None:
    """Delete a run; a run that has not ended is cancelled first."""
    await deletion.delete_run(run_id, thread_id)


@get("/threads/{thread_id:str}/runs/{run_id:str}/join", tags=["runs"], responses=FINAL_VALUES)
async def join_run(
    thread_id: FromPath[str],
    run_id: FromPath[str],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    cancel_on_disconnect: CancelOnDisconnect = False,
) -> ASGIApp:
    """Wait for the end of the run and return its final values."""
    record = await runs.get(run_id, thread_id)
    run = record.run
    headers = locations(run, "join")
    chunks = streams.final_values(run.run_id, must_exist=True)
    return respond_or_not_found(chunks, lambda chunks: respond_at_end(chunks, headers, runs, run, cancel_on_disconnect))


@get("/threads/{thread_id:str}/runs/{run_id:str}/stream", tags=["runs"], responses=STREAM)
async def join_run_stream(
    thread_id: FromPath[str],
    run_id: FromPath[str],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    last_event_id: LastEventId = None,
    stream_mode: FromQuery[list[str] | None] = None,
    cancel_on_disconnect: CancelOnDisconnect = False,
) -> ASGIApp:
    """Stream the run's events, from the first or after `Last-Event-ID`, to its end."""
    record = await runs.get(run_id, thread_id)
    frames = streams.replay(record, last_event_id, parse_modes(stream_mode or ()))
    headers = locations(record.run, "stream")
    return respond_with_events(frames, headers, streams.closing, runs, record.run, cancel_on_disconnect)


@post("/threads/{thread_id:str}/runs/{run_id:str}/cancel", tags=["runs"], status_code=202, responses=_CANCELLED)
async def cancel_run(
    thread_id: FromPath[str],
    run_id: FromPath[str],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    wait: Annotated[bool, QueryParameter(description="Whether to respond only once the run has stopped.")] = False,
    action: FromQuery[CancelAction] = "interrupt",
) -> Response[bytes]:
    """Cancel a run: `interrupt` keeps its checkpoints, `rollback` deletes the run and its checkpoints."""
    record = await runs.get(run_id, thread_id)
    await runs.cancel(record.run.run_id, thread_id, action)
    if not wait:
        await streams.wait_briefly_for_ends([record])
        return Response(b"", status_code=202)
    await streams.wait_for_end(record)
    return Response(b"{}", status_code=200, headers=locations(record.run, "join"), media_type="application/json")


HANDLERS = [
    create_run,
    stream_run,
    wait_run,
    list_runs,
    get_run,
    delete_run,
    join_run,
    join_run_stream,
    cancel_run,
]
