"""`/agents`: assistants as agents."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from agent_server.assistants.schema import Assistant, AssistantSearch
from agent_server.errors import AgentServerError
from agent_server.protocols.agent_protocol.schema import Agent, AgentSchemas, AgentSearch, build_agent
from agent_server.protocols.services import SERVICES, RequestServices
from agent_server.routes.authentication import AUTHORIZED_IN_HANDLER
from agent_server.routes.authorization import get_ownership
from agent_server.routes.json_responses import describe_response, respond_json
from agent_server.routes.openapi import AgentServerOperation
from agent_server.schema import JsonObject

TAGS = ["agents"]


@post(
    "/agents/search",
    tags=TAGS,
    status_code=200,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    operation_class=AgentServerOperation,
    responses=describe_response(list[Agent], "The agents, newest first."),
)
async def search_agents(data: JSONBody[AgentSearch], services: NamedDependency[RequestServices]) -> Response[bytes]:
    """Return the assistants that match, as agents."""
    body: JsonObject = {"metadata": data.metadata or {}, "limit": data.limit, "offset": data.offset}
    await services.authenticator.authorize_as(services.http, "search_assistants", body, {})
    query = AssistantSearch(body["metadata"], None, data.name, data.limit, data.offset)
    found = (await services.assistants.search(query, get_ownership(services.http, "assistants"))).items
    return respond_json([build_agent(one, await _schemas(services, one)) for one in found])


@get(
    "/agents/{agent_id:str}",
    tags=TAGS,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    operation_class=AgentServerOperation,
    responses=describe_response(Agent, "The agent."),
)
async def get_agent(agent_id: FromPath[str], services: NamedDependency[RequestServices]) -> Response[bytes]:
    """Return the assistant with this id, graph name or slug, as an agent."""
    assistant = await _find_assistant(services, agent_id)
    return respond_json(build_agent(assistant, await _schemas(services, assistant)))


@get(
    "/agents/{agent_id:str}/schemas",
    tags=TAGS,
    opt=AUTHORIZED_IN_HANDLER,
    dependencies=SERVICES,
    operation_class=AgentServerOperation,
    responses=describe_response(AgentSchemas, "The schemas."),
)
async def get_agent_schemas(agent_id: FromPath[str], services: NamedDependency[RequestServices]) -> Response[bytes]:
    """Return the JSON schemas of the agent's input, output, state and configuration."""
    assistant = await _find_assistant(services, agent_id)
    schemas = await services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)
    found = [schemas.get(f"{name}_schema") or {} for name in ("input", "output", "state", "config")]
    return respond_json(AgentSchemas(assistant.assistant_id, *found))


async def _find_assistant(services: RequestServices, name: str) -> Assistant:
    return await services.assistants.get((await services.agents.find(services.http, name)).assistant_id)


async def _schemas(services: RequestServices, assistant: Assistant) -> JsonObject:
    try:
        return await services.graphs.get_known_schemas(assistant.assistant_id, assistant.version)
    except AgentServerError:  # the graph no longer exists
        return {}


HANDLERS = [search_agents, get_agent, get_agent_schemas]
