"""Request bodies of every route: a size limit, and detection of clients that disconnect while sending."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import structlog
from litestar.types import ASGIApp, Receive, Scope, Send

from agent_server.asgi.error_response import refuse
from agent_server.errors import ClientLeft

log = structlog.get_logger("agent_server")

CLIENT_LEFT = "agent_server_client_left"
"""The key in a request's state which records that its client disconnected before the request was complete."""


def detect_client_left(app: ASGIApp) -> ASGIApp:
    """Return the app; reading the body of a disconnected client raises `ClientLeft`.

    Frameworks raise errors of their own for this, and handle and log them as server failures.
    """

    def respond(scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or not _announces_body(scope):
            return app(scope, receive, send)
        return _receive_body(app, scope, receive, send)

    return respond


async def _receive_body(app: ASGIApp, scope: Any, receive: Receive, send: Send) -> None:
    is_complete = is_answering = False

    async def receive_or_raise() -> Any:
        nonlocal is_complete
        message = await receive()
        if message["type"] == "http.request":
            is_complete = not message.get("more_body", False)
        elif not is_complete and not is_answering:
            scope["state"][CLIENT_LEFT] = True
            log.debug("client_left", method=scope["method"])
            raise ClientLeft("The client closed the connection before it had sent the whole request")
        return message

    async def send_noted(message: Any) -> None:
        nonlocal is_answering
        is_answering = True
        if scope["state"].get(CLIENT_LEFT) and message["type"] == "http.response.start":
            message = {**message, "status": ClientLeft.status_code}  # whatever the framework sends
        await send(message)

    scope.setdefault("state", {})
    await app(scope, receive_or_raise, send_noted)


def limit_body(app: ASGIApp, limit: int) -> ASGIApp:
    """Return the app; a request whose body has more than `limit` bytes gets 413, whatever the app responds."""

    async def respond(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif _read_announced_length(scope) > limit:
            await refuse(send, 413, _too_large(limit))
        else:
            await _Bounded(receive, send, limit).run(app, scope)

    return respond


class _Bounded:
    """One request. Once its body is too large, the app reads its end, and the app's response is dropped."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._received = 0
        self._is_too_large = self._is_answering = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive_bounded, self._send_noted)
        except Exception:
            if not self._is_too_large or self._is_answering:
                raise
        if self._is_too_large and not self._is_answering:
            await refuse(self._send, 413, _too_large(self._limit))

    async def _receive_bounded(self) -> Any:
        if self._is_too_large:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._limit and not self._is_answering:
                self._is_too_large = True
                return {"type": "http.disconnect"}
        return message

    async def _send_noted(self, message: Any) -> None:
        if not self._is_too_large:
            self._is_answering = True
            await self._send(message)


def _too_large(limit: int) -> str:
    return f"The request body is too large; this server takes at most {limit:,} bytes"


def _read_announced_length(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() and len(lengths[0]) < 20 else 0


def _announces_body(scope: Scope) -> bool:
    headers = scope["headers"]
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
