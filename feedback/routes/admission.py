"""Which routes need which scope: `feedback_scope` in a handler's `opt` says it, or else the method does.

Routes of tokens (`feedback_token_route`) and what everybody may see (`feedback_open`) need none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request

from feedback.api_keys import ApiKeys, Scope, sent_key
from feedback.errors import Unauthorized
from feedback.gate import Gate

AnyRequest = Request[Any, Any, Any]
OPEN = ("feedback_token_route", "feedback_open")
SHOWED_KEY = "feedback_showed_key"


def admission(api_keys: ApiKeys, gate: Gate) -> Callable[[AnyRequest], Awaitable[None]]:
    """Looks at every request before its body is read. Wrong keys count at the gate, by the address that sends them.

    Not a guard: for each of those Litestar copies the route's handler with every request.
    """

    async def let_in(request: AnyRequest) -> None:
        if (scope := needed_scope(request.method, request.route_handler.opt)) is not None:
            request.scope["state"][SHOWED_KEY] = await _checked(api_keys, gate, request, scope)

    return let_in


async def _checked(api_keys: ApiKeys, gate: Gate, request: AnyRequest, scope: Scope) -> bool:
    """What the check says of the request. A right key is never kept waiting by others' wrong ones."""
    try:
        return await api_keys.check(request, scope)
    except Exception as error:
        headers, client = request.headers, request.scope["client"]
        sent = sent_key(headers.get("authorization"), headers.get("x-api-key"))
        if sent and getattr(error, "status_code", None) == 401:
            gate.admit(client[0] if client else None, headers)
        raise


def needed_scope(method: str, opt: dict[str, Any]) -> Scope | None:
    """What a request needs; nothing for a preflight and where everybody may come in."""
    if method == "OPTIONS" or any(opt.get(name) for name in OPEN):
        return None
    scope: Scope = opt.get("feedback_scope") or ("feedback-read" if method in ("GET", "HEAD") else "feedback-write")
    return scope


def showed_key(request: AnyRequest) -> bool:
    """Whether the request came in with a key."""
    return bool(request.scope["state"].get(SHOWED_KEY))


def bearer(request: AnyRequest) -> str:
    """The key that the request sends as EvalGuard has it. `Unauthorized` without one."""
    if not (key := sent_key(request.headers.get("authorization"), None)):
        raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`")
    return key
