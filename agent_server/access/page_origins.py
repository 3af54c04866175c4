"""The origins whose web pages may call the server.

CORS only decides whether a page may *read* a response. A page of any origin can still *send* requests to a server on
the visitor's machine, and they take effect if no API key is needed. So without API keys the request itself is refused,
before its body is read, unless its page is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import structlog

from agent_server.errors import Forbidden, UnsupportedMediaType

log = structlog.get_logger("agent_server")

_LOOPBACK = re.compile(r"https?://(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?")
_MOST_LOGGED = 100
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)


class PageOrigins:
    """The allowed origins: the listed ones, and loopback ones while there are no API keys.

    If nothing is listed (`None`), API keys open the server to the pages of every origin, as on the official server: a
    page without a key gets nothing.
    """

    def __init__(
        self, listed: Sequence[str] | None = None, pattern: str | None = None, public_url: str | None = None
    ) -> None:
        """`*` in `listed` is every origin; `pattern` is a regular expression for whole origins."""
        self._is_default = listed is None
        self._all = listed is not None and "*" in listed
        self._listed = frozenset(origin.rstrip("/").lower() for origin in listed or ())
        self._pattern = re.compile(pattern) if pattern else None
        self._public_host = urlsplit(public_url).netloc.lower() if public_url else None
        self._logged: set[str] = set()

    def are_all(self, needs_key: bool) -> bool:
        """Return whether pages of every origin may call."""
        return self._all or (self._is_default and needs_key)

    def allow(self, origin: str, needs_key: bool) -> bool:
        """Return whether pages of this origin may call, depending on whether the server needs an API key."""
        name = origin.lower()
        return (
            self.are_all(needs_key)
            or name in self._listed
            or (self._pattern is not None and self._pattern.fullmatch(origin) is not None)
            or (not needs_key and _LOOPBACK.fullmatch(name) is not None)
        )

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Refuse a request without an API key from a page of a disallowed origin. Errors: `Forbidden`."""
        origin = headers.get("origin")
        if origin is None:
            if headers.get("sec-fetch-site") == "cross-site" and not _is_navigation(method, headers):
                raise self._refusal("another site")
        elif not self._is_own(origin, headers) and not self.allow(origin, needs_key=False):
            raise self._refusal(origin[:200])

    def _is_own(self, origin: str, headers: Mapping[str, str]) -> bool:
        """Return whether the page is the server's own. Pages with a strict referrer policy send `Origin: null`."""
        if headers.get("sec-fetch-site") in ("same-origin", "none"):
            return True
        host = urlsplit(origin).netloc.lower() if "://" in origin else ""
        return bool(host) and host in (headers.get("host", "").lower(), self._public_host)

    def _refusal(self, page: str) -> Forbidden:
        if page not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(page)
            log.warning("page_refused", origin=page, setting="AGENT_SERVER_CORS_ORIGINS")
        return Forbidden(
            f"This server needs no API key, so pages of {page} may not call it. To allow them, list their origin in "
            "AGENT_SERVER_CORS_ORIGINS or http.cors.allow_origins (langgraph.json), or create an API key"
        )


def check_content_type(headers: Mapping[str, str]) -> None:
    """Refuse a page's request body that is not declared as JSON. Errors: `UnsupportedMediaType`.

    Browsers send a preflight before `application/json` goes to another origin, but not before `text/plain`. Programs
    send no `Origin` and may omit the type, as on the official server.
    """
    if "origin" not in headers or not has_body(headers):
        return
    sent = headers.get("content-type", "").partition(";")[0].strip()
    if not _JSON.fullmatch(sent):
        raise UnsupportedMediaType(
            f"The Content-Type of the request is {sent[:100]!r}; pages send JSON as application/json"
        )


def has_body(headers: Mapping[str, str]) -> bool:
    """Return whether a request with these headers has a body."""
    return headers.get("content-length", "0").strip() != "0" or "transfer-encoding" in headers


def _is_navigation(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a person follows a link to the server: the linking page cannot read the response."""
    return (
        method in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
