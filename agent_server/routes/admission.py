"""Which routes need which scope: `run`, unless a handler's `opt` says otherwise."""

from __future__ import annotations

from typing import Any

from litestar import Request

from agent_server.access.door import Door

OPEN = {"access": "open"}
"""The `opt` of handlers that answer everybody."""
ANY_KEY = {"access": "any key"}
"""The `opt` of handlers that take every key, whatever its scopes."""


async def let_in(request: Request[Any, Any, Any], door: Door) -> None:
    """Return where the request may come in. Errors: `Unauthorized`, `Forbidden`."""
    access = request.route_handler.opt.get("access")
    if access != "open" and request.method != "OPTIONS":
        await door.check(request, "run" if access is None else None)
