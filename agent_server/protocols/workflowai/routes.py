"""`/v1/{tenant}/agents/…`: the routes on which WorkflowAI's SDKs register, run and reply to agents."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp

from agent_server.protocols.workflowai.errors import EXCEPTION_HANDLERS
from agent_server.protocols.workflowai.openapi import FAILURES, RUN_RESPONSES, RunOperation
from agent_server.protocols.workflowai.schema import (
    AgentCreate,
    RegisteredAgent,
    ReplyRequest,
    RunRequest,
)
from agent_server.protocols.workflowai.service import WorkflowAIRuns

TAGS = ["WorkflowAI"]
OPT = {"authorized_in_handler": True}
RUN_PATHS = [
    "/v1/{tenant:str}/agents/{agent_id:str}/schemas/{schema_id:str}/run",
    "/v1/{tenant:str}/tasks/{agent_id:str}/schemas/{schema_id:str}/run",
]
REPLY_PATHS = [
    "/v1/{tenant:str}/agents/{agent_id:str}/runs/{run_id:str}/reply",
    "/v1/{tenant:str}/tasks/{agent_id:str}/runs/{run_id:str}/reply",
]


@post(
    "/v1/{tenant:str}/agents",
    tags=TAGS,
    opt=OPT,
    status_code=200,
    responses=FAILURES,
    exception_handlers=EXCEPTION_HANDLERS,
)
async def register_workflowai_agent(
    tenant: FromPath[str],
    data: JSONBody[AgentCreate],
    request: Request[Any, Any, Any],
    workflowai: NamedDependency[WorkflowAIRuns],
) -> RegisteredAgent:
    """Look up the agent that an SDK will run."""
    return await workflowai.register(request, tenant, data)


@post(
    RUN_PATHS,
    tags=TAGS,
    opt=OPT,
    status_code=200,
    responses=RUN_RESPONSES,
    operation_class=RunOperation,
    exception_handlers=EXCEPTION_HANDLERS,
)
async def run_workflowai_agent(
    tenant: FromPath[str],
    agent_id: FromPath[str],
    schema_id: FromPath[str],  # noqa: ARG001  every agent has one schema
    data: JSONBody[RunRequest],
    request: Request[Any, Any, Any],
    workflowai: NamedDependency[WorkflowAIRuns],
) -> ASGIApp:
    """Run an agent and return its output; with `stream`, send the output so far in each event."""
    return await workflowai.response(await workflowai.run(request, tenant, agent_id, data))


@post(
    REPLY_PATHS,
    tags=TAGS,
    opt=OPT,
    status_code=200,
    responses=RUN_RESPONSES,
    operation_class=RunOperation,
    exception_handlers=EXCEPTION_HANDLERS,
)
async def reply_to_workflowai_run(
    tenant: FromPath[str],
    agent_id: FromPath[str],
    run_id: FromPath[str],
    data: JSONBody[ReplyRequest],
    request: Request[Any, Any, Any],
    workflowai: NamedDependency[WorkflowAIRuns],
) -> ASGIApp:
    """Continue the conversation of a run with a message, or with the results of its tool calls."""
    return await workflowai.response(await workflowai.reply(request, tenant, agent_id, run_id, data))


HANDLERS = [register_workflowai_agent, run_workflowai_agent, reply_to_workflowai_run]
