"""Watching: every request of the agent server's routes counted, and the streams among them while they are open."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent_server.observability.metrics import Metrics

EVENT_STREAM = b"text/event-stream"


def watching(metrics: Metrics) -> Callable[..., ASGIApp]:
    """A middleware that tells `metrics` of each request when its answer begins.

    A function, since Litestar copies whatever else stands at a router, deeply.
    """

    def middleware(app: ASGIApp, **_: Any) -> ASGIApp:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            began = time.perf_counter()
            with ExitStack() as open_while_answered:

                async def sending(message: Message) -> None:
                    if message["type"] == "websocket.accept":
                        open_while_answered.enter_context(metrics.open_stream())
                    if message["type"] == "http.response.start":
                        path, took = scope["path_template"], time.perf_counter() - began
                        metrics.answered(scope["method"], path, message["status"], took)  # type: ignore[typeddict-item]  # HTTP only
                        if is_stream(message):
                            open_while_answered.enter_context(metrics.open_stream())
                    await send(message)

                await app(scope, receive, sending)

        return watched

    return middleware


def is_stream(start: Any) -> bool:
    """Whether the answer that begins so is a stream of events."""
    return any(name == b"content-type" and value.startswith(EVENT_STREAM) for name, value in start["headers"])
