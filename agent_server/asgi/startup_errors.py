"""Explain why an app cannot start, instead of a traceback through the frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

Explain = Callable[[BaseException], str | None]
"""Returns the message for an error that prevents an app's start; None if it cannot explain it."""


def explain_startup_errors(app: ASGIApp, explain: Explain) -> ASGIApp:
    """Return the app; the message of a failed start is replaced by what `explain` returns for its cause."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            await app(scope, receive, send)
            return
        failures: list[Any] = []  # Litestar does not type the messages of a lifespan

        async def hold_failure(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await app(scope, receive, hold_failure)
        except BaseException as error:
            if not failures:
                raise
            texts = [text for one in causes(error) if (text := explain(one)) is not None]
            failures[0]["message"] = texts[0] if texts else failures[0]["message"]
            await send(failures[0])

    return respond


def explain_by_message(*kinds: type[Exception]) -> Explain:
    """Return a function that explains errors of these types by their own message."""
    return lambda error: str(error) if isinstance(error, kinds) else None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group and in nested groups, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from causes(one)
    else:
        yield error
