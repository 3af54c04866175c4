"""Tracing: the trace that a run is part of, as the request that created it said."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection

from agent_server.schema import RunCreate

TRACE_PARENT = "traceparent"
MAX_HEADER = 200


def traced(body: RunCreate, request: Request[Any, Any, Any]) -> RunCreate:
    """`body`, with the request's W3C `traceparent` in its metadata, unless the metadata has one of its own.

    So whatever asks about the run later, such as feedback, finds the trace to link to.
    """
    trace = trace_of(request)
    return msgspec.structs.replace(body, metadata={**trace, **(body.metadata or {})}) if trace else body


def trace_of(request: ASGIConnection[Any, Any, Any, Any]) -> dict[str, str]:
    """The request's W3C `traceparent` as metadata; empty where it has none."""
    header = request.headers.get(TRACE_PARENT, "")[:MAX_HEADER]
    return {TRACE_PARENT: header} if header else {}
