"""Settings: how the service was set up."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from msgspec import Struct

from feedback.gate import Gate
from feedback.links import Links

TOKEN_PATH = "/api/v1/feedback/tokens/"
"""Where presigned URLs point to: the canonical one of the three places where the routes are mounted."""


class Settings(Struct, frozen=True):
    """What the handlers need to know."""

    public_url: str | None
    trust_forwarded: bool
    default_expiry: timedelta
    links: Links
    gate: Gate


def clean_url(text: str) -> str:
    """`text` as a base for URLs: no slash at its end. `ValueError` where it is not an absolute address."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not a base URL; give one such as https://feedback.example.com, without ? and #")
    return text.rstrip("/")
