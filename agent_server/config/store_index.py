"""`store` of `langgraph.json` without its `ttl`: a custom store, and semantic search."""

from __future__ import annotations

from typing import Any

from agent_server.config.checks import section, strings, variable, whole
from agent_server.config.values import ConfigError, StoreIndex

_EXAMPLE = '{"dims": 384, "embed": "./embed.py:embed", "fields": ["text"]}'


def store_index(store: Any, where: str) -> StoreIndex | None:
    """Return the settings of `store.index`; None if there are none."""
    given = section(section(store, where, f'{{"index": {_EXAMPLE}}}').get("index"), f"{where}.index", _EXAMPLE)
    if not given:
        return None
    if unknown := sorted(given.keys() - {"dims", "embed", "fields"}):
        raise ConfigError(f"{where}.index has {unknown[0]!r}; it may have dims, embed and fields")
    embed = given.get("embed")
    if not isinstance(embed, str) or not all(embed.rpartition(":")):
        raise ConfigError(
            f"{where}.index.embed is {embed!r}; it must name a function, like './embed.py:embed', or a provider and "
            "its model, like 'openai:text-embedding-3-small'"
        )
    fields = given.get("fields")
    return StoreIndex(
        dims=whole(given.get("dims"), f"{where}.index.dims", 1),
        embed=embed,
        fields=strings(["$"] if fields is None else fields, f"{where}.index.fields") or ("$",),
    )


def store_path(store: Any, where: str) -> str | None:
    """Return the location of a custom store. Errors: `ConfigError` if it is combined with settings of our own store."""
    given = section(store, where, f'{{"index": {_EXAMPLE}}}')
    if given.get("path") is None:
        return None
    for ours in ("index", "ttl"):
        if given.get(ours):
            raise ConfigError(f"{where}.{ours} is for this server's own store, and {where}.path names another")
    return variable(given["path"], f"{where}.path", "store.py:make_store")
