"""`/threads`."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import delete, get, patch, post
from litestar.params import Parameter

from agent_server.schema import Thread, ThreadCreate, ThreadPatch, ThreadSearch
from agent_server.thread_states import ThreadStates
from agent_server.threads import Threads


@post("/threads", tags=["threads"], status_code=200)
async def create_thread(data: ThreadCreate, threads: Threads) -> Thread:
    """Create a thread; 409 where its id is taken, unless `if_exists` is `do_nothing`."""
    return await threads.create(data)


@post("/threads/search", tags=["threads"], status_code=200)
async def search_threads(data: ThreadSearch, threads: Threads) -> list[Thread]:
    """The threads that fit, in the order asked for."""
    return await threads.search(data)


@get("/threads/{thread_id:str}", tags=["threads"])
async def get_thread(thread_id: str, threads: Threads) -> Thread:
    """The thread with this id."""
    return await threads.get(thread_id)


@patch("/threads/{thread_id:str}", tags=["threads"])
async def patch_thread(thread_id: str, data: ThreadPatch, threads: Threads) -> Thread:
    """Merge metadata into the thread's."""
    return await threads.patch(thread_id, data)


@delete("/threads/{thread_id:str}", tags=["threads"], status_code=204)
async def delete_thread(thread_id: str, thread_states: ThreadStates) -> None:
    """Delete the thread with its runs and checkpoints; 409 while one of its runs works."""
    await thread_states.delete(thread_id)


@get("/threads/{thread_id:str}/state", tags=["threads"])
async def get_state(
    thread_id: str,
    thread_states: ThreadStates,
    subgraphs: Annotated[bool, Parameter(description="Whether to fill in the states of subgraphs.")] = False,
) -> dict[str, Any]:
    """The thread's state now."""
    return await thread_states.get(thread_id, None, subgraphs)


HANDLERS = [create_thread, search_threads, get_thread, patch_thread, delete_thread, get_state]
