"""What settings are made of, and what is raised where one is wrong."""

from __future__ import annotations

from dataclasses import dataclass


class ConfigError(ValueError):
    """A setting is wrong; the message names it, its value, and what would be right."""


@dataclass(frozen=True)
class Graph:
    """One entry of `graphs`: where a graph is, as `./file.py:variable` or `package.module:variable`."""

    path: str
    description: str | None = None


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
class StoreTtl:
    """`store.ttl` of `langgraph.json`: how long items of the store live, in minutes."""

    default_ttl: float | None = None
    """The life of items that are put without one; none is for ever."""
    refresh_on_read: bool = True
    """Whether reading an item lets its life begin anew, where the reader does not say."""
    sweep_interval_minutes: int = 5
    """How often what has expired is deleted; no read shows it before."""
