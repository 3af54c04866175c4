"""Routes that create, list, change and delete projects, for operators; a project's API key sees only its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from litestar import Request, delete, get, patch, post
from litestar.di import Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from feedback.projects.schema import Project, ProjectCreate, ProjectPatch
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency, get_entry
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.services import ProjectServices
from feedback.validation import MAX_MINT_BODY

TAGS = ["Projects"]
OPERATORS = {"feedback_scope": "admin", "feedback_unbound": True}


@get("/feedback/projects", tags=TAGS, summary="List projects", operation_class=FeedbackOperation)
async def list_projects(request: Request[Any, Any, Any], services: ServicesDependency) -> list[Project]:
    """Return the projects, oldest first; an API key of a project sees only that one."""
    projects, own = services.projects, get_entry(request).project
    return await projects.list_projects() if own is None else [await projects.get(own)]


@post(
    "/feedback/projects",
    status_code=200,
    tags=TAGS,
    request_max_body_size=MAX_MINT_BODY,
    summary="Create a project",
    opt=OPERATORS,
    operation_class=FeedbackOperation,
    responses=failures(409, 413, 422),
)
async def create_project(data: JSONBody[ProjectCreate], services: ServicesDependency) -> Project:
    """Create the project and return it; API keys may be bound to it, and requests may name it."""
    return await services.projects.create(data)


@patch(
    "/feedback/projects/{name:str}",
    tags=TAGS,
    request_max_body_size=MAX_MINT_BODY,
    summary="Change a project",
    opt=OPERATORS,
    operation_class=FeedbackOperation,
    responses=failures(404, 413, 422),
)
async def update_project(name: FromPath[str], data: JSONBody[ProjectPatch], services: ServicesDependency) -> Project:
    """Change the project and return it; the change takes effect within seconds."""
    return await services.projects.update(name, data)


def projects_router(dependencies: dict[str, Provide], find_services: Callable[[str], ProjectServices]) -> AppRouter:
    """Return the routes of projects. `find_services` returns the services of the project to erase."""

    @delete(
        "/feedback/projects/{name:str}",
        status_code=204,
        tags=TAGS,
        summary="Remove a project",
        opt=OPERATORS,
        operation_class=FeedbackOperation,
        responses=failures(404, 409, 422),
    )
    async def delete_project(
        name: FromPath[str],
        services: ServicesDependency,
        erase: Annotated[bool, QueryParameter(description="With all its feedback and URLs")] = False,
    ) -> None:
        """Delete the project. A project with feedback or URLs is a 409, unless the request erases them, too."""
        await services.projects.delete(name, find_services(name).erasure if erase else None)

    return AppRouter(
        "/api/v1",
        route_handlers=[list_projects, create_project, update_project, delete_project],
        dependencies=dependencies,
        exception_handlers=FAILURES,
        opt={CHECKS_QUERY: True},
        request_class=FeedbackRequest,
    )
