"""The lower bound of a submission: a Litestar app whose handler decodes a submission and does nothing with it."""

from __future__ import annotations

from litestar import Litestar, post

from feedback.schema import FeedbackSubmission, SubmissionResult


@post("/feedback/tokens/{token:str}", status_code=200)
async def forget(token: str, data: FeedbackSubmission) -> SubmissionResult:  # noqa: ARG001  a handler's parameters are its surface
    return SubmissionResult("00000000-0000-4000-8000-000000000000", "created")


app = Litestar([forget], logging_config=None, openapi_config=None)
