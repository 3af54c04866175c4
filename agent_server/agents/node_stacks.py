"""What the nodes of this process wait for, as found in the stacks of tasks and threads."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType
from typing import Any, NamedTuple

from agent_server.agents.running_node import find_node

CLIENTS = frozenset(("aiohttp", "httpx", "langgraph_sdk", "requests", "urllib"))
"""Packages in whose frames a call's URL is looked up. Attributes of other objects may have side effects."""
_EXECUTOR = "langchain_core.runnables.config"
DEEPEST = 300


class WaitingCall(NamedTuple):
    """An HTTP call for whose response a node waits."""

    graph_id: str
    run_id: str
    node: str | None
    method: str
    url: str


class ThreadedNode(NamedTuple):
    """A node that is a plain function, at work in a thread."""

    run_id: str
    node: str | None


def find_waiting_calls() -> list[WaitingCall]:
    """Return the HTTP calls that the nodes of this process wait for; call it on the event loop."""
    tasks = _list_stacks()
    functions = dict(_find_functions_in_threads(tasks))
    calls = [_find_call(frames, find_node(frames)) for frames in tasks]
    calls += [_find_call(frames, functions.get(_identify_work(frames)) or find_node(frames)) for frames in _threads()]
    return [call for call in calls if call is not None]


def find_threaded_nodes() -> list[ThreadedNode]:
    """Return the nodes that are plain functions at work in threads; call it on the event loop."""
    found = dict(_find_functions_in_threads(_list_stacks())).values()  # each once: tasks await other tasks
    return [ThreadedNode(named["run_id"], named.get("node")) for named in found if "run_id" in named]


def _find_call(frames: list[FrameType], named: dict[str, str] | None) -> WaitingCall | None:
    """Return the call that these frames, innermost first, wait for on behalf of the node."""
    if named is None or not {"graph_id", "run_id"} <= named.keys():
        return None
    request = next((found for frame in frames if (found := _find_request(frame))), None)
    return WaitingCall(named["graph_id"], named["run_id"], named.get("node"), *request) if request else None


def _find_functions_in_threads(tasks: list[list[FrameType]]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the plain functions for which these tasks wait: the identity of their arguments, and the node.

    LangGraph has LangChain's `run_in_executor` execute them (langchain-core 1.x). A thread's stack does not name the
    node, but holds the same tuple of arguments.
    """
    for frames in tasks:
        work = next((_identify_work([frame]) for frame in frames if frame.f_code.co_name == "run_in_executor"), 0)
        if work and (named := find_node(frames)):
            yield work, named


def _identify_work(frames: list[FrameType]) -> int:
    """Return the identity of the arguments that LangChain passes to a function in a thread; 0 where there are none."""
    for frame in frames:
        if frame.f_globals.get("__name__") == _EXECUTOR and frame.f_code.co_name in ("run_in_executor", "wrapper"):
            return id(frame.f_locals.get("args"))
    return 0


def _find_request(frame: FrameType) -> tuple[str, str] | None:
    """Return method and URL of the request that a frame of an HTTP client is about."""
    if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in CLIENTS:
        return None
    for value in list(frame.f_locals.values()):
        with suppress(Exception):  # such as a response that has no request
            url = str(getattr(value, "url", None) or getattr(value, "full_url", None))
            request = getattr(value, "request", value)
            method = request.get_method() if hasattr(request, "get_method") else request.method
            if url.startswith(("http://", "https://")):
                return str(method).upper(), url
    return None


def _list_stacks() -> list[list[FrameType]]:
    """Return the frames of tasks that may be a node's.

    Requests are omitted: none executes a node, thousands may be open streams, and a coroutine keeps the objects that
    reading its frame creates.
    """
    return [_list_frames(task) for task in asyncio.all_tasks() if not _is_request(task)]


def _is_request(task: asyncio.Task[Any]) -> bool:
    """Return whether uvicorn created the task for a request."""
    code: CodeType | None = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_name == "run_asgi"


def _list_frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Return the frames of a task that waits, innermost first: of its coroutine and of all that it awaits."""
    frames: list[FrameType] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(frames) < DEEPEST:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        awaited = _find_awaited(awaited)
    return frames[::-1]


def _find_awaited(awaited: Any) -> Any:
    if isinstance(awaited, CoroutineType):
        return awaited.cr_await
    if isinstance(awaited, AsyncGeneratorType):
        return awaited.ag_await
    if isinstance(awaited, asyncio.Task):
        return awaited.get_coro()
    if children := getattr(awaited, "_children", None):  # of `asyncio.gather`
        return next((one for one in children if not one.done()), None)
    kinds = (CoroutineType, AsyncGeneratorType, asyncio.Future)  # within iterators and wrappers that do not show them
    return next((one for one in gc.get_referents(awaited) if isinstance(one, kinds) and one is not awaited), None)


def _threads() -> Iterator[list[FrameType]]:
    for innermost in sys._current_frames().values():
        frames: list[FrameType] = []
        frame: FrameType | None = innermost
        while frame is not None and len(frames) < DEEPEST:
            frames.append(frame)
            frame = frame.f_back
        yield frames
