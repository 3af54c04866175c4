"""Assistants as models: their list, and the model that a request names."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import uuid5

from agent_server.assistants.assistants import SYSTEM_NAMESPACE, AssistantRef
from agent_server.assistants.schema import Assistant, AssistantSearch
from agent_server.assistants.slugs import slug
from agent_server.errors import Conflict, NotFound
from agent_server.protocols.openai.errors import BadParameter, Unknown
from agent_server.protocols.openai.schema import Model
from agent_server.protocols.services import RequestServices
from agent_server.routes.authorization import get_ownership

_MOST_MODELS = 100_000


async def list_models(services: RequestServices) -> list[Model]:
    """Return the caller's models, the oldest first.

    A model's id is the name of its graph, the slug of its assistant's name, or, where several assistants have this
    slug, the assistant's id.
    """
    await services.authenticator.authorize_as(services.http, "search_assistants", {}, {})
    query = AssistantSearch(limit=_MOST_MODELS, sort_by="created_at", sort_order="asc")
    found = (await services.assistants.search(query, get_ownership(services.http, "assistants"))).items
    graphs = {str(uuid5(SYSTEM_NAMESPACE, graph)): graph for graph in services.assistants.graph_ids}
    slugs = Counter(slug(name) for name in graphs.values())
    slugs.update(slug(one.name) for one in found if one.assistant_id not in graphs)
    return [build_model(one, graphs.get(one.assistant_id) or _unique_slug(one, slugs)) for one in found]


def _unique_slug(assistant: Assistant, slugs: Counter[str]) -> str:
    own = slug(assistant.name)
    return own if own and slugs[own] == 1 else assistant.assistant_id


def build_model(assistant: Assistant, model_id: str) -> Model:
    """Return an assistant as a model."""
    return Model(
        id=model_id,
        object="model",
        created=int(datetime.fromisoformat(assistant.created_at).timestamp()),
        owned_by="agent-server",
        name=assistant.name,
        description=assistant.description,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
    )


async def find_model(services: RequestServices, name: str) -> AssistantRef:
    """Return the assistant that a request names as its model. Errors: `Unknown`, `BadParameter`."""
    try:
        return await services.agents.find(services.http, name)
    except NotFound as error:
        raise Unknown("model", f"{error}; GET /v1/models lists them", "model_not_found") from None
    except Conflict as error:
        raise BadParameter("model", str(error), "ambiguous_model") from None
