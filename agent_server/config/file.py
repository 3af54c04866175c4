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

from agent_server.config.auth import auth_settings
from agent_server.config.checks import strings, variable
from agent_server.config.http import http_settings, is_disabled
from agent_server.config.ignored_settings import ignored_sentences
from agent_server.config.serde import serde
from agent_server.config.store_index import store_index, store_path
from agent_server.config.ttl import store_ttl, thread_ttl
from agent_server.config.values import ConfigError, Graph
from agent_server.config.webhooks import WebhookPolicy, webhook_policy


def from_file(path: Path) -> dict[str, Any]:
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
    directory = path.resolve().parent
    return {
        "directory": directory,
        "graphs": _graphs(document.get("graphs", {}), path),
        "auth": auth_settings(document.get("auth"), f"{path}: auth"),
        "dependencies": strings(document.get("dependencies", []), f"{path}: dependencies"),
        "env": _env(document.get("env", {}), directory, path),
        "env_file": directory / document["env"] if isinstance(document.get("env"), str) else None,
        **http_settings(document.get("http"), f"{path}: http"),
        "webhooks": _webhooks(document, path),
        "store_index": store_index(document.get("store"), f"{path}: store"),
        "store_path": store_path(document.get("store"), f"{path}: store"),
        "store_ttl": store_ttl(document.get("store"), f"{path}: store"),
        "thread_ttl": thread_ttl(document.get("checkpointer"), f"{path}: checkpointer"),
        "serde": serde(document.get("checkpointer"), f"{path}: checkpointer"),
        "unheeded": ignored_sentences(document),
    }


def _webhooks(document: dict[str, Any], path: Path) -> WebhookPolicy:
    try:
        policy = webhook_policy(document.get("webhooks") or {})
        return replace(policy, disabled=is_disabled("webhooks", document.get("http"), f"{path}: http"))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{path}: webhooks: {error}") from None


def _graphs(value: Any, path: Path) -> dict[str, Graph]:
    if not isinstance(value, dict):
        raise ConfigError(f'{path}: graphs is {value!r}; it must be an object like {{"agent": "./agent.py:graph"}}')
    return {str(name): _graph(str(name), entry, path) for name, entry in value.items()}


def _graph(name: str, entry: Any, path: Path) -> Graph:
    given = entry if isinstance(entry, dict) else {"path": entry}
    target, description = given.get("path"), given.get("description")
    target = variable(target, f"{path}: graphs.{name}", "agent.py:graph")
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
        example = file.with_name(f"{file.name}.example")
        hint = f"Copy {example} to {file}, and fill it in" if example.is_file() and not file.exists() else ""
        raise ConfigError(f"{path}: env names {str(file)!r}, which cannot be read ({error})", hint=hint) from None
    return {name: text for name, text in found.items() if text is not None}
