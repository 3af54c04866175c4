"""The server's configuration: `langgraph.json`, and environment variables, which win over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent_server.webhook_policy import WebhookPolicy, webhook_policy


class ConfigError(ValueError):
    """A setting is wrong; the message names it, its value, and what would be right."""


@dataclass(frozen=True)
class Graph:
    """One entry of `graphs`: where a graph is, as `./file.py:variable` or `package.module:variable`."""

    path: str
    description: str | None = None


@dataclass(frozen=True)
class StoreTtl:
    """`store.ttl` of `langgraph.json`: how long items of the store live, in minutes."""

    default_ttl: float | None = None
    """The life of items that are put without one; none is for ever."""
    refresh_on_read: bool = True
    """Whether reading an item lets its life begin anew, where the reader does not say."""
    sweep_interval_minutes: int = 5
    """How often what has expired is deleted; no read shows it before."""


@dataclass(frozen=True)
class Config:
    """All settings. `VARIABLES` names the environment variable of each; an empty one counts as unset."""

    directory: Path
    """Where the configuration file is; relative paths start here."""
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    """Directories to import from. Names of packages are left to whoever installs them."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the graphs; the caller of `load` sets those that are not set yet."""
    data_dir: Path = Path(".agent_server")
    """Holds the SQLite files."""
    database_url: str | None = field(default=None, repr=False)
    """`postgresql://…`, or nothing for SQLite files in `data_dir`."""
    store_ttl: StoreTtl = StoreTtl()
    host: str = "127.0.0.1"
    port: int = 2024
    jobs: int = 100
    """Runs at once in one process."""
    public_url: str | None = None
    """What feedback URLs start with; without it they follow the request that started the run."""
    trust_forwarded: bool = False
    """Whether a proxy in front may say (X-Forwarded-…) what the public address is."""
    feedback_on_error: bool = True
    """Whether a run that fails gets its feedback URLs, too."""
    feedback_custom_event: bool = False
    """Whether the feedback URLs also come as a `custom` event, for clients that pass only those on."""
    feedback_expiry: float = 3 * 3600.0
    """How long feedback URLs take answers, in seconds."""
    feedback_links: Literal["confirm", "auto", "direct"] = "auto"
    """Whether following a feedback link is an answer: never; unless the follower takes HTML; always."""
    feedback_redirects: tuple[str, ...] = ()
    """Origins that a feedback page may lead on to."""
    feedback_secret: str | None = field(default=None, repr=False)
    """Mixed into the keys that seal tokens, so that the database alone does not suffice to make them."""
    feedback_webhooks: tuple[str, ...] = field(default=(), repr=False)
    """Addresses that are told of every change of an answer. They may hold credentials."""
    feedback_webhook_secret: str | None = field(default=None, repr=False)
    """What the messages to them are signed with: `whsec_` and Base64 of 24 to 64 bytes."""
    mint_timeout: float = 5.0
    """How long a run's end waits for its feedback URLs, in seconds."""
    max_body_bytes: int = 64 * 1024 * 1024
    lease_seconds: float = 30.0
    """After this long without a sign of life of its worker, a run is taken up by another."""
    keep_stream_seconds: float = 120.0
    """How long a run's events can be read again after its end."""
    cors_origins: tuple[str, ...] = ("*",)
    webhooks: WebhookPolicy = field(default_factory=WebhookPolicy)
    """Where the webhooks of runs may go."""
    log_format: Literal["console", "json"] = "console"
    log_level: str = "info"

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str]) -> Config:
        """The settings of the file at `path` (none: defaults), then those of `environ`. Errors: `ConfigError`."""
        settings = _from_file(path) if path else {"directory": Path.cwd()}
        for name, (setting, read, _) in VARIABLES.items():
            if value := environ.get(name):
                settings[setting] = read(value, name)
        settings["data_dir"] = settings["directory"] / settings.get("data_dir", cls.data_dir)
        return cls(**settings)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; name an existing langgraph.json with --config") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(document, dict):
        raise ConfigError(f'{path}: must hold a JSON object, like {{"graphs": {{"agent": "./agent.py:graph"}}}}')
    directory = path.resolve().parent
    return {
        "directory": directory,
        "graphs": _graphs(document.get("graphs", {}), path),
        "dependencies": _strings(document.get("dependencies", []), f"{path}: dependencies"),
        "env": _env(document.get("env", {}), directory, path),
        **_http(document.get("http"), path),
        "webhooks": _webhooks(document.get("webhooks") or {}, path),
        "store_ttl": _store_ttl(document.get("store"), f"{path}: store.ttl"),
    }


