"""Turn a `sys.exit()` of an agent into an error of its run.

asyncio raises a `SystemExit` that leaves a task out of the event loop, which ends the server. An attempt catches one
that leaves the agent's own task, but LangGraph runs parallel nodes, and nodes that stream, in tasks of their own. So
tasks that are created inside an agent raise `AgentExit` instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any

_inside_agent: ContextVar[bool] = ContextVar("inside_agent", default=False)


class AgentExit(Exception):
    """An agent called `sys.exit()`. Clients see the name `SystemExit`, as for an exit in the agent's own task."""


AgentExit.__name__ = "SystemExit"


def agent_context() -> Context:
    """Return a context for the agent's task, in which new tasks raise `AgentExit`; prepare the event loop for it."""
    loop = asyncio.get_running_loop()
    previous = loop.get_task_factory()
    if previous is None:
        loop.set_task_factory(_create_task)
    elif previous is not _create_task and not isinstance(previous, _TaskFactory):
        loop.set_task_factory(_TaskFactory(previous))
    context = copy_context()
    context.run(_inside_agent.set, True)
    return context


def _create_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    """Create a task as event loops do by default; one of an agent contains `SystemExit`."""
    return asyncio.Task(_Contained(work) if _inside_agent.get() else work, loop=loop, **options)


class _TaskFactory:
    """As `_create_task`, by the task factory that the event loop had before."""

    def __init__(self, previous: Callable[..., Any]) -> None:
        self._create = previous

    def __call__(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> Any:
        return self._create(loop, _Contained(work) if _inside_agent.get() else work, **options)


class _Contained(Coroutine[Any, Any, Any]):
    """A coroutine that raises `AgentExit` in place of `SystemExit`.

    It delegates every step instead of awaiting the coroutine, so that one which is cancelled before its first step is
    closed and not reported as never awaited.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work

    def send(self, value: Any) -> Any:
        try:
            return self._work.send(value)
        except SystemExit as error:
            raise AgentExit(*error.args) from error

    def throw(self, *error: Any) -> Any:
        try:
            return self._work.throw(*error)
        except SystemExit as exit_error:
            raise AgentExit(*exit_error.args) from exit_error

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def __getattr__(self, name: str) -> Any:
        """Return what inspection asks of a coroutine, such as `cr_frame`."""
        return getattr(self._work, name)
