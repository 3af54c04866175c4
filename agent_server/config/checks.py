"""Check the values of `langgraph.json`; errors name the setting. Errors: `ConfigError`."""

from __future__ import annotations

from typing import Any

from agent_server.config.values import ConfigError


def strings(value: Any, where: str) -> tuple[str, ...]:
    """Return the strings of a list."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{where} is {value!r}; it must be a list of strings")
    return tuple(value)


def boolean(value: Any, where: str) -> bool:
    """Return true or false, written as such."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where} is {value!r}; it must be true or false")
    return value


def minutes(value: Any, where: str) -> float:
    """Return a number of minutes, at most a hundred years."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 100 * 366 * 24 * 60:
        raise ConfigError(f"{where} is {value!r}; it must be a number of minutes greater than 0")
    return value


def whole(value: Any, where: str, low: int) -> int:
    """Return an integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value < 2**31:
        raise ConfigError(f"{where} is {value!r}; it must be a whole number from {low} on")
    return value


def section(value: Any, where: str, like: str) -> dict[str, Any]:
    """Return an object; an empty one if it is missing. `like` is an example for the message."""
    if value is not None and not isinstance(value, dict):
        raise ConfigError(f"{where} is {value!r}; it must be an object like {like}")
    return value or {}


def variable(value: Any, where: str, like: str) -> str:
    """Return the location of a variable: `./file.py:variable` or `package.module:variable`."""
    if not isinstance(value, str) or not all(value.rpartition(":")):
        raise ConfigError(
            f"{where} is {value!r}; it must name a file or module and a variable in it, "
            f"like './{like}' or 'package.module:{like.rpartition(':')[2]}'"
        )
    return value
