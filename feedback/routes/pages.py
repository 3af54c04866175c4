"""The HTML pages of presigned URLs: the question, the thanks with undo, and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote

import uuid_utils
from litestar import Request, Response
from msgspec import structs

from feedback.configs.feedback_config import FeedbackConfig
from feedback.errors import FeedbackError, FeedbackIsFinal, Invalid, TokenUsed
from feedback.pages.html import Look, Question, failure_page, question_page, thanks_page
from feedback.pages.link_scanners import is_machine, is_prefetch, may_submit, wants_page
from feedback.pages.texts import choose_language, find_language
from feedback.reports.chat_messages import conversation
from feedback.routes.decoding import parse_form_submission
from feedback.routes.headers import TOKEN_HEADERS
from feedback.routes.rate_limiting import admit_submission
from feedback.schema import FeedbackSubmission, SubmissionResult
from feedback.services import ProjectServices
from feedback.settings import Links
from feedback.settings.pages import PageSettings
from feedback.tokens.presigned import Grant, Pointer

AnyRequest = Request[Any, Any, Any]
PAGE_SETTINGS = "feedback_pages"
"""The entry for the settings of the pages: in the application's state the server's, in a request's its project's."""
PAGE_HEADERS = {
    **TOKEN_HEADERS,
    "Vary": "Accept, User-Agent, Accept-Language",
    "X-Content-Type-Options": "nosniff",
}
MAX_REFUSED = 60
"""Characters that are shown of a score or value that the feedback key does not take."""


def may_follow(request: AnyRequest, links: Links, grant: Grant | None) -> bool:
    """Return whether this GET submits feedback. Only links whose mode depends on the feedback key need the grant."""
    return may_submit(request.headers, links.get_mode(grant.key) if grant is not None else links.mode)


async def remember_project(request: AnyRequest, services: ProjectServices, pointer: Pointer) -> None:
    """Let the request's pages, those of errors included, look as the project of the URL says."""
    projects = services.projects
    if (await projects.get_known()).pages:
        project = await projects.find_by_grant(pointer.grant)
        settings = await projects.page_settings(project, _server_settings(request))
        request.scope["state"][PAGE_SETTINGS] = settings


async def show_question(request: AnyRequest, services: ProjectServices, grant: Grant) -> Response[Any]:
    """Build the page with the question, which preselects the feedback that the link names.

    Errors: `TokenUsed` if the URL accepts no more feedback, unless the link names a subject, who may have submitted
    feedback before and may change it.
    """
    given, refused = _preselect(list(request.query_params.multi_items()), grant.config)
    if given.user_id is None and grant.is_used_up:
        raise TokenUsed("This feedback URL has taken all the feedback that it was for; ask for a new one")
    return await _question(request, services, grant, given, refused=refused)


async def submit_form(
    request: AnyRequest, pointer: Pointer, services: ProjectServices, submission: FeedbackSubmission
) -> Response[Any]:
    """Handle the page's form: return the thanks, the page after an undo, or the question again with the problem.

    The hidden id shows that the page was shown, so it counts from any client. Without it, a client that calls itself a
    program gets the page, whose form counts.
    """
    fields = parse_qs((await request.body()).decode(errors="replace"))
    texts = _look(request).texts
    if undo := _get_first(fields, "undo"):
        await services.store.retract(pointer, undo)
        grant = await services.store.open(pointer)
        return await _question(request, services, grant, FeedbackSubmission(), title=texts.removed)
    problem = None
    if not _get_first(fields, "id") and (is_machine(request.headers) or is_prefetch(request.headers)):
        problem = texts.machine
    elif (submission.score, submission.value, submission.comment, submission.correction) == (None,) * 4:
        problem = texts.nothing
    if problem is not None:
        grant = await services.store.open(pointer)
        return await _question(request, services, grant, submission, problem=problem, status=422)
    return await _submit(request, pointer, services, submission)


async def _submit(
    request: AnyRequest, pointer: Pointer, services: ProjectServices, submission: FeedbackSubmission
) -> Response[Any]:
    """Store the form and return the thanks, or the question again if the feedback key does not take it."""
    submission.validate()
    await admit_submission(request.scope, services, pointer)
    try:
        kept = await services.store.submit(pointer, submission, may_change=True)
    except Invalid:
        grant = await services.store.open(pointer)
        fitting, refused = _drop_rejected(submission, _choose_config(grant.config, submission))
        if refused is None:
            raise
        return await _question(request, services, grant, fitting, refused=refused, status=422)
    fields = parse_qs((await request.body()).decode(errors="replace"))
    return thanks(request, kept, services.settings.links.find_allowed(_get_first(fields, "redirect")))


