"""What the garbage collector need not look at, and what the process gives back once it has started."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

YOUNG_OBJECTS = 10_000
"""New containers between two looks at the youngest of them (CPython: 700). A run makes some thousands."""


def freezing_once_started(app: ASGIApp) -> ASGIApp:
    """Return the app; all that exists once it has started is left out of every later collection.

    Modules, routes and graphs are half a million objects that live as long as the process. A full collection looks at
    all of them, and no stream moves meanwhile. Collections may be disabled until then; memory that the start has freed
    goes back to the operating system.
    """

    async def started(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            await app(scope, receive, send)
            return

        async def freeze(message: Any) -> None:  # Litestar types no message of a lifespan
            if message["type"] == "lifespan.startup.complete":
                gc.collect()
                gc.freeze()
                gc.set_threshold(YOUNG_OBJECTS)
                gc.enable()
                _trim()
            await send(message)

        await app(scope, receive, freeze)

    return started


def _trim() -> None:
    """Give freed memory back: glibc keeps it, some 9 MB after the imports of a LangGraph graph."""
    with suppress(OSError, AttributeError):  # other C libraries have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
