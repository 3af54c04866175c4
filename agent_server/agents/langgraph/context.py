"""Convert a run's context for its graph's `context_schema`.

Clients may send more than the schema has: the configuration that an assistant shares with all its graphs is context,
too. So only the schema's fields are kept, as on the official server (langgraph-api 0.16.7); a schema that is a class
supplies its defaults where nothing is given.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel
from typing_extensions import is_typeddict  # also recognizes those of `typing`

from agent_server.schema import JsonObject


def select_context(schema: Any, given: JsonObject | None) -> JsonObject | None:
    """Return the part of `given` that fits the schema; None where it is empty and the schema is not a class."""
    names = _names(schema)
    context = {name: one for name, one in (given or {}).items() if names is None or name in names}
    return context if context or _is_class(schema) else None


def _is_class(schema: Any) -> bool:
    return isinstance(schema, type) and (issubclass(schema, BaseModel) or is_dataclass(schema))


def _names(schema: Any) -> Collection[str] | None:
    """Return the names of the schema's fields; None where it has none and so accepts everything."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        aliases = [field.alias for field in schema.model_fields.values() if field.alias]
        return {*schema.model_fields, *aliases}
    if isinstance(schema, type) and is_dataclass(schema):
        return {field.name for field in fields(schema) if field.init}
    return schema.__annotations__.keys() if is_typeddict(schema) else None
