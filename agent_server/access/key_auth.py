"""Authenticate requests by API key.

While there are no API keys, only programs and allowed web pages of this machine may call: the connection must arrive at
a loopback address, and its `Host` must name one. This is checked for each connection, whichever server (uvicorn,
another) listens at which address. `Host` is checked because a page may resolve its own name to this machine's address
(DNS rebinding), and because a proxy in front makes every client appear to come from a loopback address. `Origin` is
checked because a browser sends requests of any page to a loopback address (`page_origins.py`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from agent_server.access.api_keys import StoredKey
from agent_server.access.failed_key_limiter import FailedKeyLimiter
from agent_server.access.key_cache import ApiKeyCache
from agent_server.access.page_origins import PageOrigins
from agent_server.asgi.forwarded import client_address
from agent_server.config import Config
from agent_server.config.addresses import is_loopback
from agent_server.config.api_keys import ConfiguredKey, Scope, allows
from agent_server.errors import Forbidden, Unauthorized

Connection = ASGIConnection[Any, Any, Any, Any]

HOW_TO_OPEN = (
    "make a key (`agent-server keys create`, or AGENT_SERVER_API_KEYS), name an `auth` object in langgraph.json, or "
    "say --allow-anyone (AGENT_SERVER_ALLOW_ANYONE=true)"
)


class ApiKeyAuth:
    """Accepts requests with a valid API key or, while no key exists, requests from this machine."""

    def __init__(self, keys: ApiKeyCache, config: Config, origins: PageOrigins) -> None:
        """If the application has its own rules (`auth`), routes that they do not cover always need an API key."""
        self._keys = keys
        self._has_rules = config.auth is not None
        self._allow_anyone = config.allow_anyone and not self._has_rules
        self._trust_forwarded = config.trust_forwarded
        self._origins = origins
        self._wrong_keys = FailedKeyLimiter()
        self._public_host = urlsplit(config.public_url).hostname if config.public_url else None

    async def needs_key(self) -> bool:
        """Return whether requests need an API key or the credentials of the application's own rules."""
        return self._has_rules or await self._keys.are_set()

    async def keys_are_set(self) -> bool:
        """Return whether any API key exists."""
        return await self._keys.are_set()

    async def check(self, connection: Connection, scope: Scope | None = "run") -> ConfiguredKey | StoredKey | None:
        """Return the request's API key if it allows `scope` (None: any key does); None if no key is needed.

        Errors: `Unauthorized` without a known key (`TooMany` after many unknown ones); `Forbidden` if the key does not
        allow this, or if no key is needed and the request comes from another machine or a foreign web page.
        """
        if not await self.needs_key():
            self._check_own_machine(connection)
            self._origins.check(str(connection.scope.get("method", "GET")), connection.headers)
            return None
        headers = connection.headers
        key = sent_key(headers.get("x-api-key"), headers.get("authorization"))
        if not key:
            raise Unauthorized("This needs an API key: send it as `x-api-key: <key>` or `Authorization: Bearer <key>`")
        known = await self._keys.find(key)
        if known is None:
            raise self._wrong_keys.refusal(client_address(connection.scope, self._trust_forwarded))
        if scope is not None and not allows(known.scopes, scope):
            raise Forbidden(f"The API key that was sent lacks the scope {scope!r}, which this needs")
        return known

    def _check_own_machine(self, connection: Connection) -> None:
        if self._allow_anyone:
            return
        server = connection.scope.get("server")
        if server is None or not is_loopback(server[0]):
            raise Unauthorized(
                f"This server has no API keys, so it serves only a loopback address; to change that, {HOW_TO_OPEN}"
            )
        host = connection.headers.get("host")
        if host and not is_loopback(name := host_name(host)) and name != self._public_host:
            raise Forbidden(
                "This server has no API keys, so it accepts only requests for localhost, and this one's Host header "
                f"names another; to change that, {HOW_TO_OPEN}"
            )


def sent_key(x_api_key: str | None, authorization: str | None) -> str | None:
    """Return the API key in a request's headers, if there is one."""
    if x_api_key:
        return x_api_key
    scheme, _, bearer = (authorization or "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


@lru_cache(maxsize=256)
def host_name(host: str) -> str:
    """Return the name or address in a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
