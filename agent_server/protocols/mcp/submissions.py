"""The tool `submit_feedback`: stores feedback on a run that the caller may read."""

from __future__ import annotations

from typing import Any

import msgspec

from agent_server.asgi.json_codec import encode
from agent_server.errors import AgentServerError, NotFound
from agent_server.protocols.mcp.calls import error_result
from agent_server.protocols.mcp.feedback import SubmitArguments
from agent_server.protocols.services import RequestServices
from agent_server.routes.authentication import read_project
from agent_server.schema import JsonObject


async def submit_feedback(services: RequestServices, given: JsonObject) -> JsonObject:
    """Store feedback; an error becomes the tool's result, which a model can read and correct."""
    try:
        kept = await _submit(services, msgspec.convert(given, SubmitArguments))
    except msgspec.ValidationError as error:
        return error_result(str(error))
    except AgentServerError as error:
        if error.status_code in (401, 403, 503):
            raise
        return error_result(str(error))
    text = encode(kept)
    structured = msgspec.json.decode(text)
    return {"content": [{"type": "text", "text": text.decode()}], "structuredContent": structured, "isError": False}


async def _submit(services: RequestServices, arguments: SubmitArguments) -> Any:
    project = read_project(services.http)
    if arguments.token:
        return await services.feedback.submit_by_token(arguments.token, arguments.submission(""), project)
    if not arguments.run_id:
        raise NotFound("Name the run: run_id, or token with a feedback URL of the run")
    path = {"run_id": arguments.run_id}
    await services.authenticator.authorize_as(services.http, "run_feedback_of", {}, path)
    record = await services.runs.get(arguments.run_id)
    if project is not None and record.project != project:
        raise NotFound(f"Run with ID {record.run.run_id} has no feedback of the project {project!r}")
    return await services.feedback.submit(record, arguments.submission(arguments.choose_key(record)))
