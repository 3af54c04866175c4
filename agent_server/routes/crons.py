"""`/runs/crons` and `/threads/{thread_id}/runs/crons`: runs that start again and again."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from agent_server.config import Config
from agent_server.crons.crons import Crons
from agent_server.crons.schema import Cron, CronCreate, CronFilter, CronPatch, CronSearch
from agent_server.routes.authentication import project_in
from agent_server.routes.authorization import caller_in, owned
from agent_server.routes.base_url import base_url
from agent_server.routes.json_responses import answers, any_fields_of, page_answer
from agent_server.routes.openapi import PageOperation

_PAGE = answers(list[any_fields_of(Cron)], "The crons, or of each the fields in `select`.")  # type: ignore[misc]  # made at run time


@post("/threads/{thread_id:str}/runs/crons", tags=["crons"], status_code=200)
async def create_thread_cron(
    thread_id: FromPath[str],
    data: JSONBody[CronCreate],
    request: Request[Any, Any, Any],
    crons: NamedDependency[Crons],
    server_config: NamedDependency[Config],
) -> Cron:
    """Create a cron whose runs happen on this thread."""
    return await crons.create(
        data, thread_id, base_url(request, server_config), caller_in(request), project_in(request)
    )


@post("/runs/crons", tags=["crons"], status_code=200)
async def create_cron(
    data: JSONBody[CronCreate],
    request: Request[Any, Any, Any],
    crons: NamedDependency[Crons],
    server_config: NamedDependency[Config],
) -> Cron:
    """Create a cron whose runs each happen on a new thread, which is kept where `on_run_completed` is `keep`."""
    return await crons.create(data, None, base_url(request, server_config), caller_in(request), project_in(request))


@post("/runs/crons/search", tags=["crons"], status_code=200, responses=_PAGE, operation_class=PageOperation)
async def search_crons(
    data: JSONBody[CronSearch], request: Request[Any, Any, Any], crons: NamedDependency[Crons]
) -> Response[bytes]:
    """The crons that fit, the newest first where no other order is asked for."""
    return page_answer(await crons.search(data, owned(request, "crons")), data.select)


@post("/runs/crons/count", tags=["crons"], status_code=200)
async def count_crons(
    data: JSONBody[CronFilter], request: Request[Any, Any, Any], crons: NamedDependency[Crons]
) -> int:
    """How many crons fit."""
    return await crons.count(data, owned(request, "crons"))


@get("/runs/crons/{cron_id:str}", tags=["crons"])
async def get_cron(cron_id: FromPath[str], crons: NamedDependency[Crons]) -> Cron:
    """The cron with this id."""
    return await crons.get(cron_id)


@patch("/runs/crons/{cron_id:str}", tags=["crons"])
async def patch_cron(cron_id: FromPath[str], data: JSONBody[CronPatch], crons: NamedDependency[Crons]) -> Cron:
    """Change the cron. What changes when it fires counts from now on."""
    return await crons.patch(cron_id, data)


@delete("/runs/crons/{cron_id:str}", tags=["crons"], status_code=204)
async def delete_cron(cron_id: FromPath[str], crons: NamedDependency[Crons]) -> None:
    """Delete the cron; the runs that it has started go on."""
    await crons.delete(cron_id)


HANDLERS = [create_thread_cron, create_cron, search_crons, count_crons, get_cron, patch_cron, delete_cron]
