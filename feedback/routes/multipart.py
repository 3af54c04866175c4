"""`POST /runs/multipart`: the batches that LangSmith's clients send if `/info` offers it.

`/info` requests plain JSON, but multipart is accepted, too. The feedback's parts are named `feedback.<id>`; traces of
runs are discarded.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, post

from feedback.errors import Invalid, TooLarge
from feedback.routes.authentication import ServicesDependency
from feedback.routes.decoding import decode, parse_parts
from feedback.routes.openapi import MultipartOperation, failures
from feedback.schema import FeedbackCreate
from feedback.validation import MAX_BODY

TAGS = ["Feedback"]
MAX_BATCH_BODY = 20_971_520
"""The maximum size of a batch in bytes, as in `/info`."""


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
async def submit_multipart(request: Request[Any, Any, Any], services: ServicesDependency) -> Response[dict[str, int]]:
    """Store the feedback durably and return the number of records."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Invalid("The body is compressed; `/info` does not offer that, send it as it is")
    submissions = feedback_parts(request.headers.get("content-type", ""), await request.body())
    kept = await asyncio.gather(*map(services.store.create, submissions), return_exceptions=True)
    for ended in kept:
        if isinstance(ended, BaseException):
            raise ended
    return Response({"feedback": len(kept)}, status_code=202)


def feedback_parts(content_type: str, body: bytes) -> list[FeedbackCreate]:
    """Return the validated feedback of a multipart body. Errors: `Invalid`, `TooLarge`."""
    return [
        _feedback(name, content) for name, content in parse_parts(content_type, body) if name.startswith("feedback.")
    ]


def _feedback(name: str, payload: bytes) -> FeedbackCreate:
    if not payload:
        raise Invalid(f"The part {name[:80]!r} has no body; send the feedback as JSON")
    if len(payload) > MAX_BODY:
        raise TooLarge(f"The part {name[:80]!r} has {len(payload):,} bytes; at most {MAX_BODY:,} are taken")
    submission: FeedbackCreate = decode(payload, FeedbackCreate)
    submission.id = submission.id or name.removeprefix("feedback.")
    submission.validate()
    return submission
