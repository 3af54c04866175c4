"""`/threads/{thread_id}/state` and `/threads/{thread_id}/history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from agent_server.errors import Invalid
from agent_server.routes.json_responses import allow_any_fields, describe_response, respond_json
from agent_server.threads.schema import (
    Checkpoint,
    HistorySearch,
    StateAt,
    StateUpdated,
    ThreadState,
    ThreadStateUpdate,
)
from agent_server.threads.states import ThreadStates

FIELDS = ThreadState.__struct_fields__
Subgraphs = Annotated[bool, QueryParameter(description="Whether to fill in the states of subgraphs.")]
Select = Annotated[
    list[str] | None,
    QueryParameter(description="The fields wanted, such as `next`, or `values.messages` for one of the values."),
]

_STATE = describe_response(allow_any_fields(ThreadState), "The state, or the fields of it that are selected.")
_STATES = describe_response(list[allow_any_fields(ThreadState)], "The states, or the selected fields of each.")  # type: ignore[misc]  # made at run time
_UPDATED = describe_response(StateUpdated, "The checkpoint that the update led to.")


@get("/threads/{thread_id:str}/state", tags=["threads"], responses=_STATE)
async def get_state(
    thread_id: FromPath[str],
    thread_states: NamedDependency[ThreadStates],
    subgraphs: Subgraphs = False,
    select: Select = None,
) -> Response[bytes]:
    """Return the thread's current state."""
    return respond_json(select_state_fields(await thread_states.get(thread_id, None, subgraphs), select))


@get("/threads/{thread_id:str}/state/{checkpoint_id:str}", tags=["threads"], responses=_STATE)
async def get_state_at(
    thread_id: FromPath[str],
    checkpoint_id: FromPath[str],
    thread_states: NamedDependency[ThreadStates],
    subgraphs: Subgraphs = False,
    select: Select = None,
) -> Response[bytes]:
    """Return the thread's state at a checkpoint."""
    state = await thread_states.get(thread_id, Checkpoint(checkpoint_id=checkpoint_id), subgraphs)
    return respond_json(select_state_fields(state, select))


@post("/threads/{thread_id:str}/state/checkpoint", tags=["threads"], status_code=200, responses=_STATE)
async def post_state_at(
    thread_id: FromPath[str], data: JSONBody[StateAt], thread_states: NamedDependency[ThreadStates]
) -> Response[bytes]:
    """Return the state of the thread, or of a subgraph in it, at a checkpoint."""
    state = await thread_states.get(thread_id, data.checkpoint, data.subgraphs)
    return respond_json(select_state_fields(state, data.select))


@post("/threads/{thread_id:str}/state", tags=["threads"], status_code=200, responses=_UPDATED)
async def update_state(
    thread_id: FromPath[str], data: JSONBody[ThreadStateUpdate], thread_states: NamedDependency[ThreadStates]
) -> Response[bytes]:
    """Update the thread's state as one of the graph's nodes would; 409 while a run is running."""
    return respond_json(await thread_states.update(thread_id, data))


@get("/threads/{thread_id:str}/history", tags=["threads"], responses=_STATES)
async def get_history(
    thread_id: FromPath[str],
    thread_states: NamedDependency[ThreadStates],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 10,
    before: Annotated[str | None, QueryParameter(description="The id of the checkpoint to begin before.")] = None,
    select: Select = None,
) -> Response[bytes]:
    """Return the thread's states, newest first."""
    states = await thread_states.history(thread_id, HistorySearch(limit=limit, before=before))
    return respond_json([select_state_fields(state, select) for state in states])


@post("/threads/{thread_id:str}/history", tags=["threads"], status_code=200, responses=_STATES)
async def search_history(
    thread_id: FromPath[str], data: JSONBody[HistorySearch], thread_states: NamedDependency[ThreadStates]
) -> Response[bytes]:
    """Return the thread's states that match, newest first."""
    states = await thread_states.history(thread_id, data)
    return respond_json([select_state_fields(state, data.select) for state in states])


def select_state_fields(state: Mapping[str, Any], select: Sequence[str] | None) -> Mapping[str, Any]:
    """Return the state with only the selected fields, also of its values. Errors: `Invalid` for an unknown field."""
    if not select:
        return state
    chosen: dict[str, Any] = {}
    for name in select:
        field, _, key = name.partition(".")
        if field not in FIELDS or (key and field != "values"):
            raise Invalid(f"select {name!r} is no field of a state; choose of {', '.join(FIELDS)}, values.<key>")
        if not key:
            chosen[field] = state[field]
        elif isinstance(values := state["values"], Mapping) and key in values and chosen.get("values") is not values:
            chosen["values"] = {**chosen.get("values", {}), key: values[key]}
    return chosen


HANDLERS = [get_state, get_state_at, post_state_at, update_state, get_history, search_history]
