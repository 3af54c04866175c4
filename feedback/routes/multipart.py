"""The multipart road that LangSmith's default clients take where `/info` offers it: `POST /runs/multipart`.

`/info` asks for plain JSON; a client that sends multipart all the same is understood. Its parts are named
`feedback.<id>`; the traces of runs that may come along are not kept.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, post

from feedback.errors import Invalid, TooLarge
from feedback.routes.authentication import ServicesDependency
from feedback.routes.decoding import decode, parts_of
from feedback.routes.openapi import MultipartOperation, failures
from feedback.schema import FeedbackCreate
from feedback.validation import MAX_BODY

TAGS = ["Feedback"]
MAX_BATCH_BODY = 20_971_520
"""As much as `/info` says a batch may hold."""


@post(
    "/runs/multipart",
    status_code=202,
    tags=TAGS,
    request_max_body_size=MAX_BATCH_BODY,
    opt={"feedback_takes_any_type": True},
    summary="Record feedback in a batch",
    operation_class=MultipartOperation,
    responses=failures(409, 413, 422),
    description="LangSmith's clients send this if `/info` offers it: parts named `feedback.<id>`, each a JSON object.",
)
async def take_multipart(request: Request[Any, Any, Any], services: ServicesDependency) -> Response[dict[str, int]]:
    """How many answers were kept; each is durable when this is answered."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Invalid("The body is compressed; `/info` does not offer that, send it as it is")
    answers = feedback_parts(request.headers.get("content-type", ""), await request.body())
    kept = await asyncio.gather(*map(services.store.create, answers), return_exceptions=True)
    for ended in kept:
        if isinstance(ended, BaseException):
            raise ended
    return Response({"feedback": len(kept)}, status_code=202)


def feedback_parts(content_type: str, body: bytes) -> list[FeedbackCreate]:
    """The feedback in a multipart body, checked. Errors: `Invalid`, `TooLarge`."""
    return [_feedback(name, content) for name, content in parts_of(content_type, body) if name.startswith("feedback.")]


def _feedback(name: str, payload: bytes | None) -> FeedbackCreate:
    if payload is None:
        raise Invalid(f"The part {name[:80]!r} has no body; send the feedback as JSON")
    if len(payload) > MAX_BODY:
        raise TooLarge(f"The part {name[:80]!r} has {len(payload):,} bytes; at most {MAX_BODY:,} are taken")
    answer: FeedbackCreate = decode(payload, FeedbackCreate)
    answer.id = answer.id or name.removeprefix("feedback.")
    answer.validate()
    return answer
