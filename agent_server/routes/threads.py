"""`/threads`."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from agent_server.errors import Invalid
from agent_server.routes.authorization import get_ownership
from agent_server.routes.json_responses import allow_any_fields, describe_response, respond_json, respond_page
from agent_server.routes.openapi import PageOperation
from agent_server.streams.deletion import Deletion
from agent_server.threads.schema import (
    Pruned,
    Thread,
    ThreadCreate,
    ThreadFilter,
    ThreadPatch,
    ThreadPrune,
    ThreadSearch,
    ThreadStorage,
)
from agent_server.threads.states import ThreadStates
from agent_server.threads.threads import Threads

_PAGE = describe_response(list[allow_any_fields(Thread)], "The threads, or of each the fields in `select`.")  # type: ignore[misc]  # made at run time
_PATCHED = {
    **describe_response(Thread, "The thread."),
    204: ResponseSpec(None, generate_examples=False, description="The same, with the header `Prefer: return=minimal`."),
}


@post("/threads", tags=["threads"], status_code=200)
async def create_thread(
    data: JSONBody[ThreadCreate], request: Request[Any, Any, Any], thread_states: NamedDependency[ThreadStates]
) -> Thread:
    """Create a thread; 409 if its id exists, unless `if_exists` is `do_nothing`."""
    return await thread_states.create(data, get_ownership(request, "threads"))


@post("/threads/search", tags=["threads"], status_code=200, responses=_PAGE, operation_class=PageOperation)
async def search_threads(
    data: JSONBody[ThreadSearch], request: Request[Any, Any, Any], threads: NamedDependency[Threads]
) -> Response[bytes]:
    """Return the threads that match, newest first by default."""
    select = [*data.select, *(["extracted"] if data.extract else [])] if data.select else None
    return respond_page(await threads.search(data, get_ownership(request, "threads")), select)


@post("/threads/count", tags=["threads"], status_code=200)
async def count_threads(
    data: JSONBody[ThreadFilter], request: Request[Any, Any, Any], threads: NamedDependency[Threads]
) -> int:
    """Return how many threads match."""
    return await threads.count(data, get_ownership(request, "threads"))


@post("/threads/prune", tags=["threads"], status_code=200)
async def prune_threads(data: JSONBody[ThreadPrune], thread_states: NamedDependency[ThreadStates]) -> Pruned:
    """Delete threads, or with `keep_latest` their older checkpoints."""
    return Pruned(await thread_states.prune(data.thread_ids, data.strategy))


@get("/threads/{thread_id:str}", tags=["threads"])
async def get_thread(
    thread_id: FromPath[str],
    threads: NamedDependency[Threads],
    include: Annotated[str, QueryParameter(description="What else to show, comma-separated: `ttl`.")] = "",
) -> Thread:
    """Return the thread with this id."""
    wanted = {name.strip() for name in include.split(",") if name.strip()}
    if unknown := wanted - {"ttl"}:
        raise Invalid(f"include {sorted(unknown)[0]!r} is unknown; it may be ttl")
    return await threads.get(thread_id, with_ttl="ttl" in wanted)


@patch("/threads/{thread_id:str}", tags=["threads"], responses=_PATCHED)
async def patch_thread(
    thread_id: FromPath[str],
    data: JSONBody[ThreadPatch],
    threads: NamedDependency[Threads],
    prefer: Annotated[
        str | None, HeaderParameter(name="Prefer", description="`return=minimal`: respond without the thread.")
    ] = None,
) -> Response[bytes]:
    """Merge metadata into the thread's, and set its time to live."""
    thread = await threads.patch(thread_id, data)
    if prefer is not None and "return=minimal" in prefer.replace(" ", ""):
        return Response(b"", status_code=204, headers={"Preference-Applied": "return=minimal"})
    return respond_json(thread)


@delete("/threads/{thread_id:str}", tags=["threads"], status_code=204)
async def delete_thread(thread_id: FromPath[str], deletion: NamedDependency[Deletion]) -> None:
    """Delete the thread with its runs and checkpoints; runs that have not ended are cancelled first."""
    await deletion.delete_thread(thread_id)


@post("/threads/{thread_id:str}/copy", tags=["threads"], status_code=200)
async def copy_thread(thread_id: FromPath[str], thread_states: NamedDependency[ThreadStates]) -> Thread:
    """Create a thread with the state, history, status and metadata of this one, without its runs."""
    return await thread_states.copy(thread_id)


@get("/threads/{thread_id:str}/storage", tags=["threads"], responses=describe_response(ThreadStorage, "The bytes."))
async def get_storage(thread_id: FromPath[str], thread_states: NamedDependency[ThreadStates]) -> Response[bytes]:
    """Return how many bytes the thread's checkpoints take."""
    return respond_json(await thread_states.storage(thread_id))


HANDLERS = [
    create_thread,
    search_threads,
    count_threads,
    prune_threads,
    get_thread,
    patch_thread,
    delete_thread,
    copy_thread,
    get_storage,
]
