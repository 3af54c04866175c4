"""Read and check the JSON body of a request before its handler is called."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args, get_origin

import msgspec
from anyio.to_thread import run_sync
from litestar import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import Struct

from agent_server.asgi.json_codec import decode_body
from agent_server.errors import Invalid, TooLarge

LARGE = 256 * 1024
"""Bodies from this many bytes on are decoded in a thread: hundreds of milliseconds would stall all streams."""


ADAPTER = "adapter"
"""The `opt` with a function that converts a decoded body in other names to the body that the handler expects."""


async def read_json(request: Request[Any, Any, Any], limit: int) -> None:
    """Read, check and decode the body, so that Litestar need not decode it again.

    Errors: `TooLarge`; `Invalid` for a missing body, for one that no store could return unchanged, and for an object
    without a known field.
    """
    try:
        body = await request.body()
    except RequestEntityTooLarge:
        raise TooLarge(f"The request body is too large; this server takes at most {limit:,} bytes") from None
    wanted = request.route_handler.parsed_data_field
    if not body:
        if wanted:
            raise Invalid("The request has no body; send a JSON object")
        return
    value = await decode_request_body(body, limit)
    if (adapted := request.route_handler.opt.get(ADAPTER)) is not None:
        value = adapted(value)
    if wanted:
        check_fields(value, wanted.annotation)
    request._json = request._connection_state.json = value  # Litestar offers no public way to set the decoded body


async def decode_request_body(body: bytes, limit: int) -> Any:
    """Return the value of a JSON text, decoded in a thread if it is large. Errors: as for `decode_body`."""
    return decode_body(body, limit) if len(body) < LARGE else await run_sync(decode_body, body, limit)


def check_fields(value: Any, annotation: Any) -> None:
    """Refuse an object, or a list of objects, that has fields but no known one. Errors: `Invalid`.

    Unknown fields beside known ones are ignored, as by the official server; a misspelt one must not look like success.
    """
    known = _list_fields(annotation)
    for one in value if isinstance(value, list) else [value]:
        if known and isinstance(one, dict) and one and not one.keys() & known:
            sent = ", ".join(repr(name[:60]) for name in list(one)[:3])
            raise Invalid(f"The body has no known field, only {sent}; it may have {', '.join(sorted(known))}")


@lru_cache(maxsize=512)
def _list_fields(annotation: Any) -> frozenset[str]:
    """Return the field names of a struct, of a list of it, or of several; empty for any other type."""
    if get_origin(annotation) is not None:
        return frozenset().union(*map(_list_fields, get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return frozenset(field.encode_name for field in msgspec.structs.fields(annotation))
    return frozenset()
