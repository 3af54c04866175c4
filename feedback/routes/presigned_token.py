"""The presigned token of a request, opened once per request."""

from __future__ import annotations

from typing import Any

from litestar import Request

from feedback.services import ProjectServices
from feedback.tokens.presigned import Pointer

POINTER = "feedback_pointer"
"""The request state's entry for the pointer in the opened token."""


async def get_pointer(request: Request[Any, Any, Any], services: ProjectServices) -> Pointer:
    """Return the pointer in the path's token, which is opened once per request. Errors: `TokenUnknown`."""
    state = request.scope["state"]
    pointer: Pointer | None = state.get(POINTER)
    if pointer is None:
        state[POINTER] = pointer = await services.tokens.open(request.path_params["token"])
    return pointer
