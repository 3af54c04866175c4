"""Config: all settings, from the file and from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from agent_server.config.api_keys import GivenKey
from agent_server.config.auth import AuthSettings
from agent_server.config.file import from_file
from agent_server.config.values import (
    ConfigError,
    Graph,
    Http,
    RouteGroup,
    Serde,
    StoreIndex,
    StoreTtl,
    ThreadTtlDefaults,
)
from agent_server.config.variables import VARIABLES
from agent_server.config.webhooks import WebhookPolicy


@dataclass(frozen=True)
class Config:
    """All settings. `VARIABLES` names the environment variable of each; an empty one counts as unset."""

    directory: Path
    """Where the configuration file is; relative paths start here."""
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    """Directories to import from. Names of packages are left to whoever installs them."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment variables that the settings were read from; the feedback module reads its own among them."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the graphs; the caller of `load` sets those that are not set yet."""
    env_file: Path | None = None
    """The file that they come from, where `env` of the configuration file names one."""
    data_dir: Path = Path(".agent_server")
    """Holds the SQLite files."""
    database_url: str | None = field(default=None, repr=False)
    """`postgresql://…`, or nothing for SQLite files in `data_dir`."""
    redis_url: str | None = field(default=None, repr=False)
    """`redis://…`, `rediss://…` or `unix://…`, through which several processes share live streams; or nothing."""
    store_ttl: StoreTtl = field(default_factory=StoreTtl)
    store_index: StoreIndex | None = None
    store_path: str | None = None
    """A store of one's own in place of ours, as `./file.py:variable` or `package.module:variable`."""
    thread_ttl: ThreadTtlDefaults = field(default_factory=ThreadTtlDefaults)
    serde: Serde = field(default_factory=Serde)
    """How checkpoints are serialized."""
    graph_configs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """By graph, the config of its own assistant."""
    host: str = "127.0.0.1"
    port: int = 2024
    jobs: int = 100
    """Runs at once in one process."""
    role: Literal["all", "api", "worker"] = "all"
    """What the process does: answer requests, execute runs, or both."""
    drain_seconds: float = 5.0
    """At a stop, how long runs at work may take to end before they go back to the queue."""
    verbose: bool = False
    """Whether the traceback of code that cannot be loaded is shown."""
    public_url: str | None = None
    """What feedback URLs start with; without it they follow the request that started the run."""
    trust_forwarded: bool = False
    """Whether a proxy in front may say (X-Forwarded-…) what the public address is."""
    feedback_on_error: bool = True
    """Whether a run that fails gets its feedback URLs, too."""
    feedback_custom_event: bool = False
    """Whether the feedback URLs also come as a `custom` event, for clients that pass only those on."""
    mint_timeout: float = 5.0
    """How long a run's end waits for its feedback URLs, in seconds."""
    max_body_bytes: int = 16 * 1024 * 1024
    lease_seconds: float = 30.0
    """After this long without a sign of life of its worker, a run is taken up by another."""
    stop_seconds: float = 10.0
    """How long a cancelled run's agent may take to clean up, before the run ends without it."""
    max_rescues: int = 3
    """How many attempts in a row may lose their server without progress before the run fails."""
    keep_stream_seconds: float = 120.0
    """How long a run's events can be read again after its end."""
    auth: AuthSettings | None = None
    """Where the application's own rules are, if it has some."""
    api_keys: tuple[GivenKey, ...] = field(default=(), repr=False)
    """API keys beside those of the database."""
    allow_anyone: bool = False
    """Whether, as long as there are no API keys, anybody may call, from wherever they come."""
    blocked_seconds: float = 1.0
    """After this long without a turn of the event loop, whoever holds it up is warned of; 0 warns of nobody."""
    cors_origins: tuple[str, ...] | None = None
    """Origins whose pages may call. By default every origin where an API key is needed, else none but loopback ones."""
    http: Http = field(default_factory=Http)
    """Whose routes are served, where, and to which pages."""
    disabled: tuple[RouteGroup, ...] = ()
    """Groups of routes that are not served, beside those that `http` disables."""
    webhooks: WebhookPolicy = field(default_factory=WebhookPolicy)
    """Where the webhooks of runs may go."""
    log_format: Literal["console", "json"] = "console"
    log_level: str = "info"
    unheeded: tuple[str, ...] = ()
    """What the file says and this server does not do, a sentence each."""

    def url_of(self, database: str) -> str:
        """The URL of a database: PostgreSQL's one for all, where it is set, or else a SQLite file with this name."""
        return self.database_url or f"sqlite:///{self.data_dir / database}.db"

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str]) -> Config:
        """The settings of the file at `path` (none: defaults), then those of `environ`. Errors: `ConfigError`."""
        settings: dict[str, Any] = from_file(path) if path else {"directory": Path.cwd()}
        for name, (setting, read, _) in VARIABLES.items():
            if value := environ.get(name):
                settings[setting] = read(value, name)
        if disabled := settings.get("disabled"):
            http = settings.get("http", Http())
            settings["http"] = replace(http, disabled=http.disabled | frozenset(disabled))
        if webhooks := settings.get("webhooks"):
            try:
                settings["webhooks"] = webhooks.with_headers_from({**settings["env"], **environ})
            except ValueError as error:
                raise ConfigError(f"{path}: webhooks: {error}") from None
        settings["data_dir"] = settings["directory"] / settings.get("data_dir", cls.data_dir)
        loaded = cls(**settings, environ=environ)
        if loaded.role != "all" and loaded.database_url is None:
            raise ConfigError(
                "Servers and workers apart share runs through PostgreSQL: set DATABASE_URL (and REDIS_URL, for live "
                "streams); with SQLite, one process does both: agent-server serve"
            )
        return loaded
