"""Rules of an application for the tests of `auth`: users reach only what they created."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()
USERS = {"token-anna": "anna", "token-bob": "bob"}


@auth.authenticate
async def authenticate(authorization: str | None, headers: dict[bytes, bytes]) -> Any:
    token = (authorization or headers.get(b"x-api-key", b"").decode()).removeprefix("Bearer ")
    if token not in USERS:
        raise Auth.exceptions.HTTPException(401, "Who are you?", {"X-Why": "no token"})
    return {"identity": USERS[token], "permissions": ["agents:use"], "team": "blue"}


@auth.on
async def own(ctx: Any, value: dict[str, Any]) -> Any:
    """Copied from the official documentation."""
    filters = {"owner": ctx.user.identity}
    metadata = value.setdefault("metadata", {})
    metadata.update(filters)
    return filters


@auth.on.store
async def own_namespace(ctx: Any, value: dict[str, Any]) -> None:
    value["namespace"] = (ctx.user.identity, *value["namespace"])
