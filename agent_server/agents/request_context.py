"""Request context: the current user and the headers exposed to graphs.

A graph made by a factory may depend on both, even if it is only read: drawn, or asked for a thread's state. No code
between a route and the factory needs them, so a context variable passes them. Work without a request, such as the
expiry of threads, has neither.
"""

from __future__ import annotations

from contextvars import ContextVar

from msgspec import Struct

from agent_server.schema import JsonObject


class RequestContext(Struct, frozen=True):
    """The user and headers of a request."""

    caller: JsonObject | None = None
    """The user as the application's `auth` returned it, with its `identity`."""
    headers: JsonObject = {}
    """The headers included by `http.configurable_headers` of `langgraph.json`."""


_NO_CONTEXT = RequestContext()
_request_context: ContextVar[RequestContext] = ContextVar("request_context", default=_NO_CONTEXT)


def request_context() -> RequestContext:
    """Return the context of the current request."""
    return _request_context.get()


def set_request_context(request_context: RequestContext) -> None:
    """Set the context for the rest of this request."""
    _request_context.set(request_context)
