"""What the OpenAPI document says of every endpoint here, where Litestar by itself would say something else."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIHeader, OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType


@dataclass
class AgentServerOperation(Operation):
    """An operation that fails as these do, `{"detail": "…"}`, and without Litestar's own 400."""

    def __post_init__(self) -> None:
        self.responses = {**(self.responses or {}), "default": _failure()}
        self.responses.pop("400", None)


@dataclass
class TextOrJsonOperation(AgentServerOperation):
    """An operation that answers with text, or, where it is asked to, with a JSON object."""

    def __post_init__(self) -> None:
        super().__post_init__()
        answer = (self.responses or {})["200"]
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content["application/json"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))


@dataclass
class PageOperation(AgentServerOperation):
    """An operation that answers with one page of what it found, and tells of the others in headers."""

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


def _failure() -> OpenAPIResponse:
    detail = Schema(
        type=OpenAPIType.OBJECT, properties={"detail": Schema(type=OpenAPIType.STRING)}, required=["detail"]
    )
    return OpenAPIResponse(
        description="A failure: what was wrong, and what would be right. 401 without an API key where one "
        "is needed, 403 with one that may not do this, 404 for what does not exist, 409 for what is "
        "in another state than the request needs, 413 for a body that is too large, 422 for a request that is wrong, "
        "503 while a store does not answer.",
        content={"application/json": OpenAPIMediaType(schema=detail)},
    )
