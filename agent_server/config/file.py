"""What `langgraph.json` says, in the official server's words.

Source: the configuration reference of the LangGraph command line, and `langgraph_api` 0.16.7 at work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from agent_server.config.auth import auth_settings
from agent_server.config.store_index import store_index
from agent_server.config.values import ConfigError, Graph, StoreTtl
from agent_server.webhook_policy import WebhookPolicy, webhook_policy


def from_file(path: Path) -> dict[str, Any]:
    """The settings that the file makes, by the names of `Config`'s fields. Errors: `ConfigError`."""
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
        "auth": auth_settings(document.get("auth"), f"{path}: auth"),
        "dependencies": _strings(document.get("dependencies", []), f"{path}: dependencies"),
        "env": _env(document.get("env", {}), directory, path),
        **_http(document.get("http"), path),
        "webhooks": _webhooks(document.get("webhooks") or {}, path),
        "store_index": store_index(document.get("store"), f"{path}: store"),
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
    try:
        found = dotenv_values(stream=StringIO(file.read_text(encoding="utf-8")), interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: env names {str(file)!r}, which cannot be read ({error})") from None
    return {name: text for name, text in found.items() if text is not None}


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
