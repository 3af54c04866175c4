"""Count the requests of the agent server's routes and of the user's own, and the open streams."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent_server.asgi.custom_app import RESPONDED_BY_SERVER
from agent_server.asgi.request_body import CLIENT_LEFT
from agent_server.observability.metrics import Metrics

EVENT_STREAM = b"text/event-stream"
CUSTOM_ROUTE = "(custom route)"
"""The path label of requests to the user's own app: its real paths would create an unbounded number of series."""


def observe_requests(metrics: Metrics) -> Callable[..., ASGIApp]:
    """Return a middleware that counts each request when its response begins.

    It is a function, since Litestar makes deep copies of other objects at a router.
    """

    def middleware(app: ASGIApp, **_: Any) -> ASGIApp:
        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            began = time.perf_counter()
            is_open_stream = False

            async def send_counted(message: Message) -> None:
                nonlocal is_open_stream
                if message["type"] == "http.response.start":
                    path, took = scope["path_template"], time.perf_counter() - began
                    metrics.count_response(scope["method"], path, message["status"], took)  # type: ignore[typeddict-item]  # HTTP only
                if not is_open_stream and _begins_stream(message):
                    is_open_stream = True
                    metrics.open_stream()
                await send(message)

            try:
                await app(scope, receive, send_counted)
            finally:
                if is_open_stream:
                    metrics.close_stream()

        return respond

    return middleware


def count_custom_routes(metrics: Metrics, app: ASGIApp) -> ASGIApp:
    """Wrap the app; count the requests that the user's own routes handle."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start" and not scope["state"].get(RESPONDED_BY_SERVER):
                status = 499 if scope["state"].get(CLIENT_LEFT) else message["status"]
                method = str(scope.get("method"))
                metrics.count_response(method, CUSTOM_ROUTE, status, time.perf_counter() - began)
            await send(message)

        await app(scope, receive, send_counted)

    return respond


def _begins_stream(message: Any) -> bool:
    """Return whether the message begins an event stream, or accepts a WebSocket."""
    if message["type"] != "http.response.start":
        return bool(message["type"] == "websocket.accept")
    return any(name == b"content-type" and value.startswith(EVENT_STREAM) for name, value in message["headers"])
