"""Settings of the feedback service, and the environment variables that set them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from feedback.rate_limits import Limits
from feedback.settings.environment import (
    parse_flag,
    parse_list,
    parse_networks,
    parse_origins,
    parse_rate,
    parse_seconds,
    parse_whole_seconds,
)
from feedback.settings.pages import PageSettings, parse_colour, read_logo
from feedback.validation import parse_origin

LinkMode = Literal["confirm", "auto", "direct"]
LINK_MODES: tuple[str, ...] = get_args(LinkMode)
MAX_METADATA_NAMES = 8


class Links(Struct, frozen=True):
    """What a GET of a presigned URL does.

    * `confirm`: no GET submits feedback; it shows a page with a button, or, as JSON, what the URL is for.
    * `auto`: the same, but a GET of a program submits if it asks to: `Accept: application/json`, curl, langsmith.
    * `direct`: a click submits, and then shows the page. Mail scanners that pretend to be browsers submit, too.

    `by_key` maps feedback keys to modes other than `mode`. `redirect_origins` are the only origins
    (`https://host[:port]`) that a link's `redirect` may lead to. In no mode does a HEAD, a prefetch, an image or a
    known scanner submit.
    """

    mode: LinkMode = "auto"
    by_key: Mapping[str, LinkMode] = field(default_factory=dict)
    redirect_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for mode in (self.mode, *self.by_key.values()):
            if mode not in LINK_MODES:
                raise ValueError(f"The link mode {mode!r} is none of {', '.join(LINK_MODES)}")
        for origin in self.redirect_origins:
            if parse_origin(origin) != origin.lower():
                raise ValueError(f"{origin!r} is not an origin; give one such as https://shop.example, without a path")

    def get_mode(self, key: str) -> LinkMode:
        """Return what a GET for this feedback key does."""
        return self.by_key.get(key, self.mode)

    def find_allowed(self, address: str | None) -> str | None:
        """Return `address` if it is in one of the origins, else None."""
        origin = parse_origin(address) if address else None
        return address if origin and origin in {one.lower() for one in self.redirect_origins} else None


TOKEN_PATH = "/api/v1/feedback/tokens/"
"""The path of presigned URLs: the canonical one of the three where the routes are mounted."""


class FeedbackSettings(Struct, frozen=True, kw_only=True):
    """The settings of the service; every field has a default. Errors: `ValueError`."""

    public_url: str | None = None
    """The base of every presigned URL; without it, URLs use the address of the request."""
    trust_forwarded: bool = False
    """Whether to trust `X-Forwarded-*` headers; only behind a proxy that sets them."""
    default_expiry: timedelta = timedelta(hours=3)
    run_token_expiry: timedelta = timedelta(days=30)
    secret: str | None = None
    """At least 16 characters that a copy of the database lacks: alone it cannot forge URLs. It must not change."""
    links: Links = Links()
    limits: Limits = Limits()
    pages: PageSettings = PageSettings()
    webhooks: tuple[str, ...] = ()
    """URLs that receive every change of feedback, signed with `webhook_secret`."""
    webhook_secret: str | None = None
    alerts: str = ""
    """Rules such as `thumbs below 0.7 in 24h of 20`, separated by commas."""
    run_metadata: tuple[str, ...] = ()
    """Names of the runs' metadata that is stored with feedback, to filter by it; at most eight."""
    otel: bool = False
    """Whether to export all feedback to OpenTelemetry; `otel_comments` includes comments."""
    otel_comments: bool = False
    serve_root_info: bool = True
    serve_metrics: bool = True
    """False if the app around the service serves `/metrics` itself; `serve_root_info` is the same for `/info`."""

    def __post_init__(self) -> None:
        if self.default_expiry <= timedelta(0):
            raise ValueError(f"default_expiry is {self.default_expiry}; URLs must be valid for some time")
        if self.public_url is not None:
            clean_url(self.public_url)

    @property
    def base_url(self) -> str | None:
        """Return the public URL without a trailing slash, if there is one."""
        return None if self.public_url is None else clean_url(self.public_url)

    @classmethod
    def load(cls, environ: Mapping[str, str], **others: Any) -> Self:
        """Read the settings from environment variables; `others` are fields that no variable sets.

        An empty variable counts as unset. Errors: `ValueError`, which names the variable.
        """
        own: dict[str, Any] = dict(others)
        parts: dict[str, dict[str, Any]] = {"links": {}, "limits": {}, "pages": {}}
        for name, (setting, read, _, _) in {**SHARED, **VARIABLES}.items():
            if value := environ.get(name):
                part, _, leaf = setting.rpartition(".")
                parts.get(part, own)[leaf] = _read(name, read, value)
        pages = PageSettings(**parts["pages"])
        return cls(links=Links(**parts["links"]), limits=Limits(**parts["limits"]), pages=pages, **own)


