"""The environment variables, and their parsers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from agent_server.config.api_keys import ConfiguredKey, parse_api_keys
from agent_server.config.errors import ConfigError
from agent_server.config.values import RouteGroup


def _text(value: str, _name: str) -> str:
    return value


def _keys(value: str, name: str) -> tuple[ConfiguredKey, ...]:
    try:
        return parse_api_keys(value)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def _path(value: str, _name: str) -> Path:
    return Path(value).expanduser().absolute()


def _flag(value: str, name: str) -> bool:
    flags = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return flags[value.strip().lower()]
    except KeyError:
        raise ConfigError(f"{name} is {value!r}; it must be true or false") from None


def _graph_configs(value: str, name: str) -> dict[str, dict[str, Any]]:
    try:
        configs = json.loads(value)
    except ValueError as error:
        raise ConfigError(f"{name} is no JSON: {error}") from None
    if not isinstance(configs, dict) or not all(isinstance(one, dict) for one in configs.values()):
        right = '{"agent": {"recursion_limit": 50, "configurable": {"model": "small"}}}'
        raise ConfigError(f"{name} is {value[:100]!r}; it must be an object of configs by graph, like {right}")
    return configs


def _groups(value: str, name: str) -> tuple[RouteGroup, ...]:
    known: tuple[RouteGroup, ...] = get_args(RouteGroup)
    given = [part.strip() for part in value.split(",") if part.strip()]
    if unknown := [part for part in given if part not in known]:
        raise ConfigError(f"{name} has {unknown[0]!r}; it may have {', '.join(known)}")
    return tuple(group for group in known if group in given)


def _parse_integer_within(low: int, high: int) -> Callable[[str, str], int]:
    def read(value: str, name: str) -> int:
        if not value.strip().isdecimal() or not low <= int(value) <= high:
            raise ConfigError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
        return int(value)

    return read


def _seconds(value: str, name: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"{name} is {value!r}; it must be a number of seconds greater than 0")
    return seconds


def _parse_seconds_or_none(value: str, name: str) -> float:
    return 0.0 if value.strip() == "0" else _seconds(value, name)


def _list(value: str, _name: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in value.split(",") if one.strip())


def _url(*schemes: str) -> Callable[[str, str], str]:
    def read(value: str, name: str) -> str:
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            scheme = value.partition("://")[0] if "://" in value else value[:8]
            raise ConfigError(f"{name} starts with {scheme!r}; it must start with {' or '.join(schemes)} and ://")
        return value.rstrip("/") if "http" in schemes else value

    return read


def _parse_one_of(*choices: str) -> Callable[[str, str], str]:
    def read(value: str, name: str) -> str:
        if value.strip().lower() not in choices:
            raise ConfigError(f"{name} is {value!r}; it must be {' or '.join(choices)}")
        return value.strip().lower()

    return read


VARIABLES: Mapping[str, tuple[str, Callable[[str, str], Any], str]] = {
    "AGENT_SERVER_DATA_DIR": ("data_dir", _path, "directory of the SQLite files"),
    "DATABASE_URL": (
        "database_url",
        _url("postgresql", "postgres"),
        "URL of a PostgreSQL database; SQLite files if unset",
    ),
    "REDIS_URL": (
        "redis_url",
        _url("redis", "rediss", "unix"),
        "URL of a Redis server (`redis://`, `rediss://`, `unix://`) through which several processes share live streams",
    ),
    "AGENT_SERVER_HOST": ("host", _text, "address to listen on"),
    "AGENT_SERVER_PORT": ("port", _parse_integer_within(0, 65535), "port to listen on; 0 picks a free one"),
    "AGENT_SERVER_API_KEYS": (
        "api_keys",
        _keys,
        "API keys in addition to those of `agent-server keys`, separated by commas: `key`, `key:run+feedback-read`, "
        "`sha256:<hash>:run`, or `key:feedback-mint@project`; without scopes, all scopes except `admin`",
    ),
    "AGENT_SERVER_ALLOW_ANYONE": (
        "allow_anyone",
        _flag,
        "accept unauthenticated requests from any address while no API key exists",
    ),
    "AGENT_SERVER_DISABLED": (
        "disabled",
        _groups,
        "groups of routes that are not served, with commas between, such as `mcp,a2a`",
    ),
    "LANGGRAPH_CONFIG": (
        "graph_configs",
        _graph_configs,
        'configs of the graphs\' own assistants as JSON, by graph, such as `{"agent": {"recursion_limit": 50}}`',
    ),
    "AGENT_SERVER_JOBS": (
        "jobs",
        _parse_integer_within(1, 100_000),
        "maximum number of concurrent runs in one process",
    ),
    "AGENT_SERVER_ROLE": (
        "role",
        _parse_one_of("all", "api", "worker"),
        "what the process does: `api` serves requests (`serve --no-worker`), `worker` executes runs "
        "(`agent-server worker`), `all` does both",
    ),
    "AGENT_SERVER_DRAIN_SECONDS": (
        "drain_seconds",
        _parse_seconds_or_none,
        "at a stop, how long runs at work may take to end before they go back to the queue; `dev` uses 0",
    ),
    "AGENT_SERVER_VERBOSE": ("verbose", _flag, "show the traceback of code that cannot be loaded"),
    "AGENT_SERVER_PUBLIC_URL": (
        "public_url",
        _url("http", "https"),
        "base of the feedback URLs; the request's own address if unset",
    ),
    "AGENT_SERVER_TRUST_FORWARDED": ("trust_forwarded", _flag, "trust the `X-Forwarded-*` headers, which a proxy sets"),
    "AGENT_SERVER_FEEDBACK_ON_ERROR": ("feedback_on_error", _flag, "send feedback URLs for runs that fail, too"),
    "AGENT_SERVER_FEEDBACK_CUSTOM_EVENT": (
        "feedback_custom_event",
        _flag,
        'send feedback URLs as a `custom` event, too: `{"feedback": {key: url}}`, for `useStream`',
    ),
    "AGENT_SERVER_MINT_TIMEOUT": (
        "mint_timeout",
        _seconds,
        "how long the end of a run waits for its feedback URLs, in seconds",
    ),
    "AGENT_SERVER_MAX_BODY_BYTES": (
        "max_body_bytes",
        _parse_integer_within(1024, 1 << 40),
        "maximum size of a request body, in bytes",
    ),
    "AGENT_SERVER_LEASE_SECONDS": (
        "lease_seconds",
        _seconds,
        "seconds without a renewal after which another worker takes over a run",
    ),
    "AGENT_SERVER_KEEP_STREAM_SECONDS": (
        "keep_stream_seconds",
        _seconds,
        "how long events stay readable after a run, in seconds",
    ),
    "AGENT_SERVER_STOP_SECONDS": (
        "stop_seconds",
        _seconds,
        "how long the clean-up of a cancelled run may take before the run ends without it, in seconds",
    ),
    "AGENT_SERVER_MAX_RESCUES": (
        "max_rescues",
        _parse_integer_within(1, 1000),
        "attempts in a row that may lose their server without progress before the run fails",
    ),
    "AGENT_SERVER_BLOCKED_SECONDS": (
        "blocked_seconds",
        _parse_seconds_or_none,
        "log a warning when a node blocks the event loop for longer, in seconds; 0 disables it; `dev` uses 0.2",
    ),
    "AGENT_SERVER_CORS_ORIGINS": (
        "cors_origins",
        _list,
        "origins whose pages may call the server, separated by commas; unset, loopback origins, or every origin once "
        "there are API keys",
    ),
    "AGENT_SERVER_LOG_FORMAT": ("log_format", _parse_one_of("console", "json"), "`console` or `json`"),
    "AGENT_SERVER_LOG_LEVEL": (
        "log_level",
        _parse_one_of("debug", "info", "warning", "error"),
        "`debug`, `info`, `warning` or `error`",
    ),
}
"""Every environment variable: its setting, its parser, and its description."""
