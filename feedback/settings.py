"""Settings: how the service was set up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct, field

from feedback.rate_limits import RateLimiter
from feedback.validation import origin_of

LinkMode = Literal["confirm", "auto", "direct"]
LINK_MODES: tuple[str, ...] = get_args(LinkMode)


class Links(Struct, frozen=True):
    """How links are followed.

    * `confirm`: no GET submits feedback; it shows a page with a button, or, as JSON, what the URL is for.
    * `auto`: the same, but the GETs of programs that ask for it count: `Accept: application/json`, curl, langsmith.
    * `direct`: a click counts, the page comes after. Mail scanners that pretend to be browsers then vote, too.

    `by_key` names keys with another mode than `mode`. `redirect_origins` are the only places (`https://host[:port]`)
    that a link's `redirect` may lead to. No mode counts a HEAD, a prefetch, an image or a known scanner.
    """

    mode: LinkMode = "auto"
    by_key: Mapping[str, LinkMode] = field(default_factory=dict)
    redirect_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for mode in (self.mode, *self.by_key.values()):
            if mode not in LINK_MODES:
                raise ValueError(f"The link mode {mode!r} is none of {', '.join(LINK_MODES)}")
        for origin in self.redirect_origins:
            if origin_of(origin) != origin.lower():
                raise ValueError(f"{origin!r} is not an origin; give one such as https://shop.example, without a path")

    def mode_of(self, key: str) -> LinkMode:
        """What a GET for this feedback key does."""
        return self.by_key.get(key, self.mode)

    def allowed(self, address: str | None) -> str | None:
        """`address`, where it lies in one of the origins; nothing otherwise."""
        origin = origin_of(address) if address else None
        return address if origin and origin in {one.lower() for one in self.redirect_origins} else None


TOKEN_PATH = "/api/v1/feedback/tokens/"
"""Where presigned URLs point to: the canonical one of the three places where the routes are mounted."""


class Settings(Struct, frozen=True):
    """What the handlers need to know."""

    public_url: str | None
    trust_forwarded: bool
    default_expiry: timedelta
    links: Links
    rate_limiter: RateLimiter


def clean_url(text: str) -> str:
    """`text` as a base for URLs: no slash at its end. `ValueError` where it is not an absolute address."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not a base URL; give one such as https://feedback.example.com, without ? and #")
    return text.rstrip("/")