@lru_cache(maxsize=64)
def clean_url(text: str) -> str:
    """Return `text` as a base for URLs, without a trailing slash. Errors: `ValueError` if it is no absolute URL."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not a base URL; give one such as https://feedback.example.com, without ? and #")
    return text.rstrip("/")


def _read(name: str, read: Callable[[str], Any], value: str) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name} is {error}") from None


def _metadata_names(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(parse_list(value)))
    if len(names) > MAX_METADATA_NAMES:
        raise ValueError(f"{value!r}; it must list at most {MAX_METADATA_NAMES} names")
    for name in names:
        if ":" in name or len(name) > 100 or not name.isprintable():
            raise ValueError(f"{value!r}; a name has at most 100 characters, and no colon")
    return names


def _link_mode(value: str) -> LinkMode:
    try:
        mode: LinkMode = msgspec.convert(value.strip().lower(), LinkMode)
    except msgspec.ValidationError:
        raise ValueError(f"{value!r}; it must be {' or '.join(LINK_MODES)}") from None
    return mode


def _link_modes(value: str) -> dict[str, LinkMode]:
    modes: dict[str, LinkMode] = {}
    for one in parse_list(value):
        key, _, mode = (part.strip() for part in one.rpartition("="))
        if not key or mode not in LINK_MODES:
            raise ValueError(f"{one!r}; it must be a feedback key and one of confirm, auto and direct: nps=auto")
        modes[key] = _link_mode(mode)
    return modes


Variable = tuple[str, Callable[[str], Any], str, str]

VARIABLES: Mapping[str, Variable] = {
    "AGENT_SERVER_FEEDBACK_EXPIRY": (
        "default_expiry",
        parse_seconds,
        "10800",
        "lifetime of feedback URLs, in seconds",
    ),
    "AGENT_SERVER_FEEDBACK_LINKS": (
        "links.mode",
        _link_mode,
        "auto",
        "what a GET of a feedback URL does: `confirm` shows a page, `auto` shows it to browsers, `direct` submits",
    ),
    "AGENT_SERVER_FEEDBACK_KEY_LINKS": (
        "links.by_key",
        _link_modes,
        "",
        "the same by feedback key, such as `nps=confirm,thumbs=direct`",
    ),
    "AGENT_SERVER_FEEDBACK_REDIRECTS": (
        "links.redirect_origins",
        parse_origins,
        "",
        "origins to which a feedback page may redirect (`?redirect=`), separated by commas",
    ),
    "AGENT_SERVER_FEEDBACK_PRODUCT": (
        "pages.product",
        str.strip,
        "",
        "name of the product, at the top of feedback pages",
    ),
    "AGENT_SERVER_FEEDBACK_LOGO": (
        "pages.logo",
        read_logo,
        "",
        "path of its logo, a PNG, JPEG, WebP or SVG file of at most 100 KB, embedded in feedback pages",
    ),
    "AGENT_SERVER_FEEDBACK_COLOR": (
        "pages.colour",
        parse_colour,
        "",
        "its colour, such as `#0a7d5a`, for the buttons of feedback pages; made readable in light and dark mode",
    ),
    "AGENT_SERVER_FEEDBACK_QUOTE": (
        "pages.quotes_reply",
        parse_flag,
        "false",
        "quote the agent's reply on feedback pages; everyone who has the link can read it",
    ),
    "AGENT_SERVER_FEEDBACK_SECRET": (
        "secret",
        str,
        "",
        "secret that a copy of the database lacks: it cannot forge URLs; at least 16 characters; must not change",
    ),
    "AGENT_SERVER_FEEDBACK_WEBHOOKS": (
        "webhooks",
        parse_list,
        "",
        "URLs that receive every change of feedback, separated by commas",
    ),
    "AGENT_SERVER_FEEDBACK_WEBHOOK_SECRET": (
        "webhook_secret",
        str,
        "",
        "signing secret of these webhooks (Standard Webhooks): `whsec_` and the Base64 of 24 to 64 random bytes",
    ),
    "AGENT_SERVER_FEEDBACK_ALERTS": (
        "alerts",
        str,
        "",
        "alert rules, sent to the webhooks as `feedback.alert`, separated by commas: `thumbs below 0.7 in 24h of 20`, "
        "`stars mean below 3.5`, `latency mean above 800`, `thumbs worse in 7d of 20`",
    ),
    "AGENT_SERVER_FEEDBACK_RUN_METADATA": (
        "run_metadata",
        _metadata_names,
        "",
        "names of run metadata to filter feedback by, separated by commas, such as `tenant,plan`; at most eight",
    ),
    "AGENT_SERVER_FEEDBACK_OTEL": (
        "otel",
        parse_flag,
        "false",
        "send every feedback to OpenTelemetry, as the `OTEL_*` variables configure",
    ),
    "AGENT_SERVER_FEEDBACK_OTEL_COMMENTS": (
        "otel_comments",
        parse_flag,
        "false",
        "include comments in the OpenTelemetry events",
    ),
    "AGENT_SERVER_FEEDBACK_TOKEN_LIMIT": (
        "limits.token",
        parse_rate,
        "300/60",
        "submissions through one URL, per seconds; `off` for no limit",
    ),
    "AGENT_SERVER_FEEDBACK_ADDRESS_LIMIT": (
        "limits.address",
        parse_rate,
        "6000/60",
        "submissions, mintings and wrong API keys from one address, per seconds; `off` for no limit",
    ),
    "AGENT_SERVER_FEEDBACK_MINT_LIMIT": (
        "limits.minting",
        parse_rate,
        "off",
        "URLs minted without an API key from one address, per seconds, such as `60/60`",
    ),
    "AGENT_SERVER_FEEDBACK_PROXIES": (
        "limits.proxies",
        parse_networks,
        "",
        "addresses of all proxies except the nearest, separated by commas, to find the client's address behind them",
    ),
    "AGENT_SERVER_FEEDBACK_RUN_TOKEN_EXPIRY": (
        "run_token_expiry",
        parse_whole_seconds,
        "2592000",
        "lifetime of a run's feedback token (WorkflowAI's clients), in seconds",
    ),
}
"""Each variable: the setting, the parser of its text (`ValueError`), its default as text, and its description."""

SHARED: Mapping[str, Variable] = {
    "AGENT_SERVER_PUBLIC_URL": ("public_url", clean_url, "", "what feedback URLs start with"),
    "AGENT_SERVER_TRUST_FORWARDED": (
        "trust_forwarded",
        parse_flag,
        "false",
        "believe the X-Forwarded headers of a proxy in front",
    ),
}
"""Variables that an agent server in the same process reads, too."""
