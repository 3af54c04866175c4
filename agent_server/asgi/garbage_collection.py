"""Tune the garbage collector, and return memory to the operating system after the start."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

YOUNG_OBJECTS = 10_000
"""New containers between two collections of the youngest generation (CPython: 700). A run creates some thousands."""


def freeze_once_started(app: ASGIApp) -> ASGIApp:
    """Return the app; objects that exist once it has started are excluded from all later collections.

    Modules, routes and graphs are half a million objects that live as long as the process. A full collection traverses
    all of them and stalls every stream meanwhile. Collections may be disabled until the start completes; memory freed
    during the start goes back to the operating system.
    """

    def respond(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        async def freeze(message: Any) -> None:  # Litestar does not type the messages of a lifespan
            if message["type"] == "lifespan.startup.complete":
                gc.freeze()  # without a collection first: it takes a tenth of the start, and finds less than a megabyte
                gc.set_threshold(YOUNG_OBJECTS)
                gc.enable()
                _trim()
            await send(message)

        return app(scope, receive, send if scope["type"] in ("http", "websocket") else freeze)

    return respond


def _trim() -> None:
    """Return freed memory to the system: glibc keeps it, some 9 MB after the imports of a LangGraph graph."""
    with suppress(OSError, AttributeError):  # other C libraries have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
