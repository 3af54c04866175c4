"""`/docs`: the OpenAPI document as a page without scripts or external resources.

Litestar's own pages load a viewer from a CDN, and the packages that bundle one are old (swagger-ui-bundle: Swagger UI
4, which cannot read OpenAPI 3.1) or add a second web framework.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import OpenAPIHeader, OpenAPIMediaType, OpenAPIResponse, Operation, Reference, Schema, Server
from litestar.openapi.spec.enums import OpenAPIType

from agent_server.routes.openapi_document import DocumentConfig


@dataclass
class AgentServerOperation(Operation):
    """An operation whose errors are `{"detail": "…"}`, each status with its meaning, without Litestar's own 400."""

    def __post_init__(self) -> None:
        self.summary = _sentence(self.summary)
        given = {status: answer for status, answer in (self.responses or {}).items() if status != "400"}
        self.responses = {**_failures(), **given}


def _sentence(name: str | None) -> str | None:
    """Convert Litestar's summary, a handler's name in camel case, to words: `CreateRun` becomes `Create run`."""
    return None if name is None else re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f" {letter[0].lower()}", name)


@dataclass
class TextOrJsonOperation(AgentServerOperation):
    """An operation that responds with text or, on request, with a JSON object."""

    def __post_init__(self) -> None:
        super().__post_init__()
        answer = (self.responses or {})["200"]
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content["application/json"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))


@dataclass
class PageOperation(AgentServerOperation):
    """An operation that returns one page of results, with pagination headers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        page = (self.responses or {})["200"]
        if isinstance(page, OpenAPIResponse):
            page.headers = {**(page.headers or {}), **_page_headers()}


def _page_headers() -> dict[str, OpenAPIHeader]:
    whole = Schema(type=OpenAPIType.INTEGER)
    return {
        "x-pagination-total": OpenAPIHeader(schema=whole, description="How many there are on all pages."),
        "x-pagination-next": OpenAPIHeader(
            schema=whole, description="The offset of the next page; missing on the last one."
        ),
    }


_MEANINGS = {
    400: "The request contradicts itself.",
    401: "The request needs an API key, or the one that it has is unknown.",
    403: "The caller may not do this.",
    404: "Something that the request names does not exist.",
    409: "Something that the request names is in another state than the request needs.",
    413: "The body is too large.",
    422: "The request is wrong.",
    429: "The address has sent too many wrong API keys; `Retry-After` says when to try again.",
    503: "A store does not answer; the same request may succeed later.",
}


def _failures() -> dict[str, OpenAPIResponse]:
    content = {"application/json": OpenAPIMediaType(schema=Reference(ref="#/components/schemas/ErrorDetail"))}
    return {str(status): OpenAPIResponse(description=words, content=content) for status, words in _MEANINGS.items()}


METHODS = ("get", "post", "put", "patch", "delete")

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
details { border: 1px solid #8886; border-radius: .4rem; margin: .4rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code, pre { font: 14px/1.4 ui-monospace, monospace } pre { overflow-x: auto }
summary b { display: inline-block; width: 4.5rem; font-size: .8rem } td { padding: .1rem .8rem .1rem 0 }
"""


class DocsPage(OpenAPIRenderPlugin):
    """Renders the document: the endpoints, their requests and their responses."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page."""
        title = escape(openapi_schema["info"]["title"])
        document = f"{str(request.base_url).rstrip('/')}/openapi.json"
        head = f'<title>{title}</title><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        intro = f'<h1>{title}</h1><p>As an OpenAPI document: <a href="{escape(document)}">openapi.json</a></p>'
        body = "".join((*_operations(openapi_schema), *_schemas(openapi_schema)))
        return f'<!doctype html><html lang="en"><meta charset="utf-8">{head}{intro}{body}</html>'.encode()


def openapi_config(version: str, prefix: str = "") -> OpenAPIConfig:
    """Return the configuration: the document at `/openapi.json` and below `/docs`, and the page at `/docs`."""
    return DocumentConfig(
        title="Agent server",
        version=version,
        path="/docs",
        render_plugins=[DocsPage()],
        use_handler_docstrings=True,
        servers=[Server(url=prefix or "/")],
    )


def _operations(document: dict[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if operation := item.get(method):
                for tag in operation.get("tags", ["other"]):
                    by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    said = operation.get("description") or operation.get("summary") or ""
    parts = [f"<summary><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(said)}</summary>"]
    if rows := "".join(_parameter(one) for one in operation.get("parameters", [])):
        parts.append(f"<h4>Parameters</h4><table>{rows}</table>")
    if body := operation.get("requestBody"):
        parts.append(f"<h4>Body</h4>{_content(body)}")
    for status, answer in operation.get("responses", {}).items():
        parts.append(f"<h4>{escape(status)}: {escape(answer.get('description', ''))}</h4>{_content(answer)}")
    return f"<details>{''.join(parts)}</details>"


def _parameter(one: dict[str, Any]) -> str:
    needed = "required" if one.get("required") else "optional"
    said = escape(one.get("description") or "")
    return (
        f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}, {needed}"
        f"<td><code>{_json(one.get('schema', {}))}</code><td>{said}"
    )


def _content(holder: dict[str, Any]) -> str:
    return "".join(
        f"<p>{escape(media)}</p><pre>{_json(what.get('schema', {}), indent=2)}</pre>"
        for media, what in (holder.get("content") or {}).items()
    )


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    yield "<h2>Schemas</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f"<details><summary><code>{escape(name)}</code></summary><pre>{_json(schema, indent=2)}</pre></details>"


def _json(value: Any, indent: int | None = None) -> str:
    return escape(json.dumps(value, indent=indent, ensure_ascii=False, default=str), quote=False)
