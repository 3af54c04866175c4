"""The configuration of the OpenAPI document, and operations that differ from Litestar's defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass

from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    Schema,
    Server,
    Tag,
)
from litestar.openapi.spec.enums import OpenAPIType

from agent_server.routes.docs import DocsPage, docs_router
from agent_server.routes.openapi_document import DocumentConfig


@dataclass
class AgentServerOperation(Operation):
    """An operation whose errors are `{"detail": "…"}`, each status with its meaning, without Litestar's own 400."""

    def __post_init__(self) -> None:
        self.summary = _sentence(self.summary)
        given = {status: response for status, response in (self.responses or {}).items() if status != "400"}
        self.responses = {**_failures(), **given}


def _sentence(name: str | None) -> str | None:
    """Convert Litestar's summary, a handler's name in camel case, to words: `CreateRun` becomes `Create run`."""
    return None if name is None else re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f" {letter[0].lower()}", name)


@dataclass
class TextOrJsonOperation(AgentServerOperation):
    """An operation that responds with text or, on request, with a JSON object."""

    def __post_init__(self) -> None:
        super().__post_init__()
        response = (self.responses or {})["200"]
        if isinstance(response, OpenAPIResponse) and response.content is not None:
            response.content["application/json"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))


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
    503: "A store does not respond; the same request may succeed later.",
}


def _failures() -> dict[str, OpenAPIResponse]:
    content = {"application/json": OpenAPIMediaType(schema=Reference(ref="#/components/schemas/ErrorDetail"))}
    return {str(status): OpenAPIResponse(description=words, content=content) for status, words in _MEANINGS.items()}


SECURITY_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The API key as a bearer token."},
}
TAGS = (
    Tag("assistants", "Graphs with a configuration, in versions."),
    Tag("threads", "Conversations: the state that runs share, its history and its live events."),
    Tag("runs", "Start, stream, join and cancel runs on a thread."),
    Tag("stateless runs", "Runs on threads of their own."),
    Tag("crons", "Runs on a schedule."),
    Tag("store", "Items that agents keep beyond a thread."),
    Tag("mcp", "Assistants as tools of the Model Context Protocol."),
    Tag("a2a", "Assistants as agents of the Agent2Agent protocol."),
    Tag("agui", "Assistants as agents of AG-UI's clients, such as CopilotKit."),
    Tag("OpenAI", "Assistants as models of OpenAI's API: chat completions and responses."),
    Tag("system", "Health, versions and metrics."),
)


def openapi_config(version: str, prefix: str = "") -> OpenAPIConfig:
    """Return the configuration: the document at `/openapi.json` and below `/docs`, and the page at `/docs`."""
    return DocumentConfig(
        title="Agent server",
        version=version,
        openapi_router=docs_router(),
        render_plugins=[DocsPage()],
        use_handler_docstrings=True,
        tags=list(TAGS),
        servers=[Server(url=prefix or "/")],
    )
