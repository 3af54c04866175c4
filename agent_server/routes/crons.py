"""`/runs/crons` and `/threads/{thread_id}/runs/crons`: runs on a schedule."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from agent_server.config import Config
from agent_server.routes.authentication import read_project
from agent_server.routes.authorization import get_caller, get_ownership
from agent_server.routes.base_url import base_url
from agent_server.routes.json_responses import allow_any_fields, describe_response, respond_page
from agent_server.routes.openapi import PageOperation
from agent_server.runs.crons.crons import Crons
from agent_server.runs.crons.schema import Cron, CronCreate, CronFilter, CronPatch, CronSearch

_PAGE = describe_response(list[allow_any_fields(Cron)], "The crons, or of each the fields in `select`.")  # type: ignore[misc]  # made at run time


@post("/threads/{thread_id:str}/runs/crons", tags=["crons"], status_code=200)
async def create_thread_cron(
    thread_id: FromPath[str],
    data: JSONBody[CronCreate],
    request: Request[Any, Any, Any],
    crons: NamedDependency[Crons],
    server_config: NamedDependency[Config],
) -> Cron:
    """Create a cron whose runs use this thread."""
    return await crons.create(
        data, thread_id, base_url(request, server_config), get_caller(request), read_project(request)
    )


@post("/runs/crons", tags=["crons"], status_code=200)
async def create_cron(
    data: JSONBody[CronCreate],
    request: Request[Any, Any, Any],
    crons: NamedDependency[Crons],
    server_config: NamedDependency[Config],
) -> Cron:
    """Create a cron whose runs each use a new thread, which is kept if `on_run_completed` is `keep`."""
    return await crons.create(data, None, base_url(request, server_config), get_caller(request), read_project(request))


@post("/runs/crons/search", tags=["crons"], status_code=200, responses=_PAGE, operation_class=PageOperation)
async def search_crons(
    data: JSONBody[CronSearch], request: Request[Any, Any, Any], crons: NamedDependency[Crons]
) -> Response[bytes]:
    """Return the crons that match, newest first by default."""
    return respond_page(await crons.search(data, get_ownership(request, "crons")), data.select)


@post("/runs/crons/count", tags=["crons"], status_code=200)
async def count_crons(
    data: JSONBody[CronFilter], request: Request[Any, Any, Any], crons: NamedDependency[Crons]
) -> int:
    """Return how many crons match."""
    return await crons.count(data, get_ownership(request, "crons"))


@get("/runs/crons/{cron_id:str}", tags=["crons"])
async def get_cron(cron_id: FromPath[str], crons: NamedDependency[Crons]) -> Cron:
    """Return the cron with this id."""
    return await crons.get(cron_id)


@patch("/runs/crons/{cron_id:str}", tags=["crons"])
async def patch_cron(cron_id: FromPath[str], data: JSONBody[CronPatch], crons: NamedDependency[Crons]) -> Cron:
    """Change the cron; a new schedule applies from now on."""
    return await crons.patch(cron_id, data)


@delete("/runs/crons/{cron_id:str}", tags=["crons"], status_code=204)
async def delete_cron(cron_id: FromPath[str], crons: NamedDependency[Crons]) -> None:
    """Delete the cron; runs that it has started continue."""
    await crons.delete(cron_id)


HANDLERS = [create_thread_cron, create_cron, search_crons, count_crons, get_cron, patch_cron, delete_cron]
