"""Door: whether a request may come in.

With API keys, by the key that it sends. Without any, only this machine's own programs may: what comes in at a loopback
address, and was meant for one. That is asked of each connection, whichever server (uvicorn, another) listens at which
address. The `Host` is looked at because a page on the internet may give its own name this machine's address (DNS
rebinding), and because a proxy in front would make a loopback address everybody's.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from agent_server.access.api_keys import KeptKey
from agent_server.access.failed_key_limiter import FailedKeyLimiter
from agent_server.access.key_cache import ApiKeyCache
from agent_server.config.api_keys import GivenKey, Scope, allows
from agent_server.errors import Forbidden, Unauthorized

Connection = ASGIConnection[Any, Any, Any, Any]

HOW_TO_OPEN = (
    "make a key (`agent-server keys create`, or AGENT_SERVER_API_KEYS), name an `auth` object in langgraph.json, or "
    "say --allow-anyone (AGENT_SERVER_ALLOW_ANYONE=true)"
)


class ApiKeyAuth:
    """Lets requests pass that have the right key, or need none."""

    def __init__(
        self, keys: ApiKeyCache, allow_anyone: bool = False, public_url: str | None = None, has_rules: bool = False
    ) -> None:
        """With `has_rules`, of the application's own, what they do not cover is for those with a key only."""
        self._keys = keys
        self._allow_anyone = allow_anyone and not has_rules
        self._has_rules = has_rules
        self._wrong_keys = FailedKeyLimiter()
        self._public_host = urlsplit(public_url).hostname if public_url else None

    async def check(self, connection: Connection, scope: Scope | None = "run") -> GivenKey | KeptKey | None:
        """The key that the request showed, which may do what needs `scope` (None: any key will do); none is needed
        where there are none.

        Errors: `Unauthorized` without a key that is known (`TooMany` after many that are not), `Forbidden` where the
        key may not do this, or where there are no keys and the request is not this machine's own.
        """
        if not self._has_rules and not await self._keys.are_set():
            self._check_own_machine(connection)
            return None
        headers = connection.headers
        key = sent_key(headers.get("x-api-key"), headers.get("authorization"))
        if not key:
            raise Unauthorized("This needs an API key: send it as `x-api-key: <key>` or `Authorization: Bearer <key>`")
        known = await self._keys.found(key)
        if known is None:
            raise self._wrong_keys.refusal(connection.client.host if connection.client else None)
        if scope is not None and not allows(known.scopes, scope):
            raise Forbidden(f"The API key that was sent lacks the scope {scope!r}, which this needs")
        return known

    async def needs_key(self) -> bool:
        """Whether requests must have an API key."""
        return self._has_rules or await self._keys.are_set()

    def _check_own_machine(self, connection: Connection) -> None:
        if self._allow_anyone:
            return
        server = connection.scope.get("server")
        if server is None or not is_loopback(server[0]):
            raise Unauthorized(
                f"This server has no API keys, so it answers only on a loopback address; to change that, {HOW_TO_OPEN}"
            )
        host = connection.headers.get("host")
        if host and not is_loopback(name := host_name(host)) and name != self._public_host:
            raise Forbidden(
                "This server has no API keys, so it answers only to requests for localhost, and this one's Host header "
                f"names another; to change that, {HOW_TO_OPEN}"
            )


def sent_key(x_api_key: str | None, authorization: str | None) -> str | None:
    """The key in a request's headers, if there is one."""
    if x_api_key:
        return x_api_key
    scheme, _, bearer = (authorization or "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


@lru_cache(maxsize=256)
def host_name(host: str) -> str:
    """The name or address in a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether only this machine can be meant by the name or address."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
