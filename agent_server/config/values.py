"""What settings are made of, and what is raised where one is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agent_server.config.configurable_headers import HeaderRules


class ConfigError(ValueError):
    """A setting is wrong; the message names it, its value, and what would be right.

    `hint`, the message's second line, says what usually helps; `trace` is the traceback of the user's code that failed.
    """

    def __init__(self, message: str, *, hint: str = "", trace: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.trace = trace


@dataclass(frozen=True)
class Graph:
    """One entry of `graphs`: where a graph is, as `./file.py:variable` or `package.module:variable`."""

    path: str
    description: str | None = None


@dataclass(frozen=True)
class StoreTtl:
    """`store.ttl` of `langgraph.json`: how long items of the store live, in minutes."""

    default_ttl: float | None = None
    """The life of items that are put without one; none is for ever."""
    refresh_on_read: bool = True
    """Whether reading an item lets its life begin anew, where the reader does not say."""
    sweep_interval_minutes: int = 5
    """How often what has expired is deleted; no read shows it before."""


@dataclass(frozen=True)
class StoreIndex:
    """`store.index` of `langgraph.json`: how items of the store are found by what they mean."""

    dims: int
    """How many numbers a vector has."""
    embed: str
    """Makes vectors of texts: `./file.py:function`, `package.module:function`, or LangChain's `provider:model`."""
    fields: tuple[str, ...] = ("$",)
    """What of a value is text to be found by, as paths; `$` is all of it."""


@dataclass(frozen=True)
class ThreadTtlDefaults:
    """`checkpointer.ttl` of `langgraph.json`: how long threads live whose creator does not say."""

    default_ttl: float | None = None
    """Minutes from a thread's creation; none is for ever."""
    strategy: Literal["delete", "keep_latest"] = "delete"
    """What happens then: the thread is deleted, or cut down to its latest state."""
    sweep_interval_minutes: float = 0.25
    """How often threads whose time is over are looked for."""
    sweep_limit: int = 100
    """How many are dealt with at once; while there are more, the next look follows without a pause."""


AllowedTypes = tuple[tuple[str, ...], ...] | Literal[True] | None
"""The types that a serializer may make, as (module, name); True for all, None for those that LangGraph knows."""


@dataclass(frozen=True)
class Serde:
    """`checkpointer.serde` of `langgraph.json`: how checkpoints are serialized."""

    pickle_fallback: bool = False
    """Whether values that msgpack cannot represent are pickled."""
    msgpack_types: AllowedTypes = True
    json_types: AllowedTypes = None


RouteGroup = Literal["assistants", "threads", "runs", "store", "meta", "mcp", "a2a", "workflowai"]


@dataclass(frozen=True)
class CorsRules:
    """`http.cors` of `langgraph.json`, but for the origins that it names."""

    origin_pattern: str | None = None
    """Origins that match this regular expression as a whole may call, too."""
    methods: tuple[str, ...] = ("*",)
    """What they may call with; `*` is every method."""
    headers: tuple[str, ...] = ("*",)
    """The headers that they may send; `*` is every one."""
    exposed: tuple[str, ...] = ()
    """The headers that they may read, besides those that the official clients read."""
    credentials: bool = False
    """Whether they may call with the cookies of whoever looks at the page."""
    max_age: int = 600
    """How many seconds a browser may remember the answer."""


@dataclass(frozen=True)
class Http:
    """`http` of `langgraph.json`, but for `cors.allow_origins`."""

    app: str | None = None
    """An ASGI app whose routes come before ours, as `./file.py:variable` or `package.module:variable`."""
    disabled: frozenset[RouteGroup] = frozenset()
    """The groups of routes that are not served."""
    mount_prefix: str = ""
    """What every path begins with, such as `/agents`; nothing, or a path without a slash at its end."""
    cors: CorsRules = field(default_factory=CorsRules)
    configurable_headers: HeaderRules = field(default_factory=HeaderRules)
    """The headers that a graph finds in its config, by their names."""
    custom_route_auth: bool = False
    """Whether the routes of `app` are only for those who may come in to ours."""
