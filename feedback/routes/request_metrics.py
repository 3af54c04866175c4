"""Request metrics: durations and error counts, and `GET /metrics`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from feedback.metrics import CONTENT_TYPE, Metrics
from feedback.routes.app_router import AppRouter
from feedback.routes.error_responses import FAILURES, refusal
from feedback.routes.openapi import FeedbackOperation


def observe_requests(metrics: Metrics) -> Callable[..., ASGIApp]:
    """Return a middleware that records each request's duration and error in `metrics`.

    It is a function because Litestar deep-copies other objects on a router.
    """

    names: dict[Any, str] = {}

    def find_name(handler: Any) -> str:
        if (name := names.get(handler)) is None:  # Litestar computes it on each access
            names[handler] = name = handler.handler_name
        return name

    def middleware(app: ASGIApp, **_: Any) -> ASGIApp:
        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            status, began = 0, time.perf_counter()

            async def send_noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, send_noted)
            finally:
                metrics.observe_request(find_name(scope["route_handler"]), time.perf_counter() - began)
                if status >= 400:
                    metrics.count_refusal(status, refusal(scope))

        return respond

    return middleware


def metrics_router(text: Callable[[], Awaitable[str]]) -> AppRouter:
    """Return `GET /metrics`, for a service without an agent server."""

    @get("/metrics", tags=["system"], summary="Get metrics", operation_id="FeedbackMetrics",
         operation_class=FeedbackOperation, opt={"feedback_unbound": True})  # fmt: skip
    async def show_metrics() -> Response[str]:
        """Return this process's metrics in the Prometheus text format."""
        return Response(await text(), media_type=CONTENT_TYPE)

    return AppRouter("/", route_handlers=[show_metrics], exception_handlers=FAILURES)
