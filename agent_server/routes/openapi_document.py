"""The OpenAPI document as code generators need it: nested shapes, literal defaults, item types of every list."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from threading import Lock
from typing import Any

import anyio
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from agent_server.routes.openapi_shapes import DEFAULTS, EXAMPLES, FIELDS, SHAPES, SUMMARIES, Schema


@dataclass
class Document(OpenAPI):
    """The document that Litestar makes of the handlers, completed with what the types do not express."""

    def to_schema(self) -> dict[str, Any]:
        """Return the document as JSON."""
        return refine_document(super().to_schema())


@dataclass
class DocumentConfig(OpenAPIConfig):
    """Makes a `Document`."""

    def to_openapi_schema(self) -> OpenAPI:
        """Return the document before its paths are known."""
        plain = super().to_openapi_schema()
        return Document(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})


_making = Lock()


async def document_of(app: Litestar) -> dict[str, Any]:
    """Return the app's document, made at its first use: that takes half a second, in a thread, so that streams go on.

    Callers share the document and may not change it.
    """
    return await anyio.to_thread.run_sync(_made, app)


def _made(app: Litestar) -> dict[str, Any]:
    plugin: Any = app.plugins.get("OpenAPIPlugin")  # it keeps what it has made
    with _making:
        document: dict[str, Any] = plugin.provide_openapi_schema()
    return document


def refine_document(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the shapes and defaults of `openapi_shapes` for the structs in it."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for (name, field), shape in FIELDS.items():
        for one in (name, f"{name}Fields"):  # the second exists if a request may select fields
            if (properties := schemas.get(one, {}).get("properties")) and field in properties:
                properties[field] = deepcopy(shape)
    for (name, field), value in DEFAULTS.items():
        if (properties := schemas.get(name, {}).get("properties")) and field in properties:
            properties[field] = _add_default(properties[field], value)
    schemas |= deepcopy(dict(SHAPES))
    _add_items(document)
    _add_tags(document)
    for operation in _operations(document):
        operation["summary"] = _convert_to_words(SUMMARIES.get(operation["summary"], operation["summary"]))
        _add_example(operation, schemas)
        _describe_events(operation)
    return document


def _convert_to_words(summary: str) -> str:
    """Return the summary; a handler's name in camel case as words: `CreateResponse` becomes `Create response`."""
    return summary if " " in summary else re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f" {letter[0].lower()}", summary)


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in document.get("paths", {}).values() for operation in item.values()]


def _add_tags(document: dict[str, Any]) -> None:
    """List the tags that operations have and the configuration does not: after the others, and `system` last."""
    tags = document.setdefault("tags", [])
    known = {tag["name"] for tag in tags}
    used = {tag for operation in _operations(document) for tag in operation.get("tags", [])}
    listed = [tag for tag in tags if tag["name"] in used] + [{"name": name} for name in sorted(used - known)]
    document["tags"] = sorted(listed, key=lambda tag: tag["name"] == "system")


def _describe_events(operation: dict[str, Any]) -> None:
    """Replace `string`, the schema of a stream as a whole: tools hold each event against it."""
    for response in operation.get("responses", {}).values():
        if (stream := response.get("content", {}).get("text/event-stream")) is not None:
            stream["schema"] = {"description": "Server-sent events, each with `event`, `id`, and JSON in `data`."}


def _add_example(operation: dict[str, Any], schemas: dict[str, Schema]) -> None:
    """Add a body that the operation accepts; a viewer's own would fill every optional field with a placeholder."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None or "example" in content:
        return
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    if name in EXAMPLES:
        content["example"] = deepcopy(EXAMPLES[name])
    elif name in schemas and not schemas[name].get("required"):
        content["example"] = {}


def _add_default(schema: Schema, value: Any) -> Schema:
    """Return the schema with a default; an enumeration with null becomes a choice, since generators lose null."""
    if None not in schema.get("enum", []):
        return {**schema, "default": value}
    names = [one for one in schema["enum"] if one is not None]
    return {"oneOf": [{"type": "string", "enum": names, "default": value}, {"type": "null"}], "default": value}


def _add_items(node: Any) -> None:
    """Add an item type, anything, to every list without one."""
    if isinstance(node, list):
        for one in node:
            _add_items(one)
    elif isinstance(node, dict):
        kind = node.get("type")
        if (kind == "array" or (isinstance(kind, list) and "array" in kind)) and "items" not in node:
            node["items"] = {}
        for one in node.values():
            _add_items(one)