def _webhooks(value: Any, path: Path) -> WebhookPolicy:
    try:
        return webhook_policy(value)
    except ValueError as error:
        raise ConfigError(f"{path}: webhooks: {error}") from None


def _graphs(value: Any, path: Path) -> dict[str, Graph]:
    if not isinstance(value, dict):
        raise ConfigError(f'{path}: graphs is {value!r}; it must be an object like {{"agent": "./agent.py:graph"}}')
    return {str(name): _graph(str(name), entry, path) for name, entry in value.items()}


def _graph(name: str, entry: Any, path: Path) -> Graph:
    given = entry if isinstance(entry, dict) else {"path": entry}
    target, description = given.get("path"), given.get("description")
    if not isinstance(target, str) or not all(target.rpartition(":")):
        raise ConfigError(
            f"{path}: graphs.{name} is {target!r}; it must name a file or module and a variable in it, "
            "like './agent.py:graph' or 'package.module:graph'"
        )
    if description is not None and not isinstance(description, str):
        raise ConfigError(f"{path}: graphs.{name}.description is {description!r}; it must be a string")
    return Graph(target, description)


def _env(value: Any, directory: Path, path: Path) -> dict[str, str]:
    if isinstance(value, str):
        return _dotenv(directory / value, path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: env is {value!r}; it must be an object, or the path of a .env file")
    return {str(name): one if isinstance(one, str) else json.dumps(one) for name, one in value.items()}


def _dotenv(file: Path, path: Path) -> dict[str, str]:
    """`NAME=value` lines; `export`, quotes and `#` comments as in a shell, without its expansions."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: env names {str(file)!r}, which cannot be read ({error})") from None
    found = {}
    for line in map(str.strip, lines):
        name, equals, text = line.removeprefix("export ").partition("=")
        if equals and not line.startswith("#"):
            found[name.strip()] = _unquoted(text.strip())
    return found


def _unquoted(text: str) -> str:
    if text[:1] in ("'", '"') and (end := text.find(text[0], 1)) > 0:
        return text[1:end]
    return text.partition(" #")[0].rstrip()


def _http(value: Any, path: Path) -> dict[str, Any]:
    origins = (((value or {}).get("cors") or {}).get("allow_origins")) if isinstance(value or {}, dict) else None
    return {} if origins is None else {"cors_origins": _strings(origins, f"{path}: http.cors.allow_origins")}


def _store_ttl(store: Any, where: str) -> StoreTtl:
    given = (store.get("ttl") if isinstance(store, dict) else None) or {}
    if not isinstance(given, dict):
        raise ConfigError(f'{where} is {given!r}; it must be an object like {{"default_ttl": 10080}}')
    return StoreTtl(**{name: read(given[name], f"{where}.{name}") for name, read in _TTL.items() if name in given})


def _minutes(value: Any, where: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e8:
        raise ConfigError(f"{where} is {value!r}; it must be a number of minutes greater than 0")
    return value


def _boolean(value: Any, where: str) -> Any:
    if not isinstance(value, bool):
        raise ConfigError(f"{where} is {value!r}; it must be true or false")
    return value


def _optional_minutes(value: Any, where: str) -> Any:
    return None if value is None else _minutes(value, where)


_TTL: Mapping[str, Callable[[Any, str], Any]] = {
    "default_ttl": _optional_minutes,
    "refresh_on_read": _boolean,
    "sweep_interval_minutes": _minutes,
}


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{where} is {value!r}; it must be a list of strings")
    return tuple(value)


def _text(value: str, _name: str) -> str:
    return value


def _path(value: str, _name: str) -> Path:
    return Path(value).expanduser().absolute()


def _flag(value: str, name: str) -> bool:
    flags = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return flags[value.strip().lower()]
    except KeyError:
        raise ConfigError(f"{name} is {value!r}; it must be true or false") from None


def _whole(low: int, high: int) -> Callable[[str, str], int]:
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


def _list(value: str, _name: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in value.split(",") if one.strip())


def _origins(value: str, name: str) -> tuple[str, ...]:
    for one in _list(value, name):
        scheme, _, rest = one.partition("://")
        if scheme not in ("http", "https") or not rest or set(rest) & set("/?#@\\ "):
            raise ConfigError(f"{name} has {one!r}; it must be an origin such as https://shop.example, without a path")
    return _list(value, name)


def _url(*schemes: str) -> Callable[[str, str], str]:
    def read(value: str, name: str) -> str:
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            scheme = value.partition("://")[0] if "://" in value else value[:8]
            raise ConfigError(f"{name} starts with {scheme!r}; it must start with {' or '.join(schemes)} and ://")
        return value.rstrip("/") if "http" in schemes else value

    return read


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(value: str, name: str) -> str:
        if value.strip().lower() not in choices:
            raise ConfigError(f"{name} is {value!r}; it must be {' or '.join(choices)}")
        return value.strip().lower()

    return read


VARIABLES: Mapping[str, tuple[str, Callable[[str, str], Any], str]] = {
    "AGENT_SERVER_DATA_DIR": ("data_dir", _path, "directory of the SQLite files"),
    "DATABASE_URL": ("database_url", _url("postgresql", "postgres"), "PostgreSQL; SQLite files when unset"),
    "AGENT_SERVER_HOST": ("host", _text, "address to listen on"),
    "AGENT_SERVER_PORT": ("port", _whole(0, 65535), "port to listen on; 0 takes a free one"),
    "AGENT_SERVER_JOBS": ("jobs", _whole(1, 100_000), "runs at once in one process"),
    "AGENT_SERVER_PUBLIC_URL": ("public_url", _url("http", "https"), "what feedback URLs start with"),
    "AGENT_SERVER_TRUST_FORWARDED": ("trust_forwarded", _flag, "believe the X-Forwarded headers of a proxy in front"),
    "AGENT_SERVER_FEEDBACK_ON_ERROR": ("feedback_on_error", _flag, "feedback URLs for runs that fail, too"),
    "AGENT_SERVER_FEEDBACK_CUSTOM_EVENT": (
        "feedback_custom_event",
        _flag,
        'feedback URLs as a `custom` event, too: `{"feedback": {key: url}}`, for `useStream`',
    ),
    "AGENT_SERVER_FEEDBACK_EXPIRY": ("feedback_expiry", _seconds, "seconds that feedback URLs take answers"),
    "AGENT_SERVER_FEEDBACK_LINKS": (
        "feedback_links",
        _one_of("confirm", "auto", "direct"),
        "what a GET of a feedback URL does: `confirm` shows a page, `auto` shows it to browsers, `direct` answers",
    ),
    "AGENT_SERVER_FEEDBACK_REDIRECTS": (
        "feedback_redirects",
        _origins,
        "origins that a feedback page may lead on to (`?redirect=`), separated by commas",
    ),
    "AGENT_SERVER_FEEDBACK_SECRET": (
        "feedback_secret",
        _text,
        "kept outside the database, so that a copy of it cannot make URLs; 16 characters or more, never to change",
    ),
    "AGENT_SERVER_FEEDBACK_WEBHOOKS": (
        "feedback_webhooks",
        _list,
        "addresses told of every change of an answer, separated by commas",
    ),
    "AGENT_SERVER_FEEDBACK_WEBHOOK_SECRET": (
        "feedback_webhook_secret",
        _text,
        "signs what they are told (Standard Webhooks): `whsec_` and the Base64 of 24 to 64 random bytes",
    ),
    "AGENT_SERVER_MINT_TIMEOUT": ("mint_timeout", _seconds, "seconds that a run's end waits for its feedback URLs"),
    "AGENT_SERVER_MAX_BODY_BYTES": ("max_body_bytes", _whole(1024, 1 << 40), "largest request body"),
    "AGENT_SERVER_LEASE_SECONDS": (
        "lease_seconds",
        _seconds,
        "silence after which a run is taken up by another worker",
    ),
    "AGENT_SERVER_KEEP_STREAM_SECONDS": ("keep_stream_seconds", _seconds, "how long events stay readable after a run"),
    "AGENT_SERVER_CORS_ORIGINS": ("cors_origins", _list, "origins that browsers may call from, separated by commas"),
    "AGENT_SERVER_LOG_FORMAT": ("log_format", _one_of("console", "json"), "console or json"),
    "AGENT_SERVER_LOG_LEVEL": (
        "log_level",
        _one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error",
    ),
}
"""Every environment variable: the setting it stands for, how it is read, and what it means."""
