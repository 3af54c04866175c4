"""The handlers of `/feedback/tokens`, which mint, list and use presigned URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Response, get, head, post, route
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from feedback.configs.feedback_config import REPLACE
from feedback.errors import Invalid
from feedback.pages.link_scanners import gets_page, wants_page
from feedback.routes.authentication import ServicesDependency
from feedback.routes.decoding import parse_form_submission
from feedback.routes.headers import TOKEN_HEADERS, base_url, preflight
from feedback.routes.openapi import NO_KEY, FeedbackOperation, SubmitOperation, failures
from feedback.routes.pages import may_follow, remember_project, show_question, submit_form, thanks
from feedback.routes.presigned_token import get_pointer
from feedback.routes.rate_limiting import admit_minting, admit_submission
from feedback.schema import (
    FeedbackIngestToken,
    FeedbackIngestTokenCreate,
    FeedbackSubmission,
    SubmissionResult,
    TokenState,
)
from feedback.services import ProjectServices
from feedback.settings import TOKEN_PATH, FeedbackSettings
from feedback.tokens.presigned import Grant, Order, Token
from feedback.validation import MAX_BODY, MAX_MINT_BODY, check_text

AnyRequest = Request[Any, Any, Any]

MAX_BATCH = 1000
TAGS = ["Presigned feedback"]
CONTENT_FIELDS = {"score", "value", "comment", "correction", "metadata"}
IDEMPOTENCY = "Sent again with the same key, a request changes nothing"


def _query(description: str) -> Any:
    return QueryParameter(required=False, description=description)


@post(
    "/feedback/tokens",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_MINT_BODY,
    opt={"feedback_scope": "feedback-mint"},
    summary="Mint presigned URLs",
    operation_class=FeedbackOperation,
    responses=failures(413, 422),
    description=(
        "An object returns one URL, an array returns as many, in its order. Every path below `/api/v1` under Feedback "
        "and Presigned feedback is also served below `/api` and `/`."
    ),
)
async def mint(
    request: AnyRequest,
    data: JSONBody[FeedbackIngestTokenCreate | list[FeedbackIngestTokenCreate]],
    services: ServicesDependency,
) -> FeedbackIngestToken | list[FeedbackIngestToken]:
    """Return URLs that accept submissions without authentication, until they expire."""
    settings = services.settings
    await admit_minting(request, services)
    wanted = data if isinstance(data, list) else [data]
    if not 1 <= len(wanted) <= MAX_BATCH:
        raise Invalid(f"The array asks for {len(wanted)} URLs; ask for 1 to {MAX_BATCH} at once")
    base = base_url(request, settings.base_url, settings.trust_forwarded)
    tokens = _to_wire(await services.tokens.mint(_orders(wanted, settings)), base)
    return tokens if isinstance(data, list) else tokens[0]


def _orders(wanted: Sequence[FeedbackIngestTokenCreate], settings: FeedbackSettings) -> list[Order]:
    """Group consecutive requests with the same run and expiry into orders."""
    now = datetime.now(UTC)
    orders: list[Order] = []
    for item in wanted:
        expiry = item.expiry(now, settings.default_expiry)
        same = (item.run_id, expiry, item.max_uses)
        if not orders or (orders[-1].run_id, orders[-1].expires_at, orders[-1].max_uses) != same:
            orders.append(Order(item.run_id, [], [], expiry, max_uses=item.max_uses))
        orders[-1].keys.append(item.feedback_key)
        orders[-1].configs.append(item.feedback_config)
    return orders


def _to_wire(tokens: Sequence[Token], base: str) -> list[FeedbackIngestToken]:
    return [
        FeedbackIngestToken(token.token, f"{base}{TOKEN_PATH}{token.token}", token.expires_at, token.key, token.revoked)
        for token in tokens
    ]


@get(
    "/feedback/tokens",
    tags=TAGS,
    summary="List a run's presigned URLs",
    operation_class=FeedbackOperation,
    responses=failures(422),
)
async def list_tokens(
    request: AnyRequest,
    run_id: FromQuery[str],
    services: ServicesDependency,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    offset: Annotated[int, QueryParameter(ge=0, le=2**31)] = 0,
) -> list[FeedbackIngestToken]:
    """Return the run's presigned URLs, oldest first, including expired and revoked ones."""
    base = base_url(request, services.settings.base_url, services.settings.trust_forwarded)
    return _to_wire(await services.tokens.list_issued(run_id, limit, offset), base)


@post(
    "/feedback/tokens/{token:str}",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_BODY,
    opt={"feedback_token_route": True, "feedback_takes_forms": True, "feedback_short_path": True},
    security=NO_KEY,
    summary="Submit feedback through a presigned URL",
    operation_class=SubmitOperation,
    responses=failures(404, 409, 410, 413, 422),
    description=(
        "Accepts JSON, a form, or either as plain text (`sendBeacon`); missing fields are read from the query. "
        "404: never issued. 410: expired or revoked. 422: not valid for the feedback key."
    ),
)
async def submit(
    request: AnyRequest,
    token: FromPath[str],  # noqa: ARG001  `get_pointer` opens it
    services: ServicesDependency,
    data: JSONBody[FeedbackSubmission | None] = None,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description=IDEMPOTENCY)] = None,
) -> Response[SubmissionResult]:
    """Store the feedback durably before responding."""
    pointer = await get_pointer(request, services)
    submission = data or FeedbackSubmission()
    if request.scope["query_string"]:
        submission = _merge_submission(submission, parse_form_submission(list(request.query_params.multi_items())))
    if wants_page(request.headers):
        await remember_project(request, services, pointer)
        return await submit_form(request, pointer, services, submission)
    submission.validate()
    await admit_submission(request.scope, services, pointer)
    return _respond(await services.store.submit(pointer, submission, clean_idempotency(idempotency_key)))


