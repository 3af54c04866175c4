"""What a browser gets behind a presigned URL: the question, the thanks with its undo, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote

import uuid_utils
from litestar import Request, Response
from msgspec import structs

from feedback.errors import AnswerStands, FeedbackError, TokenUsed
from feedback.pages.html import CONTENT_SECURITY_POLICY, Question, failure_page, question_page, thanks_page
from feedback.pages.link_scanners import is_machine, is_prefetch, may_submit, wants_page
from feedback.routes.decoding import submission_of
from feedback.routes.headers import TOKEN_HEADERS
from feedback.routes.rate_limiting import admit_answer
from feedback.schema import FeedbackSubmission, Kept
from feedback.services import ProjectServices
from feedback.tokens.presigned import Pointer

AnyRequest = Request[Any, Any, Any]
PAGE_HEADERS = {
    **TOKEN_HEADERS,
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Vary": "Accept, User-Agent",
    "X-Content-Type-Options": "nosniff",
}
NOTHING_SAID = "Please choose an answer or write something first."
TAKEN_BACK = "Your answer was taken back"


async def may_follow(request: AnyRequest, token: str, services: ProjectServices) -> bool:
    """Whether this GET is a submission; the key is looked up only where keys differ."""
    links = services.settings.links
    mode = links.mode_of((await services.tokens.redeem(token)).key) if links.by_key else links.mode
    return may_submit(request.headers, mode)


async def ask(request: AnyRequest, token: str, services: ProjectServices) -> Response[Any]:
    """The page with the question, and with what the link says as its answer.

    `TokenUsed` where nobody could answer it any more: who is named may have answered, and change their mind.
    """
    redirect = services.settings.links.allowed(request.query_params.get("redirect"))
    given = _preselected(list(request.query_params.multi_items()))
    if given.user_id is None and (await services.store.open(await services.tokens.open(token))).is_used_up:
        raise TokenUsed("This feedback URL has taken all the answers that it was for; ask for a new one")
    return _page(question_page(await _question(token, services, given, redirect)))


async def take_form(
    request: AnyRequest, token: str, services: ProjectServices, answer: FeedbackSubmission
) -> Response[Any]:
    """What became of the page's form: thanks, the answer taken back, or the question again."""
    pointer = await services.tokens.open(token)
    fields = parse_qs((await request.body()).decode(errors="replace"))
    redirect = services.settings.links.allowed(_first(fields, "redirect"))
    if is_machine(request.headers) or is_prefetch(request.headers):
        return _page(question_page(await _question(token, services, answer, redirect)))
    if undo := _first(fields, "undo"):
        await services.store.take_back(pointer, undo)
        anew = await _question(token, services, FeedbackSubmission(), redirect)
        return _page(question_page(anew, title=TAKEN_BACK))
    if (answer.score, answer.value, answer.comment, answer.correction) == (None,) * 4:
        question = await _question(token, services, answer, redirect)
        return _page(question_page(question, problem=NOTHING_SAID), 422)
    answer.validate()
    return thanks(token, await _keep(request, pointer, services, answer), redirect)


async def _keep(request: AnyRequest, pointer: Pointer, services: ProjectServices, answer: FeedbackSubmission) -> Kept:
    await admit_answer(request, services, pointer)
    return await services.store.submit(pointer, answer, may_change=True)


def thanks(token: str, kept: Kept, redirect: str | None) -> Response[Any]:
    """The page that says thanks, takes the answer back where that can be done, and leads on."""
    return _page(thanks_page(_action(token), None if kept.is_final else kept.id, redirect))


def failure(request: AnyRequest, status: int, detail: str, code: str) -> Response[Any] | None:
    """The failure as a page, where the request takes one."""
    if not wants_page(request.headers):
        return None
    token = str(request.path_params.get("token", ""))
    again = _action(token) if token and status not in (404, 405, 410) and code != AnswerStands.code else None
    return _page(failure_page(status, detail, code, again), status)


async def _question(token: str, services: ProjectServices, given: FeedbackSubmission, redirect: str | None) -> Question:
    grant = await services.store.open(await services.tokens.open(token))
    name = given.id or str(uuid_utils.uuid7())
    return Question(_action(token), grant.key, grant.config, given, name, redirect)


def _preselected(query: Sequence[tuple[str, str]]) -> FeedbackSubmission:
    """What the link says; a field that is not right is left for the person to fill in."""
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


def _action(token: str) -> str:
    """The URL relative to itself, without its query: right below any prefix that a proxy takes off."""
    return "./" + quote(token, safe="")


def _page(html: str, status: int = 200) -> Response[Any]:
    return Response(html, status_code=status, headers=PAGE_HEADERS, media_type="text/html")
