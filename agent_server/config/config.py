"""All settings, from the file and from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from agent_server.config.api_keys import ConfiguredKey
from agent_server.config.errors import ConfigError
from agent_server.config.file import read_settings_file
from agent_server.config.values import (
    AuthSettings,
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
    """The configuration file's directory; relative paths start here."""
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    """Directories to import from. The user installs packages that are given by name."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment variables that the settings were read from; the feedback module reads its own from them."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the graphs; the caller of `load` sets the missing ones."""
    env_file: Path | None = None
    """The file that they come from, if `env` of the configuration file names one."""
    data_dir: Path = Path(".agent_server")
    """The directory of the SQLite files."""
    database_url: str | None = field(default=None, repr=False)
    """`postgresql://…`; None for SQLite files in `data_dir`."""
    redis_url: str | None = field(default=None, repr=False)
    """`redis://…`, `rediss://…` or `unix://…`, through which several processes share live streams; None without."""
    store_ttl: StoreTtl = field(default_factory=StoreTtl)
    store_index: StoreIndex | None = None
    store_path: str | None = None
    """A custom store in place of ours, as `./file.py:variable` or `package.module:variable`."""
    thread_ttl: ThreadTtlDefaults = field(default_factory=ThreadTtlDefaults)
    serde: Serde = field(default_factory=Serde)
    """How checkpoints are serialized."""
    graph_configs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """The config of each graph's default assistant, by graph."""
    host: str = "127.0.0.1"
    port: int = 2024
    jobs: int = 100
    """Concurrent runs in one process."""
    role: Literal["all", "api", "worker"] = "all"
    """The process's tasks: handle requests, execute runs, or both."""
    drain_seconds: float = 5.0
    """At a stop, how long current runs may take to end before they go back to the queue."""
    verbose: bool = False
    """Show the traceback of code that cannot be loaded."""
    public_url: str | None = None
    """The base of feedback URLs; without it they use the host of the request that started the run."""
    trust_forwarded: bool = False
    """Trust the public address that a proxy in front reports (X-Forwarded-…)."""
    feedback_on_error: bool = True
    """Also create feedback URLs for a run that fails."""
    feedback_custom_event: bool = False
    """Also send the feedback URLs as a `custom` event, for clients that pass only those on."""
    mint_timeout: float = 5.0
    """Seconds that a run's end waits for its feedback URLs."""
    max_body_bytes: int = 16 * 1024 * 1024
    lease_seconds: float = 30.0
    """Seconds without a heartbeat of its worker after which another worker takes the run over."""
    stop_seconds: float = 10.0
    """How long a cancelled run's agent may clean up before the run ends without it."""
    max_rescues: int = 3
    """Consecutive attempts without progress that may lose their server before the run fails."""
    keep_stream_seconds: float = 120.0
    """How long a run's events can be read after its end."""
    auth: AuthSettings | None = None
    """The location of the application's own rules, if it has some."""
    api_keys: tuple[ConfiguredKey, ...] = field(default=(), repr=False)
    """API keys beside those of the database."""
    allow_anyone: bool = False
    """Accept unauthenticated requests from any address while no API key exists."""
    blocked_seconds: float = 1.0
    """Log a warning when a call blocks the event loop for longer than this; 0 disables it."""
    cors_origins: tuple[str, ...] | None = None
    """Origins whose pages may call. By default every origin if an API key is needed, otherwise only loopback ones."""
    http: Http = field(default_factory=Http)
    """The custom app, the disabled routes, the path prefix and the CORS rules."""
    disabled: tuple[RouteGroup, ...] = ()
    """Groups of routes that are not served, beside those that `http` disables."""
    webhooks: WebhookPolicy = field(default_factory=WebhookPolicy)
    """The allowed targets of the webhooks of runs."""
    log_format: Literal["console", "json"] = "console"
    log_level: str = "info"
    unheeded: tuple[str, ...] = ()
    """Settings of the file that have no effect in this server, one sentence each."""

    def get_url(self, database: str) -> str:
        """Return a database's URL: PostgreSQL's shared one if it is set, otherwise a SQLite file with this name."""
        return self.database_url or f"sqlite:///{self.data_dir / database}.db"

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str]) -> Config:
        """Return the settings of the file at `path` (None: defaults) and of `environ`. Errors: `ConfigError`."""
        settings: dict[str, Any] = read_settings_file(path) if path else {"directory": Path.cwd()}
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
