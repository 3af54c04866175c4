"""The context of a run as its graph's `context_schema` takes it.

What a client sends may have more than the schema knows: the configuration that an assistant shares with all its graphs
is context, too. So only the schema's own fields are kept, as on the official server (langgraph-api 0.16.7); a schema
that is a class makes its defaults where nothing is given.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel
from typing_extensions import is_typeddict  # knows those of `typing`, too

from agent_server.schema import JsonObject


def context_of(schema: Any, given: JsonObject | None) -> JsonObject | None:
    """What of `given` a graph with this schema is to be run with; nothing where that is nothing to make it of."""
    names = _names(schema)
    context = {name: one for name, one in (given or {}).items() if names is None or name in names}
    return context if context or _is_class(schema) else None


def _is_class(schema: Any) -> bool:
    return isinstance(schema, type) and (issubclass(schema, BaseModel) or is_dataclass(schema))


def _names(schema: Any) -> Collection[str] | None:
    """The names of the schema's fields; nothing where it has none, and so takes everything."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        aliases = [field.alias for field in schema.model_fields.values() if field.alias]
        return {*schema.model_fields, *aliases}
    if isinstance(schema, type) and is_dataclass(schema):
        return {field.name for field in fields(schema) if field.init}
    return schema.__annotations__.keys() if is_typeddict(schema) else None
