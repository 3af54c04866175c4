"""Types of settings, and the error for a wrong one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agent_server.config.configurable_headers import HeaderRules


class ConfigError(ValueError):
    """A setting is wrong; the message states its name, its value, and valid values.

    `hint`, the message's second line, states the usual remedy; `trace` is the traceback of the user's code that failed.
    """

    def __init__(self, message: str, *, hint: str = "", trace: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.trace = trace


@dataclass(frozen=True)
class Graph:
    """One entry of `graphs`: the location of a graph, as `./file.py:variable` or `package.module:variable`."""

    path: str
    description: str | None = None


@dataclass(frozen=True)
class StoreTtl:
    """`store.ttl` of `langgraph.json`: the time to live of store items, in minutes."""

    default_ttl: float | None = None
    """For items that are put without one; None is forever."""
    refresh_on_read: bool = True
    """Whether reading an item renews its time to live by default."""
    sweep_interval_minutes: int = 5
    """How often expired items are deleted; reads hide them before."""


@dataclass(frozen=True)
class StoreIndex:
    """`store.index` of `langgraph.json`: semantic search for items of the store."""

    dims: int
    """The dimensions of a vector."""
    embed: str
    """The embedding function: `./file.py:function`, `package.module:function`, or LangChain's `provider:model`."""
    fields: tuple[str, ...] = ("$",)
    """The paths of the texts in a value that are indexed; `$` is the whole value."""


@dataclass(frozen=True)
class ThreadTtlDefaults:
    """`checkpointer.ttl` of `langgraph.json`: the default time to live of threads."""

    default_ttl: float | None = None
    """Minutes from a thread's creation; None is forever."""
    strategy: Literal["delete", "keep_latest"] = "delete"
    """The action at expiry: delete the thread, or keep only its latest state."""
    sweep_interval_minutes: float = 0.25
    """How often expired threads are searched for."""
    sweep_limit: int = 100
    """The maximum number per search; while more are expired, the next search follows at once."""


AllowedTypes = tuple[tuple[str, ...], ...] | Literal[True] | None
"""The types that a serializer may create, as (module, name); True for all, None for those that LangGraph knows."""


@dataclass(frozen=True)
class Serde:
    """`checkpointer.serde` of `langgraph.json`: how checkpoints are serialized."""

    pickle_fallback: bool = False
    """Whether to pickle values that msgpack cannot represent."""
    msgpack_types: AllowedTypes = True
    json_types: AllowedTypes = None


RouteGroup = Literal[
    "assistants", "threads", "runs", "store", "meta", "mcp", "a2a", "agui", "openai", "workflowai", "agent_protocol"
]


@dataclass(frozen=True)
class CorsRules:
    """`http.cors` of `langgraph.json`, without its origins."""

    origin_pattern: str | None = None
    """Also allow origins that fully match this regular expression."""
    methods: tuple[str, ...] = ("*",)
    """The allowed methods; `*` is every method."""
    headers: tuple[str, ...] = ("*",)
    """The allowed request headers; `*` is every header."""
    exposed: tuple[str, ...] = ()
    """The readable response headers, besides those that the official clients read."""
    credentials: bool = False
    """Whether pages may send the visitor's cookies."""
    max_age: int = 600
    """How many seconds a browser may cache the preflight response."""


@dataclass(frozen=True)
class Http:
    """`http` of `langgraph.json`, without `cors.allow_origins`."""

    app: str | None = None
    """An ASGI app whose routes take precedence over ours, as `./file.py:variable` or `package.module:variable`."""
    disabled: frozenset[RouteGroup] = frozenset()
    """The groups of routes that are not served."""
    mount_prefix: str = ""
    """The prefix of every path, such as `/agents`: empty, or a path without a trailing slash."""
    cors: CorsRules = field(default_factory=CorsRules)
    configurable_headers: HeaderRules = field(default_factory=HeaderRules)
    """The headers that a graph finds in its config, by name."""
    custom_route_auth: bool = False
    """Whether the routes of `app` need the same authentication as ours."""
