"""Tracing: the trace that a run is part of, as the request that created it said."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request

from agent_server.schema import RunCreate

TRACE_PARENT = "traceparent"
MAX_HEADER = 200


def traced(body: RunCreate, request: Request[Any, Any, Any]) -> RunCreate:
    """`body`, with the request's W3C `traceparent` in its metadata, unless the metadata has one of its own.

    So whatever asks about the run later, such as feedback, finds the trace to link to.
    """
    header = request.headers.get(TRACE_PARENT, "")[:MAX_HEADER]
    if not header or TRACE_PARENT in (body.metadata or {}):
        return body
    return msgspec.structs.replace(body, metadata={**(body.metadata or {}), TRACE_PARENT: header})
