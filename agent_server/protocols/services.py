"""The services of the protocols' handlers."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from msgspec import Struct

from agent_server.assistants.assistants import Assistants
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.config import Config
from agent_server.protocols.agents import AgentFinder
from agent_server.routes.authentication import RequestAuthenticator
from agent_server.runs.feedback import RunFeedback
from agent_server.runs.queue import Runs
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
) -> RequestServices:
    """Return the services of a request."""
    return RequestServices(
        request, server_config, authenticator, agent_finder, assistants, assistant_graphs, runs, streams, run_feedback
    )


SERVICES = {"services": request_services}
"""The dependencies of handlers with a parameter `services`."""
