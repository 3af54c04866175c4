"""Types of the settings of `langgraph.json`. Annotations state the rules that `convert_setting` checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default_field
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

from agent_server.config.configurable_headers import HeaderRules
from agent_server.config.conversion import Count, Flag, Minutes, Strings, Text, must, must_locate

INDEX = '{"dims": 384, "embed": "./embed.py:embed", "fields": ["text"]}'
TTL = '{"default_ttl": 10080}'
TYPES = '{"allowed_msgpack_modules": [["my_agent.models", "Order"]]}'
"""Examples for the messages of errors."""


GraphLocation = Annotated[str, must_locate("agent.py:graph")]


class Graph(Struct, frozen=True):
    """One entry of `graphs`: the location of a graph."""

    path: GraphLocation
    description: Text | None = None


class AuthSettings(Struct, frozen=True):
    """`auth`: the location of an application's `Auth` object.

    `disable_studio_auth` is ignored: LangSmith's Studio has no access here.
    """

    path: Annotated[str, must_locate("auth.py:auth")]
    openapi: Annotated[Mapping[str, Any], must("be an object with securitySchemes and security")] = {}
    """Additions to the OpenAPI document: `securitySchemes` and `security`."""


class StoreTtl(Struct, frozen=True, forbid_unknown_fields=True):
    """`store.ttl` of `langgraph.json`: the time to live of store items, in minutes."""

    default_ttl: Minutes | None = None
    """For items that are put without one; None is forever."""
    refresh_on_read: Flag = True
    """Whether reading an item renews its time to live by default."""
    sweep_interval_minutes: Minutes = 5
    """How often expired items are deleted; reads hide them before."""


class StoreIndex(Struct, frozen=True, forbid_unknown_fields=True):
    """`store.index` of `langgraph.json`: semantic search for items of the store."""

    dims: Count
    """The dimensions of a vector."""
    embed: Annotated[
        str,
        must(
            "name a function, like './embed.py:embed', or a provider and its model, like "
            "'openai:text-embedding-3-small'",
            pattern=r"^.+:[^:]+$",
        ),
    ]
    """The embedding function: `./file.py:function`, `package.module:function`, or LangChain's `provider:model`."""
    fields: Strings = ("$",)
    """The paths of the texts in a value that are indexed; `$` is the whole value, as is an empty list."""

    def __post_init__(self) -> None:
        if not self.fields:
            force_setattr(self, "fields", ("$",))


class Store(Struct, frozen=True):
    """`store` of `langgraph.json`: a custom store, or the settings of ours."""

    path: Annotated[str, must_locate("store.py:make_store")] | None = None
    index: Annotated[StoreIndex, must(f"be an object like {INDEX}")] | None = None
    ttl: Annotated[StoreTtl, must(f"be an object like {TTL}")] = StoreTtl()

    def __post_init__(self) -> None:
        if self.path is None:
            return
        for name, own in (("index", self.index is not None), ("ttl", self.ttl != StoreTtl())):
            if own:
                raise ValueError(f"{name} is for this server's own store, and path names another")


class ThreadTtlDefaults(Struct, frozen=True, forbid_unknown_fields=True):
    """`checkpointer.ttl` of `langgraph.json`: the default time to live of threads."""

    default_ttl: Minutes | None = None
    """Minutes from a thread's creation; None is forever."""
    strategy: Annotated[Literal["delete", "keep_latest"], must("be delete or keep_latest")] = "delete"
    """The action at expiry: delete the thread, or keep only its latest state."""
    sweep_interval_minutes: Minutes = 0.25
    """How often expired threads are searched for."""
    sweep_limit: Count = 100
    """The maximum number per search; while more are expired, the next search follows at once."""


TypeName = Annotated[tuple[str, ...], Meta(min_length=1)]
AllowedTypes = Annotated[tuple[TypeName, ...] | bool, must(f"be true, null, or a list of types like {TYPES}")] | None
"""The types that a serializer may create, as (module, name); True for all, None or False for LangGraph's own."""


class Serde(Struct, frozen=True, forbid_unknown_fields=True):
    """`checkpointer.serde` of `langgraph.json`: how checkpoints are serialized."""

    pickle_fallback: Flag = False
    """Whether to pickle values that msgpack cannot represent."""
    msgpack_types: AllowedTypes = field(default=True, name="allowed_msgpack_modules")
    json_types: AllowedTypes = field(default=None, name="allowed_json_modules")


class Checkpointer(Struct, frozen=True):
    """`checkpointer` of `langgraph.json`, which cannot name another checkpointer."""

    path: Any = None
    backend: Any = None
    ttl: Annotated[ThreadTtlDefaults, must(f"be an object like {TTL}")] = ThreadTtlDefaults()
    serde: Annotated[Serde, must(f"be an object like {TYPES}")] = Serde()

    def __post_init__(self) -> None:
        for name in ("path", "backend"):
            if getattr(self, name) not in (None, "", "default"):
                raise ValueError(
                    f"{name} names a checkpointer, and this server keeps checkpoints itself: in SQLite, or in "
                    "PostgreSQL where DATABASE_URL is set. Leave it out"
                )


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
    cors: CorsRules = default_field(default_factory=CorsRules)
    configurable_headers: HeaderRules = default_field(default_factory=HeaderRules)
    """The headers that a graph finds in its config, by name."""
    custom_route_auth: bool = False
    """Whether the routes of `app` need the same authentication as ours."""
