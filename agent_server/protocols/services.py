"""The services of the protocols' handlers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from msgspec import Struct

from agent_server.assistants.assistants import Assistants
from agent_server.assistants.default_keys import default_keys
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.schema import Assistant
from agent_server.config import Config
from agent_server.protocols.agents import AgentFinder
from agent_server.routes.authentication import RequestAuthenticator, read_project
from agent_server.runs.feedback import RunFeedback
from agent_server.runs.queue import Runs
from agent_server.runs.webhook_targets import WebhookTargets
from agent_server.schema import JsonObject
from agent_server.streams.run_streams import RunStreams


class RequestServices(Struct):
    """One HTTP request and the services that handle it."""

    http: Request[Any, Any, Any]
    config: Config
    authenticator: RequestAuthenticator
    agents: AgentFinder
    assistants: Assistants
    graphs: AssistantGraphs
    runs: Runs
    streams: RunStreams
    feedback: RunFeedback
    webhook_targets: WebhookTargets


async def request_services(
    request: Request[Any, Any, Any],
    server_config: NamedDependency[Config],
    authenticator: NamedDependency[RequestAuthenticator],
    agent_finder: NamedDependency[AgentFinder],
    assistants: NamedDependency[Assistants],
    assistant_graphs: NamedDependency[AssistantGraphs],
    runs: NamedDependency[Runs],
    streams: NamedDependency[RunStreams],
    run_feedback: NamedDependency[RunFeedback],
    webhook_targets: NamedDependency[WebhookTargets],
) -> RequestServices:
    """Return the services of a request."""
    return RequestServices(
        request,
        server_config,
        authenticator,
        agent_finder,
        assistants,
        assistant_graphs,
        runs,
        streams,
        run_feedback,
        webhook_targets,
    )


SERVICES = {"services": request_services}
"""The dependencies of handlers with a parameter `services`."""


async def find_assistant(services: RequestServices, assistant_id: str) -> Assistant:
    """Return the assistant with this id or graph name, if the caller may see it. Errors: `NotFound`, `Invalid`."""
    named = assistant_id if _is_id(assistant_id) else (await services.assistants.ref(assistant_id)).assistant_id
    await services.authenticator.authorize_as(services.http, "get_assistant", {}, {"assistant_id": named})
    return await services.assistants.get(named)


async def own_feedback_keys(services: RequestServices, assistant: Assistant) -> JsonObject | None:
    """Return the configurations of the assistant's own feedback keys, by key; None if the server takes no feedback."""
    if services.feedback.intake is None:
        return None
    keys = default_keys(bytes(assistant.metadata).decode()) or []
    configs = await services.feedback.configs_of_keys(keys, read_project(services.http)) or {}
    return {key: msgspec.to_builtins(configs.get(key, {})) for key in keys}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
