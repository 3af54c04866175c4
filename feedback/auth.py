"""API keys and scopes: which requests may mint, read, change and erase. Submissions with a token need no API key.

Alone, the service gets its API keys as texts; each has every scope (within its project, if it is bound to one). Without
any, every caller has access. An app with access control of its own passes a `Checker`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from msgspec import Struct

from feedback.errors import Forbidden, Unauthorized, UnsupportedMediaType

Scope = Literal["feedback-read", "feedback-mint", "feedback-write", "admin"]
"""Read feedback; mint URLs; mint URLs, and add and change feedback; erase feedback, and manage projects."""
Connection = ASGIConnection[Any, Any, Any, Any]


class Entry(Struct, frozen=True):
    """The credentials of a request: whether it sent an API key, and the project that the key is bound to, if any."""

    showed_key: bool = False
    project: str | None = None


class ApiKeyInfo(Struct):
    """An API key as listings show it: name, last characters, scopes, times of creation and end. Times are ISO 8601."""

    name: str
    ending: str
    scopes: list[str]
    project: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None


ApiKeyListing = Callable[[], Awaitable[list[ApiKeyInfo]]]
"""Return the API keys of the application that contains the service."""
Checker = Callable[[Connection, Scope], Awaitable[Entry]]
"""Return the `Entry` of a request that has the scope.

Otherwise it raises an error with a `status_code` of 401 (API key missing or wrong) or 403 (it lacks the scope).
"""
Keys = Collection[str] | Mapping[str, str | None] | Checker
WITHOUT_KEY = Entry()
_LOOPBACK = re.compile(r"https?://(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?")
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)


class ApiKeys:
    """The configured API keys, stored as hashes; or the app's checker."""

    def __init__(self, keys: Keys) -> None:
        """`keys` are texts of any length (`ValueError` if one is empty); a mapping binds them to projects."""
        self._checker = keys if callable(keys) else None
        given = {} if callable(keys) else keys if isinstance(keys, Mapping) else dict.fromkeys(keys)
        if not all(given):
            raise ValueError("an API key is empty; every key needs some text")
        self._entries = {_hash(key): Entry(True, project) for key, project in given.items()}

    @property
    def counts_wrong_keys(self) -> bool:
        """Whether the service limits wrong keys itself; an app's checker has its own limit."""
        return self._checker is None

    async def check(self, connection: Connection, scope: Scope) -> Entry:
        """Return the `Entry` of the request. Errors: those of the checker, or of `check_page`.

        `Unauthorized` if the service has API keys and the request sends none or a wrong one.
        """
        if self._checker is not None:
            return await self._checker(connection, scope)
        if not self._entries:
            check_page(connection)
            return WITHOUT_KEY
        headers = connection.headers
        key = sent_key(headers.get("x-api-key"), headers.get("authorization"))
        if not key:
            raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`, or `x-api-key: <key>`")
        if (entry := self._entries.get(_hash(key))) is None:
            raise Unauthorized("The API key that was sent is not one of this service's")
        return entry


def check_page(connection: Connection) -> None:
    """Reject a request without an API key that a web page of another origin makes. Errors: `Forbidden`.

    A browser sends such a request without a preflight, whatever CORS allows. Loopback origins may call, and those that
    the app's own `CORSConfig` allows.
    """
    headers, cors = connection.headers, connection.app.cors_config
    origin = headers.get("origin", "")
    if not is_of_another_site(headers) or _LOOPBACK.fullmatch(origin.lower()):
        return
    if origin and cors is not None and cors.is_origin_allowed(origin):
        return
    if origin or headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden(
            f"Pages of {origin[:200] or 'other sites'} may not call this service, which needs no API key; give it "
            "keys, or allow the origin in the CORSConfig of the app"
        )


def is_of_another_site(headers: Mapping[str, str]) -> bool:
    """Return whether a page of another origin makes the request, other than by a link that a user follows."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site in ("same-origin", "none") or (
        origin == "null" and site is None and "text/html" in headers.get("accept", "")
    ):
        return False  # our pages send no origin (their referrer policy); old browsers send no Sec-Fetch-Site
    if origin is None:
        return site is not None and headers.get("sec-fetch-mode") != "navigate"
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def check_content_type(headers: Mapping[str, str]) -> None:
    """Reject a page's request body whose type is not JSON. Errors: `UnsupportedMediaType`.

    A browser sends a preflight before it sends `application/json` to another origin, but none before `text/plain`.
    """
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    sent = headers.get("content-type", "").partition(";")[0].strip()
    if "origin" in headers and has_body and not _JSON.fullmatch(sent):
        raise UnsupportedMediaType(
            f"The Content-Type of the request is {sent[:100]!r}; pages send JSON as application/json"
        )


def sent_key(x_api_key: str | None, authorization: str | None) -> str | None:
    """Return the API key in a request's headers, if there is one."""
    scheme, _, bearer = (authorization or "").partition(" ")
    return x_api_key or (bearer.strip() if scheme.lower() == "bearer" else None)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
