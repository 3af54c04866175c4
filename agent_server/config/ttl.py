"""Time to live of store items and threads: `store.ttl` and `checkpointer` of `langgraph.json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_server.config.checks import boolean, minutes, section, whole
from agent_server.config.values import ConfigError, StoreTtl, ThreadTtlDefaults


def store_ttl(store: Any, where: str) -> StoreTtl:
    """Return the settings of `store.ttl`."""
    given = section(section(store, where, '{"ttl": {"default_ttl": 10080}}').get("ttl"), f"{where}.ttl", _EXAMPLE)
    return StoreTtl(**_read(given, _STORE, f"{where}.ttl"))


def thread_ttl(checkpointer: Any, where: str) -> ThreadTtlDefaults:
    """Return the settings of `checkpointer.ttl`. Errors: `ConfigError` if a custom checkpointer is configured, too."""
    settings = section(checkpointer, where, f'{{"ttl": {_EXAMPLE}}}')
    for name in ("path", "backend"):
        if settings.get(name) and settings[name] != "default":
            raise ConfigError(
                f"{where}.{name} names a checkpointer, and this server keeps checkpoints itself: in SQLite, or in "
                "PostgreSQL where DATABASE_URL is set. Leave it out"
            )
    return ThreadTtlDefaults(**_read(section(settings.get("ttl"), f"{where}.ttl", _EXAMPLE), _THREADS, f"{where}.ttl"))


def _read(given: dict[str, Any], readers: Mapping[str, Callable[[Any, str], Any]], where: str) -> dict[str, Any]:
    if unknown := sorted(given.keys() - readers):
        raise ConfigError(f"{where} has {unknown[0]!r}; it may have {', '.join(readers)}")
    present = {name: value for name, value in given.items() if value is not None}
    return {name: read(present[name], f"{where}.{name}") for name, read in readers.items() if name in present}


def _strategy(value: Any, where: str) -> str:
    if value not in ("delete", "keep_latest"):
        raise ConfigError(f"{where} is {value!r}; it must be delete or keep_latest")
    return str(value)


_EXAMPLE = '{"default_ttl": 10080}'
_STORE: Mapping[str, Callable[[Any, str], Any]] = {
    "default_ttl": minutes,
    "refresh_on_read": boolean,
    "sweep_interval_minutes": minutes,
}
_THREADS: Mapping[str, Callable[[Any, str], Any]] = {
    "strategy": _strategy,
    "default_ttl": minutes,
    "sweep_interval_minutes": minutes,
    "sweep_limit": lambda value, where: whole(value, where, 1),
}
