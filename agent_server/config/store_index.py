"""How items of the store are found by what they mean: `store.index` of `langgraph.json`."""

from __future__ import annotations

from typing import Any

from agent_server.config.checks import section, strings, whole
from agent_server.config.values import ConfigError, StoreIndex

_EXAMPLE = '{"dims": 384, "embed": "./embed.py:embed", "fields": ["text"]}'


def store_index(store: Any, where: str) -> StoreIndex | None:
    """The settings of `store.index`; nothing where there are none."""
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
