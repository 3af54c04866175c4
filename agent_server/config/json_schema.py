"""The JSON Schema of `langgraph.json`: for editors, and the source of the names that this server knows."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, cast, get_args

from agent_server.config.values import RouteGroup


@cache
def json_schema() -> dict[str, Any]:
    """Return the schema. It has a switch `http.disable_…` for each group of routes.

    Two annotations are this server's own: `x-no-effect` gives the reason why a setting changes nothing here, and
    `x-image-only` marks settings that only matter for building an image.
    """
    schema = cast("dict[str, Any]", json.loads((files("agent_server.config") / "langgraph.schema.json").read_bytes()))
    switches = schema["properties"]["http"]["properties"]
    for group in get_args(RouteGroup):
        switches.setdefault(f"disable_{group}", {"type": "boolean"})
    return schema


def resolve_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema, or the definition that it refers to."""
    reference = schema.get("$ref")
    return json_schema()["definitions"][reference.rpartition("/")[2]] if reference else schema
