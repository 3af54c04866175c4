"""Load the agents that a configuration names, each from its file or module."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from agent_server.agents.plain import PlainAgent
from agent_server.agents.protocol import Agent
from agent_server.config import Config, ConfigError
from agent_server.config.load_errors import INSTALL, load_error
from agent_server.config.user_code import import_from, load_variable
from agent_server.database import Database

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from agent_server.agents.langgraph.agent import LangGraphAgent
    from agent_server.agents.langgraph.snapshots import Graph


@asynccontextmanager
async def open_agents(
    config: Config,
    given: Mapping[str, object] | None = None,
    store: BaseStore | None = None,
    database: Database | None = None,
) -> AsyncIterator[dict[str, Agent]]:
    """Open the agents of `config.graphs` and of `given`; yield them by graph id; close them at the end of the block.

    Each may be an `Agent`, an async generator function (a plain agent), a LangGraph graph, compiled or not, or a
    factory of one of these: a function, sync or async, or an async context manager. A factory without parameters is
    called once; one that takes `config`, `runtime` (the SDK's `ServerRuntime`) or both creates a LangGraph graph for
    each run, and for each request for its states or its structure.
    LangGraph graphs find `store`, if given, with `get_store()`; they save their states in `database`, which has the
    runs, or else in the file of runs.
    Errors: `ConfigError`, which names the graph and the reason.
    """
    import_from(config)
    objects = {
        graph_id: load_variable(f"graph {graph_id!r}", graph.path, config) for graph_id, graph in config.graphs.items()
    }
    async with AsyncExitStack() as stack:
        loader = _Loader(config, stack, store, database)
        yield {graph_id: await loader.agent(graph_id, each) for graph_id, each in {**objects, **(given or {})}.items()}


class _Loader:
    """Creates agents; opens the checkpointer that LangGraph graphs share for the first of them."""

    def __init__(
        self, config: Config, stack: AsyncExitStack, store: BaseStore | None, database: Database | None
    ) -> None:
        self._config = config
        self._stack = stack
        self._store = store
        self._database = database
        self._make: Callable[[Any], LangGraphAgent] | None = None

    async def agent(self, graph_id: str, value: Any) -> Agent:
        if _is_of_langgraph(value):
            return (await self._langgraph(graph_id))(value.compile() if hasattr(value, "compile") else value)
        if inspect.isasyncgenfunction(value):
            return _build_plain_agent(graph_id, value)
        if isinstance(value, Agent) and not isinstance(value, type):
            return value
        if not callable(value):
            raise ConfigError(f"graph {graph_id!r} is {value!r:.100}, which is neither a graph nor an agent")
        arguments = [_factory_argument(parameter) for parameter in inspect.signature(value).parameters.values()]
        if not arguments:
            return await self.agent(graph_id, await self._open_factory(graph_id, value))
        if len(arguments) != len(set(arguments)):
            raise ConfigError(
                f"graph {graph_id!r}: its factory takes {len(arguments)} parameters; it may take nothing, `config`, "
                "`runtime`, or both"
            )
        return (await self._langgraph(graph_id))(_per_run(value, arguments))

    async def _open_factory(self, graph_id: str, factory: Callable[[], Any]) -> Any:
        try:
            return await self._stack.enter_async_context(open_made(factory()))
        except Exception as error:
            raise load_error(f"graph {graph_id!r}", "its factory", error, self._config) from error

    async def _langgraph(self, graph_id: str) -> Callable[[Any], LangGraphAgent]:
        if self._make is None:
            try:
                from agent_server.agents.checkpoints.opening import open_checkpointer  # the extra "langgraph"
                from agent_server.agents.langgraph.agent import LangGraphAgent
                from agent_server.agents.langgraph.warm_up import warm_up
            except ModuleNotFoundError as error:
                raise ConfigError(
                    f"graph {graph_id!r} needs the module {error.name}", hint=f"Install it: {INSTALL}"
                ) from error
            await warm_up()
            opening = open_checkpointer(self._config, self._database)
            checkpointer = await self._stack.enter_async_context(opening)
            self._make = lambda graph: LangGraphAgent(graph, checkpointer, self._store)
        return self._make


def _build_plain_agent(graph_id: str, function: Any) -> PlainAgent:
    try:
        return PlainAgent(function)
    except TypeError as error:
        raise ConfigError(f"graph {graph_id!r}: {error}") from None


def _is_of_langgraph(value: object) -> bool:
    """Return whether `value` is a graph, without importing langgraph."""
    return any(one.__module__.partition(".")[0] == "langgraph" for one in type(value).__mro__)


def _factory_argument(parameter: inspect.Parameter) -> Literal["config", "runtime"]:
    """Return the meaning of a factory's parameter, by its name or type, as the official server does."""
    named = parameter.name == "runtime" or "Runtime" in str(parameter.annotation)
    return "runtime" if named else "config"


def _per_run(
    factory: Callable[..., Any], arguments: Sequence[str]
) -> Callable[[Any, Any], AbstractAsyncContextManager[Graph]]:
    @asynccontextmanager
    async def graph(config: Any, runtime: Any) -> AsyncIterator[Graph]:
        async with open_made(factory(*[runtime if one == "runtime" else config for one in arguments])) as made:
            if not _is_of_langgraph(made):
                raise TypeError(f"the graph's factory made a {type(made).__name__}, not a LangGraph graph")
            yield made.compile() if hasattr(made, "compile") else made

    return graph


@asynccontextmanager
async def open_made(made: Any) -> AsyncIterator[Any]:
    """Yield a factory's result, after awaiting or entering it if needed."""
    if inspect.isawaitable(made):
        made = await made
    if isinstance(made, AbstractAsyncContextManager) and not _is_of_langgraph(made):
        async with made as value:
            yield value
    else:
        yield made
