"""`/assistants`."""

from __future__ import annotations

from litestar import get, post

from agent_server.assistants import Assistants
from agent_server.schema import Assistant, AssistantSearch


@get("/assistants/{assistant_id:str}", tags=["assistants"])
async def get_assistant(assistant_id: str, assistants: Assistants) -> Assistant:
    """The assistant with this id."""
    return await assistants.get(assistant_id)


@post("/assistants/search", tags=["assistants"], status_code=200)
async def search_assistants(data: AssistantSearch, assistants: Assistants) -> list[Assistant]:
    """The assistants that fit, the newest first."""
    return await assistants.search(data)


HANDLERS = [get_assistant, search_assistants]
