"""A fast path for plain submissions that bypasses Litestar's dependencies, signature model and response.

`POST /feedback/tokens/{token}` with a JSON object is the bulk of a busy service's load, and half of its CPU time was
spent between the router and the handler. Other requests continue to the handler, with the body already read: a query,
a form, a client that accepts HTML, an Idempotency-Key, a body that is not a JSON object, a project that lists origins.
So do requests with an error, which the handler raises, so that one place renders errors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Receive, Scope, Send

from feedback.errors import FeedbackError
from feedback.projects.scoped_database import DEFAULT
from feedback.routes.authentication import FAILED, ServicesOf
from feedback.routes.decoding import decode
from feedback.routes.headers import TOKEN_HEADERS
from feedback.routes.rate_limiting import admit_submission
from feedback.schema import FeedbackSubmission, SubmissionResult
from feedback.services import ProjectServices
from feedback.validation import MAX_BODY

SHORT_PATH = "feedback_short_path"
"""The `opt` of handlers whose plain requests take the short path."""
_UNUSUAL = (b"content-encoding", b"idempotency-key")
_HEADERS = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in TOKEN_HEADERS.items()),
]
_encode = msgspec.json.Encoder().encode


def short_path(find_services: ServicesOf) -> Callable[..., ASGIApp]:
    """Return a middleware that serves plain submissions. A function, because Litestar deep-copies other objects."""

    def middleware(app: ASGIApp, **_: Any) -> ASGIApp:
        serves: dict[Any, bool] = {}

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP or scope["method"] != "POST" or not _is_plain(scope, serves):
                await app(scope, receive, send)
                return
            messages: list[HTTPReceiveMessage] = []
            if (body := await _json_object(receive, messages)) is not None:
                kept = await _store(scope, find_services(DEFAULT), body)
                if kept is not None:
                    await _respond(send, kept)
                    return
            await app(scope, _replay(messages, receive), send)

        return respond

    return middleware


def _is_plain(scope: HTTPScope, serves: dict[Any, bool]) -> bool:
    handler = scope["route_handler"]
    if (may := serves.get(handler)) is None:
        serves[handler] = may = bool(handler.opt.get(SHORT_PATH)) and not _has_hooks(handler)
    if not may or scope["query_string"]:
        return False
    for name, value in scope["headers"]:
        if name in _UNUSUAL or (name == b"accept" and b"html" in value.lower()):
            return False
        if name == b"content-length" and not (value.isdigit() and int(value) <= MAX_BODY):
            return False
    return True


def _has_hooks(handler: Any) -> bool:
    """Return whether the surrounding app has hooks on the handler's requests or responses."""
    hooks = [handler.resolve_guards(), handler.resolve_after_response()]
    hooks += [getattr(layer, "after_request", None) for layer in handler.ownership_layers]
    return any(hooks) or bool(handler.resolve_response_headers() or handler.resolve_response_cookies())


async def _json_object(receive: Receive, messages: list[HTTPReceiveMessage]) -> bytes | None:
    """Read the body, and its messages into `messages`; None if it is too large or not a JSON object."""
    size, more = 0, True
    while more:
        message = cast(HTTPReceiveMessage, await receive())
        messages.append(message)
        if message["type"] != "http.request":
            return None
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        if size > MAX_BODY:
            return None
    body = messages[0]["body"] if len(messages) == 1 else b"".join(one["body"] for one in messages)  # type: ignore[typeddict-item]
    return body if body[:1] == b"{" else None


async def _store(scope: HTTPScope, services: ProjectServices, body: bytes) -> SubmissionResult | None:
    """Store the submission; None if the handler must store it or raise an error."""
    known = await services.projects.get_known()
    if known.have_origins:
        return None
    try:
        submission: FeedbackSubmission = decode(body, FeedbackSubmission)
    except FeedbackError:
        return None
    try:
        pointer = await services.tokens.open(scope["path_params"]["token"])
        submission.validate()
        await admit_submission(scope, services, pointer)
        return await services.store.submit(pointer, submission)
    except Exception as error:
        scope["state"][FAILED] = error
        return None


async def _respond(send: Send, kept: SubmissionResult) -> None:
    body = _encode(kept)
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _replay(messages: list[HTTPReceiveMessage], receive: Receive) -> Callable[[], Awaitable[Any]]:
    """Return a `receive` that replays the messages and then continues with `receive`."""
    again = deque(messages)

    async def receive_again() -> Any:
        return again.popleft() if again else await receive()

    return receive_again
