"""`/assistants`."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from agent_server.assistants.assistants import Assistants
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.schema import (
    Assistant,
    AssistantCreate,
    AssistantFilter,
    AssistantPatch,
    AssistantSearch,
    AssistantVersion,
    DrawnGraph,
    GraphSchema,
    SubgraphSchema,
    VersionChange,
    VersionSearch,
)
from agent_server.errors import Invalid
from agent_server.routes.authorization import get_ownership
from agent_server.routes.json_responses import allow_any_fields, describe_response, respond_json, respond_page
from agent_server.routes.openapi import PageOperation
from agent_server.streams.deletion import Deletion

Recurse = Annotated[bool, QueryParameter(description="Whether to go on into the subgraphs of subgraphs.")]

_PAGE = describe_response(list[allow_any_fields(Assistant)], "The assistants, or of each the fields in `select`.")  # type: ignore[misc]  # made at run time
_DRAWN = describe_response(DrawnGraph, "The nodes and edges.")
_SCHEMAS = describe_response(GraphSchema, "The schemas.")
_SUBGRAPHS = describe_response(dict[str, SubgraphSchema], "The schemas of the subgraphs, by namespace.")


@post("/assistants", tags=["assistants"], status_code=200)
async def create_assistant(
    data: JSONBody[AssistantCreate], request: Request[Any, Any, Any], assistants: NamedDependency[Assistants]
) -> Assistant:
    """Create an assistant; 409 if its id exists, unless `if_exists` is `do_nothing`."""
    return await assistants.create(data, get_ownership(request, "assistants"))


@post("/assistants/search", tags=["assistants"], status_code=200, responses=_PAGE, operation_class=PageOperation)
async def search_assistants(
    data: JSONBody[AssistantSearch], request: Request[Any, Any, Any], assistants: NamedDependency[Assistants]
) -> Response[bytes]:
    """Return the assistants that match, newest first by default."""
    return respond_page(await assistants.search(data, get_ownership(request, "assistants")), data.select)


@post("/assistants/count", tags=["assistants"], status_code=200)
async def count_assistants(
    data: JSONBody[AssistantFilter], request: Request[Any, Any, Any], assistants: NamedDependency[Assistants]
) -> int:
    """Return how many assistants match."""
    return await assistants.count(data, get_ownership(request, "assistants"))


@get("/assistants/{assistant_id:str}", tags=["assistants"])
async def get_assistant(assistant_id: FromPath[str], assistants: NamedDependency[Assistants]) -> Assistant:
    """Return the assistant with this id."""
    return await assistants.get(assistant_id)


@patch("/assistants/{assistant_id:str}", tags=["assistants"])
async def patch_assistant(
    assistant_id: FromPath[str], data: JSONBody[AssistantPatch], assistants: NamedDependency[Assistants]
) -> Assistant:
    """Change the assistant; this creates a new version."""
    return await assistants.patch(assistant_id, data)


@delete("/assistants/{assistant_id:str}", tags=["assistants"], status_code=204)
async def delete_assistant(
    assistant_id: FromPath[str],
    request: Request[Any, Any, Any],
    assistants: NamedDependency[Assistants],
    deletion: NamedDependency[Deletion],
    delete_threads: Annotated[
        bool,
        QueryParameter(description="Whether to delete the threads that it last ran on, too; their runs are cancelled."),
    ] = False,
) -> None:
    """Delete the assistant with its versions. Its graph still runs under the graph's own name."""
    assistant = await assistants.get(assistant_id)
    if delete_threads:
        await deletion.delete_threads_of_assistant(assistant.assistant_id, get_ownership(request, "threads"))
    await assistants.delete(assistant.assistant_id)


@post("/assistants/{assistant_id:str}/versions", tags=["assistants"], status_code=200)
async def search_versions(
    assistant_id: FromPath[str], data: JSONBody[VersionSearch], assistants: NamedDependency[Assistants]
) -> list[AssistantVersion]:
    """Return the assistant's versions, newest first."""
    return await assistants.versions(assistant_id, data)


@post("/assistants/{assistant_id:str}/latest", tags=["assistants"], status_code=200)
async def set_latest_version(
    assistant_id: FromPath[str], data: JSONBody[VersionChange], assistants: NamedDependency[Assistants]
) -> Assistant:
    """Restore the assistant to this version."""
    return await assistants.set_latest(assistant_id, data.version)


@get("/assistants/{assistant_id:str}/graph", tags=["assistants"], responses=_DRAWN)
async def get_graph(
    assistant_id: FromPath[str],
    assistant_graphs: NamedDependency[AssistantGraphs],
    xray: Annotated[
        str,
        QueryParameter(description="Whether to show what is in subgraphs: `true`, `false`, or down to which depth."),
    ] = "false",
) -> Response[bytes]:
    """Return the nodes and edges of the assistant's graph."""
    return respond_json(await assistant_graphs.graph(assistant_id, _xray(xray)))


@get("/assistants/{assistant_id:str}/schemas", tags=["assistants"], responses=_SCHEMAS)
async def get_schemas(
    assistant_id: FromPath[str], assistant_graphs: NamedDependency[AssistantGraphs]
) -> Response[bytes]:
    """Return the JSON schemas of the graph's input, output, state, configuration and context."""
    return respond_json(await assistant_graphs.schemas(assistant_id))


@get("/assistants/{assistant_id:str}/subgraphs", tags=["assistants"], responses=_SUBGRAPHS)
async def get_subgraphs(
    assistant_id: FromPath[str], assistant_graphs: NamedDependency[AssistantGraphs], recurse: Recurse = False
) -> Response[bytes]:
    """Return the schemas of the graph's subgraphs, by namespace."""
    return respond_json(await assistant_graphs.subgraphs(assistant_id, None, recurse))


@get("/assistants/{assistant_id:str}/subgraphs/{namespace:str}", tags=["assistants"], responses=_SUBGRAPHS)
async def get_subgraph(
    assistant_id: FromPath[str],
    namespace: FromPath[str],
    assistant_graphs: NamedDependency[AssistantGraphs],
    recurse: Recurse = False,
) -> Response[bytes]:
    """Return the schemas of the subgraph with this namespace, such as `node` or, with `recurse`, `node|inner`."""
    return respond_json(await assistant_graphs.subgraphs(assistant_id, namespace, recurse))


def _xray(text: str) -> int | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) > 0:
        return int(text)
    raise Invalid(f"xray {text!r} must be true, false, or a depth of 1 or more")


HANDLERS = [
    create_assistant,
    search_assistants,
    count_assistants,
    get_assistant,
    patch_assistant,
    delete_assistant,
    search_versions,
    set_latest_version,
    get_graph,
    get_schemas,
    get_subgraphs,
    get_subgraph,
]
