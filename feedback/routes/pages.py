"""The HTML pages of presigned URLs: the question, the thanks with undo, and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote

import uuid_utils
from litestar import Request, Response
from msgspec import structs

from feedback.errors import FeedbackError, FeedbackIsFinal, TokenUsed
from feedback.pages.html import CONTENT_SECURITY_POLICY, Question, failure_page, question_page, thanks_page
from feedback.pages.link_scanners import is_machine, is_prefetch, may_submit, wants_page
from feedback.routes.decoding import submission_of
from feedback.routes.headers import TOKEN_HEADERS
from feedback.routes.rate_limiting import admit_submission
from feedback.schema import FeedbackSubmission, SubmissionResult
from feedback.services import ProjectServices
from feedback.settings import Links
from feedback.tokens.presigned import Grant, Pointer

AnyRequest = Request[Any, Any, Any]
PAGE_HEADERS = {
    **TOKEN_HEADERS,
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Vary": "Accept, User-Agent",
    "X-Content-Type-Options": "nosniff",
}
EMPTY_SUBMISSION = "Please choose a rating or write something first."
RETRACTED = "Your feedback was taken back"


def may_follow(request: AnyRequest, links: Links, grant: Grant | None) -> bool:
    """Return whether this GET submits feedback. Only links whose mode depends on the feedback key need the grant."""
    return may_submit(request.headers, links.mode_of(grant.key) if grant is not None else links.mode)


def show_question(request: AnyRequest, services: ProjectServices, grant: Grant) -> Response[Any]:
    """Build the page with the question, which preselects the feedback that the link names.

    Errors: `TokenUsed` if the URL accepts no more feedback, unless the link names a subject, who may have submitted
    feedback before and may change it.
    """
    redirect = services.settings.links.allowed(request.query_params.get("redirect"))
    given = _preselected(list(request.query_params.multi_items()))
    if given.user_id is None and grant.is_used_up:
        raise TokenUsed("This feedback URL has taken all the feedback that it was for; ask for a new one")
    return _page(question_page(_question(request, grant, given, redirect)))


async def submit_form(
    request: AnyRequest, pointer: Pointer, services: ProjectServices, submission: FeedbackSubmission
) -> Response[Any]:
    """Handle the page's form: return the thanks, the page after an undo, or the question again."""
    fields = parse_qs((await request.body()).decode(errors="replace"))
    redirect = services.settings.links.allowed(_first(fields, "redirect"))
    if is_machine(request.headers) or is_prefetch(request.headers):
        return _page(question_page(_question(request, await services.store.open(pointer), submission, redirect)))
    if undo := _first(fields, "undo"):
        await services.store.retract(pointer, undo)
        anew = _question(request, await services.store.open(pointer), FeedbackSubmission(), redirect)
        return _page(question_page(anew, title=RETRACTED))
    if (submission.score, submission.value, submission.comment, submission.correction) == (None,) * 4:
        question = _question(request, await services.store.open(pointer), submission, redirect)
        return _page(question_page(question, problem=EMPTY_SUBMISSION), 422)
    submission.validate()
    return thanks(request, await _store(request, pointer, services, submission), redirect)


async def _store(
    request: AnyRequest, pointer: Pointer, services: ProjectServices, submission: FeedbackSubmission
) -> SubmissionResult:
    await admit_submission(request, services, pointer)
    return await services.store.submit(pointer, submission, may_change=True)


def thanks(request: AnyRequest, kept: SubmissionResult, redirect: str | None) -> Response[Any]:
    """Build the page that says thanks, offers to undo feedback that is not final, and links to `redirect`."""
    return _page(thanks_page(_action(request), None if kept.is_final else kept.id, redirect))


def failure(request: AnyRequest, status: int, detail: str, code: str) -> Response[Any] | None:
    """Return the error as a page if the request accepts HTML."""
    if not wants_page(request.headers):
        return None
    is_lasting = status in (404, 405, 410) or code == FeedbackIsFinal.code
    again = _action(request) if request.path_params.get("token") and not is_lasting else None
    return _page(failure_page(status, detail, code, again), status)


def _question(request: AnyRequest, grant: Grant, given: FeedbackSubmission, redirect: str | None) -> Question:
    name = given.id or str(uuid_utils.uuid7())
    return Question(_action(request), grant.key, grant.config, given, name, redirect)


def _preselected(query: Sequence[tuple[str, str]]) -> FeedbackSubmission:
    """Return the submission in the link; the person fills in invalid fields."""
    given = FeedbackSubmission()
    for name in given.__struct_fields__:
        try:
            one = submission_of([(field, text) for field, text in query if field == name])
            one.validate()
        except FeedbackError:
            continue
        given = structs.replace(given, **{name: getattr(one, name)})
    return given


def _first(fields: Mapping[str, list[str]], name: str) -> str | None:
    return next(iter(fields.get(name, [])), None)


def _action(request: AnyRequest) -> str:
    """Return the presigned URL relative to itself, without its query, which also works behind a proxy's prefix."""
    return "./" + quote(str(request.path_params["token"]), safe="")


def _page(html: str, status: int = 200) -> Response[Any]:
    return Response(html, status_code=status, headers=PAGE_HEADERS, media_type="text/html")
