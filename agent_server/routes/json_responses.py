"""JSON responses written by this package's own encoder: search results, with pagination headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import MediaType, Response
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType

from agent_server.asgi.json_codec import encode
from agent_server.database.search import Found


def respond_json(content: Any, headers: Mapping[str, str] | None = None, status_code: int = 200) -> Response[bytes]:
    """Return `content`, anything that `encode` takes, as a response."""
    return Response(encode(content), headers=headers, status_code=status_code, media_type=MediaType.JSON)


def respond_page(found: Found[Any], select: Sequence[str] | None) -> Response[bytes]:
    """Return a page of structs, with only the fields in `select` if given."""
    headers = {"x-pagination-total": str(found.total)}
    if found.next_offset is not None:
        headers["x-pagination-next"] = str(found.next_offset)
    return respond_json([select_fields(item, select) for item in found.items], headers)


def select_fields(item: Struct, select: Sequence[str] | None) -> Any:
    """Return the item, or only its selected fields."""
    return item if select is None else {name: getattr(item, name) for name in select}


def describe_response(shape: Any, description: str) -> dict[int, ResponseSpec]:
    """Return the OpenAPI description of a `respond_json` of this shape."""
    return {200: ResponseSpec(shape, generate_examples=False, description=description)}


def allow_any_fields(struct: type[Struct]) -> Any:
    """Return the shape of an item of which a request may select fields."""
    fields = msgspec.structs.fields(struct)
    return msgspec.defstruct(
        f"{struct.__name__}Fields", [(one.name, one.type | UnsetType, UNSET) for one in fields], module=__name__
    )
