"""Who may mint, list, change and erase. Answers through a token need no key.

Alone, the service is given its keys as texts, and each of them may do everything (in its project, where it is bound to
one); without any it is open to everybody. An app that knows better hands in a `Checker` of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Literal

from litestar.connection import ASGIConnection
from msgspec import Struct

from feedback.errors import Unauthorized

Scope = Literal["feedback-read", "feedback-mint", "feedback-write", "admin"]
"""Reading answers; making URLs; that, and adding and changing answers; erasing them, and managing projects."""
Connection = ASGIConnection[Any, Any, Any, Any]


class Entry(Struct, frozen=True):
    """How a request came in: whether it showed a key, and the project that the key is bound to, if it is."""

    showed_key: bool = False
    project: str | None = None


Checker = Callable[[Connection, Scope], Awaitable[Entry]]
"""Returns where the request may do what needs the scope.

It raises an error with a `status_code` of 401 (no key, or a wrong one) or 403 (the key lacks the scope) otherwise.
"""
Keys = Collection[str] | Mapping[str, str | None] | Checker
WITHOUT_KEY = Entry()


class ApiKeys:
    """The keys that the service was given, as hashes; or the checker."""

    def __init__(self, keys: Keys) -> None:
        """`keys` are texts of any length (`ValueError` where one is empty); a mapping binds them to projects."""
        self._checker = keys if callable(keys) else None
        given = {} if callable(keys) else keys if isinstance(keys, Mapping) else dict.fromkeys(keys)
        if not all(given):
            raise ValueError("an API key is empty; every key needs some text")
        self._entries = {_hash(key): Entry(True, project) for key, project in given.items()}

    async def check(self, connection: Connection, scope: Scope) -> Entry:
        """How the request came in; one that may not do what needs the scope has an error.

        `Unauthorized` where a key is needed, and there is none or a wrong one.
        """
        if self._checker is not None:
            return await self._checker(connection, scope)
        if not self._entries:
            return WITHOUT_KEY
        headers = connection.headers
        key = sent_key(headers.get("authorization"), headers.get("x-api-key"))
        if not key:
            raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`, or `x-api-key: <key>`")
        if (entry := self._entries.get(_hash(key))) is None:
            raise Unauthorized("The API key that was sent is not one of this service's")
        return entry


def sent_key(authorization: str | None, x_api_key: str | None) -> str | None:
    """The key in a request's headers, if there is one."""
    scheme, _, bearer = (authorization or "").partition(" ")
    return x_api_key or (bearer.strip() if scheme.lower() == "bearer" else None)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
