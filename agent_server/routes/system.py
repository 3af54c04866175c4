"""`/ok` and `/info`."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency

OFFICIAL_VERSION = "0.16.7"
"""The official Agent Server whose wire this one speaks; clients read `version` to know what they may ask for."""


@get(["/ok", "/"], tags=["system"])
async def ok() -> dict[str, Any]:
    """Whether the server answers."""
    return {"ok": True, "services": {}}


@get("/info", tags=["system"])
async def info(info_extra: NamedDependency[dict[str, Any]]) -> dict[str, Any]:
    """What this server is, in the official server's fields."""
    return {
        "version": OFFICIAL_VERSION,
        "langgraph_py_version": _version("langgraph"),
        "agent_server_version": _version("agent-server"),
        "python_version": sys.version.split()[0],
        "flags": {"assistants": True, "crons": True, "langsmith": False, "langsmith_tracing_replicas": False},
        "host": {
            "kind": "self-hosted",
            "project_id": None,
            "host_revision_id": None,
            "revision_id": None,
            "tenant_id": None,
        },
        **info_extra,
    }


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What is served here, as an OpenAPI document; `/docs` shows it."""
    return request.app.openapi_schema.to_schema()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


HANDLERS = [ok, info, openapi]
