"""A server that cannot start says why in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send


def telling_startup_failures(app: ASGIApp, kinds: tuple[type[Exception], ...]) -> ASGIApp:
    """The app; what keeps it from starting is told by its message where it is one of `kinds`, else by its traceback."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
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
            known = [str(one) for one in _causes(error) if isinstance(one, kinds)]
            failures[0]["message"] = known[0] if known else failures[0]["message"]
            await send(failures[0])

    return told


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, and in the groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    else:
        yield error