def _merge_submission(body: FeedbackSubmission, query: FeedbackSubmission) -> FeedbackSubmission:
    for name in body.__struct_fields__:
        if getattr(body, name) is None:
            setattr(body, name, getattr(query, name))
    return body


def clean_idempotency(key: str | None) -> str | None:
    """Return the header's value, if it can be stored."""
    return check_text("Idempotency-Key", key, 255) if key else None


@get(
    "/feedback/tokens/{token:str}",
    tags=TAGS,
    opt={"feedback_token_route": True},
    security=NO_KEY,
    summary="Submit feedback by GET, or get the page",
    operation_class=FeedbackOperation,
    responses=failures(404, 409, 410, 422),
    description=(
        "With any of `score`, `value`, `comment`, `correction`, `metadata` a client that sends `Accept: "
        "application/json`, curl and langsmith submit feedback. Every other client (a browser, a scanner of mail or "
        "chat, an image in a message) gets a page with a button, and nothing is submitted; neither is it by what a "
        "browser only fetches ahead (`Sec-Purpose: prefetch`). The mode `direct` counts every click. Without these "
        "parameters, the response says what the URL is for, and what the subject (`user_id`, or the feedback's `id`) "
        "has submitted; `format=json` asks for this rather than a page."
    ),
)
async def follow(
    request: AnyRequest,
    token: FromPath[str],  # noqa: ARG001  `get_pointer` opens it
    services: ServicesDependency,
    score: Annotated[str | None, _query("A number, or true or false")] = None,
    value: Annotated[str | None, _query("A number, true or false, or text")] = None,
    comment: Annotated[str | None, _query("Text")] = None,
    correction: Annotated[str | None, _query("A JSON object, or text")] = None,
    metadata: Annotated[str | None, _query("A JSON object")] = None,
    user_id: Annotated[str | None, _query("Who submits; replaces the same person's earlier feedback")] = None,
    id: Annotated[str | None, _query("The feedback's id, chosen by the client")] = None,
) -> Response[SubmissionResult | TokenState]:
    """Store the submission in the query, or return the state of the URL."""
    content = {"score": score, "value": value, "comment": comment, "correction": correction, "metadata": metadata}
    given = {name: text for name, text in (content | {"user_id": user_id, "id": id}).items() if text}
    pointer = await get_pointer(request, services)
    await remember_project(request, services, pointer)
    has_content, links = bool(CONTENT_FIELDS & given.keys()), services.settings.links
    grant = await services.store.open(pointer) if links.by_key or not has_content else None
    if not has_content or not may_follow(request, links, grant):
        grant = grant or await services.store.open(pointer)
        if gets_page(request.headers, has_content) and request.query_params.get("format") != "json":
            return await show_question(request, services, grant)
        return _respond(await _state(grant, services, given))
    submission = parse_form_submission(list(request.query_params.multi_items()))
    submission.validate()
    key = clean_idempotency(request.headers.get("idempotency-key"))
    await admit_submission(request.scope, services, pointer)
    kept = await services.store.submit(pointer, submission, key)
    if wants_page(request.headers):
        return thanks(request, kept, services.settings.links.find_allowed(request.query_params.get("redirect")))
    return _respond(kept)


@head("/feedback/tokens/{token:str}", opt={"feedback_token_route": True}, include_in_schema=False)
async def probe(token: FromPath[str], services: ServicesDependency) -> Response[None]:
    """Return whether the URL accepts submissions; nothing is stored."""
    await services.tokens.redeem(token)
    return Response(None, headers=TOKEN_HEADERS, media_type="text/plain")


@route(
    "/feedback/tokens/{token:str}",
    http_method=["OPTIONS"],
    status_code=204,
    include_in_schema=False,
)
async def allow_cors(request: AnyRequest) -> Response[None]:
    """Allow every origin to submit to a presigned URL."""
    return Response(None, status_code=204, headers=preflight(request.headers.get("access-control-request-headers")))


async def _state(grant: Grant, services: ProjectServices, given: Mapping[str, str]) -> TokenState:
    own = await services.own_feedback.read(grant, given.get("user_id"), given.get("id"))
    policy = (grant.config and grant.config.subject_policy) or REPLACE
    return TokenState(grant.key, grant.expires_at, grant.config, policy, own)


def _respond(content: Any) -> Response[Any]:
    return Response(content, status_code=200, headers=TOKEN_HEADERS, media_type="application/json")


TOKEN_ROUTES = [allow_cors, mint, list_tokens, submit, follow, probe]
"""`allow_cors` comes first: Litestar adds its own OPTIONS handler to a path that has none yet."""
