"""Read `langgraph.json`, in the official server's format.

Source: the configuration reference of the LangGraph command line, and the behaviour of `langgraph_api` 0.16.7.
"""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from agent_server.config.conversion import Strings, convert_setting, drop_nulls
from agent_server.config.errors import ConfigError
from agent_server.config.http import http_settings, is_disabled
from agent_server.config.ignored_settings import describe_ignored_settings
from agent_server.config.values import INDEX, TTL, AuthSettings, Checkpointer, Graph, GraphLocation, Store
from agent_server.config.webhooks import WebhookPolicy, webhook_policy


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return the settings in the file, by the names of `Config`'s fields. Errors: `ConfigError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; name an existing langgraph.json with --config") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(document, dict):
        raise ConfigError(f'{path}: must hold a JSON object, like {{"graphs": {{"agent": "./agent.py:graph"}}}}')
    if document.get("encryption"):
        raise ConfigError(f"{path}: encryption is not supported; leave it out, and encrypt the disk or the database")
    given = drop_nulls(document)
    directory = path.resolve().parent
    store = convert_setting(given.get("store", {}), Store, f"{path}: store", f'be an object like {{"index": {INDEX}}}')
    checkpointer = convert_setting(
        given.get("checkpointer", {}), Checkpointer, f"{path}: checkpointer", f'be an object like {{"ttl": {TTL}}}'
    )
    return {
        "directory": directory,
        "graphs": _graphs(given.get("graphs", {}), f"{path}: graphs"),
        "auth": _auth(document.get("auth"), f"{path}: auth"),
        "dependencies": convert_setting(given.get("dependencies", []), Strings, f"{path}: dependencies"),
        "env": _env(document.get("env", {}), directory, path),
        "env_file": directory / document["env"] if isinstance(document.get("env"), str) else None,
        **http_settings(given.get("http", {}), f"{path}: http"),
        "webhooks": _webhooks(given, path),
        "store_index": store.index,
        "store_path": store.path,
        "store_ttl": store.ttl,
        "thread_ttl": checkpointer.ttl,
        "serde": checkpointer.serde,
        "unheeded": describe_ignored_settings(document),
    }


def _auth(given: Any, where: str) -> AuthSettings | None:
    rule = 'be an object that names a variable, like {"path": "./auth.py:auth"}'
    return None if given is None else convert_setting(given, AuthSettings, where, rule)


def _webhooks(given: dict[str, Any], path: Path) -> WebhookPolicy:
    policy = webhook_policy(given.get("webhooks", {}), f"{path}: webhooks")
    return replace(policy, disabled=is_disabled("webhooks", given.get("http", {}), f"{path}: http"))


def _graphs(given: Any, where: str) -> dict[str, Graph]:
    """Return the graphs; each is an object, or the location alone."""
    rule = 'be an object like {"agent": "./agent.py:graph"}'
    entries = convert_setting(given, dict[str, Any], where, rule)
    return {name: _graph(entry, f"{where}.{name}") for name, entry in entries.items()}


def _graph(entry: Any, where: str) -> Graph:
    if isinstance(entry, dict):
        return convert_setting(entry, Graph, where)
    return Graph(convert_setting(entry, GraphLocation, where))


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
        example = file.with_name(f"{file.name}.example")
        hint = f"Copy {example} to {file}, and fill it in" if example.is_file() and not file.exists() else ""
        raise ConfigError(f"{path}: env names {str(file)!r}, which cannot be read ({error})", hint=hint) from None
    return {name: text for name, text in found.items() if text is not None}
