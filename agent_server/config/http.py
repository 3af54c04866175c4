"""`http` of `langgraph.json`: a custom app, disabled routes, CORS, a path prefix.

Source: `HttpConfig` and `CorsConfig` in `langgraph_cli.schemas` 0.4, and the behaviour of `langgraph_api` 0.16.7.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from msgspec import Struct

from agent_server.config.configurable_headers import HeaderRules
from agent_server.config.conversion import Flag, Strings, Text, convert_setting, must, must_locate
from agent_server.config.values import CorsRules, Http, RouteGroup


class HttpSection(Struct, frozen=True):
    """The settings as the file has them, without its switches `disable_…`."""

    app: Annotated[str, must_locate("web.py:app")] | None = None
    mount_prefix: Annotated[str, must("be a path like '/agents'", pattern=r"^(/[A-Za-z0-9_.~-]+)*/?\Z")] = ""
    cors: Annotated[CorsSection, must('be an object like {"allow_origins": ["https://app.example"]}')] | None = None
    configurable_headers: (
        Annotated[HeadersSection, must('be an object like {"includes": ["x-user-id"], "excludes": []}')] | None
    ) = None
    enable_custom_route_auth: Flag = False


class CorsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """`http.cors`."""

    allow_origins: Strings = ()
    allow_origin_regex: Text | None = None
    allow_methods: Strings = ("*",)
    allow_headers: Strings = ("*",)
    expose_headers: Strings = ()
    allow_credentials: Flag = False
    max_age: Annotated[int, must("be a whole number from 0 on", ge=0, lt=2**31)] = 600

    def __post_init__(self) -> None:
        try:
            re.compile(self.allow_origin_regex or "")
        except re.error as error:
            wrong = f"allow_origin_regex is {self.allow_origin_regex!r}, which is no regular expression ({error})"
            raise ValueError(wrong) from None

    def rules(self) -> CorsRules:
        """Return the rules, without the allowed origins."""
        return CorsRules(
            origin_pattern=self.allow_origin_regex,
            methods=self.allow_methods,
            headers=self.allow_headers,
            exposed=self.expose_headers,
            credentials=self.allow_credentials,
            max_age=self.max_age,
        )


class HeadersSection(Struct, frozen=True, forbid_unknown_fields=True):
    """`http.configurable_headers`; the official documentation has used both spellings of the two lists."""

    includes: Strings = ()
    include: Strings = ()
    excludes: Strings = ()
    exclude: Strings = ()

    def rules(self) -> HeaderRules:
        """Return the rules."""
        return HeaderRules(self.includes or self.include, self.excludes or self.exclude)


def http_settings(given: Any, where: str) -> dict[str, Any]:
    """Return the settings in `http`, by the names of `Config`'s fields. Errors: `ConfigError`."""
    section = convert_setting(given, HttpSection, where, 'be an object like {"app": "./web.py:app"}')
    groups: tuple[RouteGroup, ...] = get_args(RouteGroup)
    http = Http(
        app=section.app,
        disabled=frozenset(group for group in groups if is_disabled(group, given, where)),
        mount_prefix=section.mount_prefix.rstrip("/"),
        cors=section.cors.rules() if section.cors else CorsRules(),
        configurable_headers=section.configurable_headers.rules() if section.configurable_headers else HeaderRules(),
        custom_route_auth=section.enable_custom_route_auth,
    )
    # Rules for CORS without any origins allow none, as on the official server.
    return {
        "http": http,
        **({"cors_origins": section.cors.allow_origins} if given.get("cors") and section.cors else {}),
    }


def is_disabled(what: str, http: dict[str, Any], where: str) -> bool:
    """Return whether `http.disable_…` disables something. Errors: `ConfigError`."""
    name = f"disable_{what}"
    return convert_setting(http.get(name, False), Flag, f"{where}.{name}")
