"""Explain why an app cannot start, in place of a traceback through the frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

Explain = Callable[[BaseException], str | None]
"""Returns the message for an error that keeps an app from starting; nothing where it cannot explain it."""


def explaining_startup_errors(app: ASGIApp, explain: Explain) -> ASGIApp:
    """Return the app with the message of a failed start replaced by what `explain` returns for its cause."""

    async def explained(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            await app(scope, receive, send)
            return
        failures: list[Any] = []  # Litestar types no message of a lifespan

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

    return explained


def explained_by_message(*kinds: type[Exception]) -> Explain:
    """Return a function that explains errors of these kinds by their own message."""
    return lambda error: str(error) if isinstance(error, kinds) else None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group, and in the groups in it; or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from causes(one)
    else:
        yield error
