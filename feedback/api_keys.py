"""ApiKeys: who may mint, list, change and take back. Answers through a token need none."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from feedback.errors import Unauthorized

OPEN = ("feedback_token_route", "feedback_open")
"""The options of routes that need no key."""


class ApiKeys:
    """The keys that the service was given, as hashes. Without any, the service is open."""

    def __init__(self, keys: Collection[str]) -> None:
        """`keys` are texts of any length (`ValueError` where one is empty)."""
        if not all(keys):
            raise ValueError("an API key is empty; every key needs some text")
        self._hashes = [_hash(key) for key in keys]

    @property
    def are_set(self) -> bool:
        """Whether there is any key."""
        return bool(self._hashes)

    def check(self, given: str | None) -> str:
        """The key that was sent. `Unauthorized` where there is none, or it is not one of those that there are."""
        if not given:
            raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`, or `x-api-key: <key>`")
        found = [hmac.compare_digest(_hash(given), known) for known in self._hashes]
        if self._hashes and not any(found):
            raise Unauthorized("The API key that was sent is not one of this service's")
        return given

    def guard(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let a request pass that has a key or needs none. `Unauthorized` otherwise."""
        if connection.scope.get("method") != "OPTIONS" and not any(handler.opt.get(name) for name in OPEN):
            self.check(sent_key(connection.headers.get("authorization"), connection.headers.get("x-api-key")))


def sent_key(authorization: str | None, x_api_key: str | None) -> str | None:
    """The key in a request's headers, if there is one."""
    scheme, _, bearer = (authorization or "").partition(" ")
    return x_api_key or (bearer.strip() if scheme.lower() == "bearer" else None)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
