"""`http` of `langgraph.json`: a custom app, disabled routes, CORS, a path prefix.

Source: `HttpConfig` and `CorsConfig` in `langgraph_cli.schemas` 0.4, and the behaviour of `langgraph_api` 0.16.7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from agent_server.config.checks import boolean, section, strings, variable, whole
from agent_server.config.configurable_headers import HeaderRules
from agent_server.config.values import ConfigError, CorsRules, Http, RouteGroup

_EXAMPLE = '{"app": "./web.py:app"}'


def http_settings(value: Any, where: str) -> dict[str, Any]:
    """Return the settings in `http`, by the names of `Config`'s fields. Errors: `ConfigError`."""
    given = section(value, where, _EXAMPLE)
    groups: tuple[RouteGroup, ...] = get_args(RouteGroup)
    cors = section(given.get("cors"), f"{where}.cors", '{"allow_origins": ["https://app.example"]}')
    http = Http(
        app=variable(given["app"], f"{where}.app", "web.py:app") if given.get("app") is not None else None,
        disabled=frozenset(group for group in groups if is_disabled(group, given, where)),
        mount_prefix=_prefix(given.get("mount_prefix") or "", f"{where}.mount_prefix"),
        cors=CorsRules(**_read(cors, _CORS, f"{where}.cors")),
        configurable_headers=_headers(given.get("configurable_headers"), f"{where}.configurable_headers"),
        custom_route_auth=boolean(given.get("enable_custom_route_auth", False), f"{where}.enable_custom_route_auth"),
    )
    return {"http": http, **_origins(cors, f"{where}.cors.allow_origins")}


def is_disabled(what: str, http: Any, where: str) -> bool:
    """Return whether `http.disable_…` disables something."""
    name = f"disable_{what}"
    return boolean(section(http, where, _EXAMPLE).get(name, False), f"{where}.{name}")


def _headers(value: Any, where: str) -> HeaderRules:
    """Return the header rules; the official documentation has used both spellings of the two lists."""
    given = section(value, where, '{"includes": ["x-user-id"], "excludes": []}')
    if unknown := sorted(given.keys() - {"includes", "include", "excludes", "exclude"}):
        raise ConfigError(f"{where} has {unknown[0]!r}; it may have includes and excludes")

    def listed(name: str) -> tuple[str, ...]:
        return strings(given.get(f"{name}s") or given.get(name) or [], f"{where}.{name}s")

    return HeaderRules(listed("include"), listed("exclude"))


def _origins(cors: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the named origins; empty if there are rules without any, as on the official server."""
    if not cors:
        return {}
    return {"cors_origins": strings(cors.get("allow_origins") or [], where)}


def _prefix(value: Any, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(/[\w.~-]+)*/?", value, re.ASCII):
        raise ConfigError(f"{where} is {value!r}; it must be a path like '/agents'")
    return value.rstrip("/")


def _pattern(value: Any, where: str) -> str:
    try:
        re.compile(value)
        return str(value)
    except (re.error, TypeError) as error:
        raise ConfigError(f"{where} is {value!r}, which is no regular expression ({error})") from None


def _read(given: dict[str, Any], readers: Mapping[str, tuple[str, Callable[[Any, str], Any]]], where: str) -> Any:
    if unknown := sorted(given.keys() - readers - {"allow_origins"}):
        raise ConfigError(f"{where} has {unknown[0]!r}; it may have allow_origins, {', '.join(readers)}")
    present = {name: value for name, value in given.items() if value is not None}
    return {field: read(present[name], f"{where}.{name}") for name, (field, read) in readers.items() if name in present}


_CORS: Mapping[str, tuple[str, Callable[[Any, str], Any]]] = {
    "allow_origin_regex": ("origin_pattern", _pattern),
    "allow_methods": ("methods", strings),
    "allow_headers": ("headers", strings),
    "expose_headers": ("exposed", strings),
    "allow_credentials": ("credentials", boolean),
    "max_age": ("max_age", lambda value, where: whole(value, where, 0)),
}