def thanks(request: AnyRequest, kept: SubmissionResult, redirect: str | None) -> Response[Any]:
    """Build the page that says thanks, offers to undo feedback that is not final, and links to `redirect`."""
    look = _look(request)
    return _page(look, thanks_page(look, _action(request), None if kept.is_final else kept.id, redirect))


def respond_with_failure(request: AnyRequest, status: int, detail: str, code: str) -> Response[Any] | None:
    """Return the error as a page if the request accepts HTML."""
    if not wants_page(request.headers):
        return None
    is_lasting = status in (404, 405, 410) or code == FeedbackIsFinal.code
    again = _action(request) if request.path_params.get("token") and not is_lasting else None
    look = _look(request)
    return _page(look, failure_page(look, status, detail, code, again), status)


async def _question(
    request: AnyRequest,
    services: ProjectServices,
    grant: Grant,
    given: FeedbackSubmission,
    *,
    refused: str | None = None,
    status: int = 200,
    **shown: str | None,
) -> Response[Any]:
    """Build a question page; `shown` is its `title` or its `problem`."""
    look = _look(request)
    body = parse_qs((await request.body()).decode(errors="replace")) if request.method == "POST" else {}
    redirect = services.settings.links.find_allowed(
        _get_first(body, "redirect") or request.query_params.get("redirect")
    )
    question = Question(
        _action(request),
        _choose_config(grant.config, given),
        given,
        given.id or str(uuid_utils.uuid7()),
        redirect,
        refused,
        await _reply(services, grant) if look.settings.quotes_reply else None,
    )
    return _page(look, question_page(look, question, **shown), status)


async def _reply(services: ProjectServices, grant: Grant) -> str | None:
    """Return the agent's last message in the run, if the run is known and has one."""
    facts = await services.all_runs.get_project_runs(grant.project).facts(grant.run_id)
    turns = conversation(facts) if facts is not None else None
    replies = [one["content"] for one in turns[1] if one["role"] == "assistant" and one["content"]] if turns else []
    return str(replies[-1]) if replies else None


def _choose_config(config: FeedbackConfig | None, given: FeedbackSubmission) -> FeedbackConfig | None:
    """Return the feedback key's configuration, or else one that is made of the scale that the link names."""
    if config is None and given.scale is not None and len(given.scale) == 2:
        return FeedbackConfig("continuous", given.scale[0], given.scale[1])
    return config


def _preselect(
    query: Sequence[tuple[str, str]], config: FeedbackConfig | None
) -> tuple[FeedbackSubmission, str | None]:
    """Return the submission in the link, and its score or value if the feedback key does not take it.

    The person fills in whatever is invalid.
    """
    given, refused = FeedbackSubmission(), None
    for name in given.__struct_fields__:
        texts = [(field, text) for field, text in query if field == name]
        try:
            one = parse_form_submission(texts)
            one.validate()
        except FeedbackError:
            if name in ("score", "value"):
                refused = texts[0][1][:MAX_REFUSED]
            continue
        given = structs.replace(given, **{name: getattr(one, name)})
    fitting, misfit = _drop_rejected(given, _choose_config(config, given))
    return fitting, misfit or refused


def _drop_rejected(given: FeedbackSubmission, config: FeedbackConfig | None) -> tuple[FeedbackSubmission, str | None]:
    """Return the submission without a score and value that the configuration rejects, and those as text."""
    if config is None:
        return given, None
    try:
        config.check(given.score, given.value)
    except FeedbackError:
        refused = given.value if given.score is None else given.score
        text = ", ".join(map(str, refused)) if isinstance(refused, list) else str(refused)
        return structs.replace(given, score=None, value=None), text[:MAX_REFUSED]
    return given, None


def _look(request: AnyRequest) -> Look:
    """Return how a page for this request looks: in the language of `?lang=`, or else of Accept-Language.

    The settings are the project's if `remember_project` found one, or else the server's.
    """
    language = choose_language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    return Look(language, request.scope["state"].get(PAGE_SETTINGS) or _server_settings(request))


def _server_settings(request: AnyRequest) -> PageSettings:
    return request.app.state.get(PAGE_SETTINGS) or PageSettings()


def _get_first(fields: Mapping[str, list[str]], name: str) -> str | None:
    return next(iter(fields.get(name, [])), None)


def _action(request: AnyRequest) -> str:
    """Return the presigned URL relative to itself, which also works behind a proxy's prefix; only `lang` stays."""
    language = find_language(request.query_params.get("lang"))
    return "./" + quote(str(request.path_params["token"]), safe="") + (f"?lang={language}" if language else "")


def _page(look: Look, html: str, status: int = 200) -> Response[Any]:
    own = {"Content-Security-Policy": look.content_security_policy, "Content-Language": look.language}
    return Response(html, status_code=status, headers={**PAGE_HEADERS, **own}, media_type="text/html")
