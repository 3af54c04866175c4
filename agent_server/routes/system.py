"""`/ok`, `/info` and `/metrics`."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal

from litestar import Request, Response, get, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter, SkipValidation

from agent_server.config import Config
from agent_server.errors import Unavailable
from agent_server.observability.metrics import CONTENT_TYPE
from agent_server.routes.authentication import ANY_KEY, NO_KEY, OPEN, RequestAuthenticator
from agent_server.routes.health import HealthChecks
from agent_server.routes.json_responses import respond_json
from agent_server.routes.openapi import SECURITY_SCHEMES, TextOrJsonOperation
from agent_server.routes.openapi_document import document_of
from agent_server.runs.server_metrics import ServerMetrics

OFFICIAL_VERSION = "0.16.7"
"""The official Agent Server version whose API this server implements; clients read `version` to detect features."""

_METRICS = {
    200: ResponseSpec(str, generate_examples=False, media_type="text/plain", description="The metrics; or JSON.")
}


@route(["/ok", "/"], http_method=["GET", "HEAD"], tags=["system"], summary="Check health", opt=OPEN, security=NO_KEY)
async def ok(
    health_checks: NamedDependency[HealthChecks],
    server_metrics: NamedDependency[ServerMetrics],
    check_db: Annotated[
        bool,
        QueryParameter(description="Also check every database and Redis; 503 names those that cannot be used."),
    ] = False,
) -> Response[dict[str, Any]]:
    """Return whether the server responds; 503 while it drains before a stop, so that a load balancer avoids it."""
    if server_metrics.draining:
        raise Unavailable("This server is about to stop; send requests to another")
    problems = await health_checks.problems() if check_db else {}
    if not problems:
        return Response({"ok": True, "services": {}}, status_code=200)
    detail = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
    return Response({"ok": False, "services": problems, "detail": detail}, status_code=503)


@get("/info", tags=["system"], summary="Get versions and features", opt=OPEN, security=NO_KEY)
async def info(info_extra: NamedDependency[dict[str, Any]]) -> dict[str, Any]:
    """Return version and features, in the official server's fields."""
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


@get(
    "/metrics",
    tags=["system"],
    summary="Get metrics",
    responses=_METRICS,
    operation_class=TextOrJsonOperation,
    opt=ANY_KEY,
)
async def metrics(
    server_metrics: NamedDependency[ServerMetrics],
    format: Annotated[
        Literal["prometheus", "json"], QueryParameter(description="`json` has what the official server's has.")
    ] = "prometheus",
) -> Response[bytes]:
    """Return metrics of queue, runs, requests and databases, in the Prometheus text format or as JSON."""
    if format == "json":
        return respond_json(await server_metrics.document())
    return Response((await server_metrics.text()).encode(), media_type=CONTENT_TYPE)


@get("/openapi.json", include_in_schema=False, opt=OPEN)
async def openapi(
    request: Request[Any, Any, Any],
    server_config: NamedDependency[Config],
    authenticator: NamedDependency[SkipValidation[RequestAuthenticator]],
) -> dict[str, Any]:
    """Return the OpenAPI document with its authentication: the application's own, or API keys; `/docs` shows it."""
    document = await document_of(request.app)
    security: dict[str, Any] = {
        "securitySchemes": SECURITY_SCHEMES,
        "security": [{name: []} for name in SECURITY_SCHEMES],
    }
    if server_config.auth:
        security = dict(server_config.auth.openapi)
    elif not await authenticator.needs_key():
        security["security"].append({})
    if schemes := security.get("securitySchemes"):
        document = {**document, "components": {**document["components"], "securitySchemes": schemes}}
    return {**document, **({"security": security["security"]} if "security" in security else {})}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


HANDLERS = [ok, info, metrics, openapi]
