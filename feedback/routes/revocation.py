"""Routes with which subjects retract feedback and minters revoke tokens."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, post
from litestar.params import FromPath, QueryParameter

from feedback.errors import Invalid
from feedback.routes.authentication import ServicesDependency
from feedback.routes.headers import TOKEN_HEADERS
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.routes.tokens import TAGS
from feedback.schema import SubmissionResult
from feedback.tokens.revocation import Revoked


@delete(
    "/feedback/tokens/{token:str}",
    status_code=200,
    tags=TAGS,
    opt={"feedback_token_route": True},
    summary="Retract feedback",
    operation_class=FeedbackOperation,
    responses=failures(404, 409, 410, 422),
)
async def retract(
    token: FromPath[str],
    services: ServicesDependency,
    user_id: Annotated[str | None, QueryParameter(description="Who submitted the feedback")] = None,
    id: Annotated[str | None, QueryParameter(description="The id that the feedback was stored with")] = None,
) -> Response[SubmissionResult]:
    """Delete the subject's feedback; its history is kept."""
    kept = await services.own_feedback.retract(await services.tokens.open(token), user_id, id)
    return Response(kept, status_code=200, headers=TOKEN_HEADERS, media_type="application/json")


@post(
    "/feedback/tokens/{token:str}/revoke",
    status_code=200,
    tags=TAGS,
    summary="Revoke a token",
    operation_class=FeedbackOperation,
    responses=failures(404),
    description="Revoke a presigned or sealed token: later submissions get 410. Feedback submitted before stays.",
)
async def revoke_token(token: FromPath[str], services: ServicesDependency) -> Revoked:
    """Revoke the token and return how many were revoked: 0 if it already was."""
    return await services.revocation.revoke_token(token)


@delete(
    "/feedback/tokens",
    status_code=200,
    tags=TAGS,
    summary="Revoke all tokens of a run or of a signing key",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def revoke_tokens(
    services: ServicesDependency,
    run_id: Annotated[str | None, QueryParameter(description="All that were made for this run")] = None,
    ring_key: Annotated[
        int | None, QueryParameter(ge=1, le=2**31 - 1, description="All that this key of the ring sealed")
    ] = None,
) -> Revoked:
    """Revoke tokens and return how many presigned URLs were revoked; revoked sealed tokens cannot be counted."""
    if run_id is not None and ring_key is None:
        return await services.revocation.revoke_run(run_id)
    if ring_key is not None and run_id is None:
        return await services.revocation.revoke_ring_key(ring_key)
    raise Invalid("Say which tokens to take back: send either `run_id` or `ring_key`")


REVOKING_ROUTES = [retract, revoke_token, revoke_tokens]
