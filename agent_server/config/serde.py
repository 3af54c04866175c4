"""Read how checkpoints are serialized: `checkpointer.serde` of `langgraph.json`."""

from __future__ import annotations

from typing import Any

from agent_server.config.checks import boolean, section
from agent_server.config.values import AllowedTypes, ConfigError, Serde

_EXAMPLE = '{"allowed_msgpack_modules": [["my_agent.models", "Order"]]}'


def serde(checkpointer: Any, where: str) -> Serde:
    """Return the settings of `checkpointer.serde`. Errors: `ConfigError`."""
    where = f"{where}.serde"
    given = section((checkpointer or {}).get("serde"), where, _EXAMPLE)
    known = ("pickle_fallback", "allowed_msgpack_modules", "allowed_json_modules")
    if unknown := sorted(given.keys() - set(known)):
        raise ConfigError(f"{where} has {unknown[0]!r}; it may have {', '.join(known)}")
    return Serde(
        pickle_fallback=boolean(given.get("pickle_fallback", False), f"{where}.pickle_fallback"),
        msgpack_types=_types(given, "allowed_msgpack_modules", True, where),
        json_types=_types(given, "allowed_json_modules", None, where),
    )


def _types(given: dict[str, Any], name: str, default: AllowedTypes, where: str) -> AllowedTypes:
    value = given.get(name, default)
    if value is None or value is True:
        return value
    if value is False:
        return None
    paths = value if isinstance(value, list) else [value]
    if not all(isinstance(path, list) and path and all(isinstance(part, str) for part in path) for path in paths):
        raise ConfigError(f"{where}.{name} is {value!r}; it must be true, null, or a list of types like {_EXAMPLE}")
    return tuple(tuple(path) for path in paths)
