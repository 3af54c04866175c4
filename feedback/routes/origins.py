"""Origins: the sites whose pages may submit feedback to a project's URLs, if the project lists any.

A browser sends the page's origin (`Origin`), or at least that it is cross-site (`Sec-Fetch-Site`); such a request from
an unlisted origin is rejected, with a response that no page can read. Links that people follow, programs, and this
service's own pages are not cross-site.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from feedback.auth import is_of_another_site
from feedback.errors import Forbidden, TokenUnknown
from feedback.projects.known_projects import FREE_RULES, KnownProjects
from feedback.routes.presigned_token import get_pointer
from feedback.services import ProjectServices

AnyRequest = Request[Any, Any, Any]
ALLOWED = "feedback_allowed_origin"
"""The request state's entry for the origin that may read the response; empty for none."""
_ALLOW, _VARY = b"access-control-allow-origin", b"vary"


async def hold_presigned(request: AnyRequest, services: ProjectServices) -> None:
    """Return if the page may use the presigned URL. It costs one memory lookup if no project lists origins.

    Errors: `Forbidden`, except on a preflight: the browser blocks what its response does not allow.
    """
    known = await services.projects.get_known()
    if not known.have_origins:
        return
    try:
        pointer = await get_pointer(request, services)
    except TokenUnknown:
        return  # the handler raises the error
    hold(request, known, await services.projects.find_by_grant(pointer.grant))


def hold(request: AnyRequest, known: KnownProjects, project: str) -> None:
    """Return if the page may use tokens of the project. Errors: `Forbidden`."""
    origins = known.rules.get(project, FREE_RULES).origins
    if not origins or not is_of_another_site(request.headers):
        return
    origin = request.headers.get("origin", "")
    is_listed = origin.lower() in origins
    request.scope["state"][ALLOWED] = origin if is_listed else ""
    if not is_listed and request.method != "OPTIONS":
        raise Forbidden(
            f"Pages of {origin[:200] or 'other sites'} may not submit feedback here; "
            "the project lists the origins that may"
        )


def narrow_origins(app: ASGIApp, **_: Any) -> ASGIApp:
    """Return a middleware that lets only the checked origin read the response."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_narrowed(message: Message) -> None:
            if message["type"] == "http.response.start" and (origin := scope["state"].get(ALLOWED)) is not None:
                message["headers"] = _narrow_headers(list(message["headers"]), origin)
            await send(message)

        await app(scope, receive, send_narrowed)

    return respond


def _narrow_headers(headers: list[tuple[bytes, bytes]], origin: str) -> list[tuple[bytes, bytes]]:
    varying = [value for name, value in headers if name.lower() == _VARY]
    others = [one for one in headers if one[0].lower() not in (_ALLOW, _VARY)]
    allowed = [(_ALLOW, origin.encode("latin-1"))] if origin else []
    return [*others, *allowed, (_VARY, b", ".join([*varying, b"Origin"]))]
