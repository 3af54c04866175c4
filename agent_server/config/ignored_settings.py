"""Settings of `langgraph.json` without effect here: unknown names, and features that this server does not have."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from agent_server.config.json_schema import json_schema, resolve_reference


class Ignored(NamedTuple):
    """A setting without effect."""

    name: str
    """The path to it, such as `http.cors`."""
    reason: str
    unknown: bool = False
    """Whether no version of `langgraph.json` has the name, so that it is probably misspelt."""
    image_only: bool = False
    """Whether it only matters for building an image."""

    def __str__(self) -> str:
        return f"{self.name} has no effect: {self.reason}"


IMAGE_ONLY = "only the building of an image needs it"


def find_ignored_settings(document: dict[str, Any]) -> list[Ignored]:
    """Return the document's settings without effect, in its order."""
    return list(_find_ignored(document, json_schema(), ""))


def describe_ignored_settings(document: dict[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each setting without effect, and one for all that only matter for an image."""
    found = find_ignored_settings(document)
    image_only = ", ".join(one.name for one in found if one.image_only)
    sentences = [str(one) for one in found if not one.image_only]
    return (*sentences, *([str(Ignored(image_only, IMAGE_ONLY))] if image_only else []))


def _find_ignored(value: Any, schema: dict[str, Any], where: str) -> Iterator[Ignored]:
    if reason := schema.get("x-no-effect"):
        if value and value != schema.get("x-no-effect-unless"):
            yield Ignored(where, reason)
    elif schema.get("x-image-only"):
        yield Ignored(where, IMAGE_ONLY, image_only=True)
    elif isinstance(value, dict):
        yield from _find_ignored_members(value, _object_schema(schema), where)


def _find_ignored_members(value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[Ignored]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, inner in value.items():
        path = f"{where}.{name}" if where else name
        if name in known:
            yield from _find_ignored(inner, known[name], path)
        elif isinstance(others, dict):
            yield from _find_ignored(inner, others, path)
        elif not others:
            nearest = get_close_matches(name, known, n=1, cutoff=0.5)
            suggestion = f"; did you mean {nearest[0]}?" if nearest else ""
            yield Ignored(path, f"this server does not know it{suggestion}", unknown=True)


def _object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a schema that describes objects."""
    schema = resolve_reference(schema)
    for option in schema.get("anyOf", []):
        if resolve_reference(option).get("type") in ("object", ["object", "null"]):
            return resolve_reference(option)
    return schema
