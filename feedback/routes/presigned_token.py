"""The presigned URL that a request came through, opened once for all that the request does."""

from __future__ import annotations

from typing import Any

from litestar import Request

from feedback.services import ProjectServices
from feedback.tokens.presigned import Pointer

POINTER = "feedback_pointer"
"""Where the state of a request holds the pointer that its token was opened to."""


async def pointer_of(request: Request[Any, Any, Any], services: ProjectServices) -> Pointer:
    """Open the token in the request's path, or return what it was opened to before. Errors: `TokenUnknown`."""
    state = request.scope["state"]
    pointer: Pointer | None = state.get(POINTER)
    if pointer is None:
        state[POINTER] = pointer = await services.tokens.open(request.path_params["token"])
    return pointer
