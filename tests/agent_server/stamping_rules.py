"""Rules whose `create` handlers only record the owner; the other handlers let users reach their own resources."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str) -> Any:
    return {"identity": authorization.removeprefix("Bearer ")}


@auth.on.threads.create
@auth.on.assistants.create
async def stamp(ctx: Any, value: dict[str, Any]) -> None:
    value.setdefault("metadata", {})["owner"] = ctx.user.identity


@auth.on.threads
@auth.on.assistants
async def own(ctx: Any, value: dict[str, Any]) -> Any:  # noqa: ARG001  the SDK calls it by name
    return {"owner": ctx.user.identity}
