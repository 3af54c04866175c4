"""Rate limits of submissions and mintings by address, token and project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.types import HTTPScope

from feedback.projects.known_projects import FREE_RULES, KnownProjects
from feedback.routes.authentication import get_entry
from feedback.routes.origins import hold
from feedback.services import ProjectServices
from feedback.tokens.presigned import Pointer
from feedback.tokens.sealed import Opened

AnyRequest = Request[Any, Any, Any]
OpenToken = Callable[[str], Awaitable[Opened]]
"""Opens a sealed token. Errors: `TokenUnknown`."""


async def admit_minting(request: AnyRequest, services: ProjectServices) -> None:
    """Count a minting for the project, and for the address if there is no API key. Errors: `TooMany`."""
    if not get_entry(request).showed_key:
        services.rate_limiter.admit(_peer(request.scope), request.scope["headers"], minting=True)
    known = await services.projects.get_known()
    if known.have_rates:
        _count(services, known, services.project)


async def admit_submission(scope: HTTPScope, services: ProjectServices, pointer: Pointer) -> None:
    """Count a submission to a presigned URL for the address, the URL and its project. Errors: `TooMany`."""
    services.rate_limiter.admit(_peer(scope), scope["headers"], (pointer.grant, pointer.place))
    known = await services.projects.get_known()
    if known.have_rates:
        _count(services, known, await services.projects.find_by_grant(pointer.grant))


async def open_and_admit(request: AnyRequest, services: ProjectServices, open_token: OpenToken, token: str) -> Opened:
    """Count the submission for the address, open the sealed token, and check its page and project.

    Errors: `TooMany`, `TokenUnknown`, `Forbidden`.
    """
    services.rate_limiter.admit(_peer(request.scope), request.scope["headers"])
    opened = await open_token(token)
    await hold_sealed(request, services, opened.body.project)
    known = await services.projects.get_known()
    if known.have_rates:
        _count(services, known, opened.body.project)
    return opened


async def hold_sealed(request: AnyRequest, services: ProjectServices, project: str) -> None:
    """Return if the request's page may use sealed tokens of the project. Errors: `Forbidden`."""
    known = await services.projects.get_known()
    if known.have_origins:
        hold(request, known, project)


def _count(services: ProjectServices, known: KnownProjects, project: str) -> None:
    if (rate := known.rules.get(project, FREE_RULES).rate) is not None:
        services.rate_limiter.admit_to(project, rate)


def _peer(scope: HTTPScope) -> str | None:
    client = scope["client"]
    return client[0] if client else None
