"""Asker: whose request the server answers at the moment, and what of it a graph may see.

A graph that is made by a factory may depend on both, also where it is only read: drawn, or asked for a thread's state.
Nothing between a route and the factory has any use for them, so they travel beside the calls, in a context variable.
What no request has asked for, such as a thread whose time is over, nobody asks.
"""

from __future__ import annotations

from contextvars import ContextVar

from msgspec import Struct

from agent_server.schema import JsonObject


class RequestContext(Struct, frozen=True):
    """Whose request it is."""

    caller: JsonObject | None = None
    """The user that the application's `auth` said it is, with their `identity`."""
    headers: JsonObject = {}
    """The headers that `http.configurable_headers` of `langgraph.json` lets through."""


_NOBODY = RequestContext()
_request_context: ContextVar[RequestContext] = ContextVar("request_context", default=_NOBODY)


def request_context() -> RequestContext:
    """Whose request is answered."""
    return _request_context.get()


def set_request_context(request_context: RequestContext) -> None:
    """Have `request_context()` be this one, until the request is answered."""
    _request_context.set(request_context)
