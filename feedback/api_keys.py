"""Who may mint, list, change and erase. Answers through a token need no key.

Alone, the service is given its keys as texts, and each of them may do everything; without any it is open to everybody.
An app that knows better hands in a `Checker` of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal

from litestar.connection import ASGIConnection

from feedback.errors import Unauthorized

Scope = Literal["feedback-read", "feedback-write", "admin"]
"""Reading answers; making URLs, adding and changing answers; erasing them."""
Connection = ASGIConnection[Any, Any, Any, Any]
Checker = Callable[[Connection, Scope], Awaitable[bool]]
"""Returns where the request may do what needs the scope, and whether it showed a key for it.

It raises an error with a `status_code` of 401 (no key, or a wrong one) or 403 (the key lacks the scope) otherwise.
"""


class ApiKeys:
    """The keys that the service was given, as hashes; or the checker."""

    def __init__(self, keys: Collection[str] | Checker) -> None:
        """`keys` are texts of any length (`ValueError` where one is empty)."""
        self._checker = keys if callable(keys) else None
        given = () if callable(keys) else keys
        if not all(given):
            raise ValueError("an API key is empty; every key needs some text")
        self._hashes = frozenset(_hash(key) for key in given)

    async def check(self, connection: Connection, scope: Scope) -> bool:
        """Whether the request showed a key; one that may not do what needs the scope has an error.

        `Unauthorized` where a key is needed, and there is none or a wrong one.
        """
        if self._checker is not None:
            return await self._checker(connection, scope)
        if not self._hashes:
            return False
        headers = connection.headers
        key = sent_key(headers.get("authorization"), headers.get("x-api-key"))
        if not key:
            raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`, or `x-api-key: <key>`")
        if _hash(key) not in self._hashes:
            raise Unauthorized("The API key that was sent is not one of this service's")
        return True


def sent_key(authorization: str | None, x_api_key: str | None) -> str | None:
    """The key in a request's headers, if there is one."""
    scheme, _, bearer = (authorization or "").partition(" ")
    return x_api_key or (bearer.strip() if scheme.lower() == "bearer" else None)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
