"""`auth` of `langgraph.json`, in the official server's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_server.config.values import ConfigError

EXAMPLE = '{"path": "./auth.py:auth"}'


@dataclass(frozen=True)
class AuthSettings:
    """The location of an application's `Auth` object, as `./file.py:variable` or `package.module:variable`."""

    path: str
    openapi: Mapping[str, Any] = field(default_factory=dict)
    """Additions to the OpenAPI document: `securitySchemes` and `security`."""


def auth_settings(value: Any, where: str) -> AuthSettings | None:
    """Return the settings of `auth`. `disable_studio_auth` is ignored: LangSmith's Studio has no access here.

    Errors: `ConfigError`.
    """
    if value is None:
        return None
    path = value.get("path") if isinstance(value, dict) else None
    openapi = value.get("openapi", {}) if isinstance(value, dict) else {}
    if not isinstance(path, str) or not all(path.rpartition(":")):
        raise ConfigError(f"{where} is {value!r}; it must be an object that names a variable, like {EXAMPLE}")
    if not isinstance(openapi, dict):
        raise ConfigError(f"{where}.openapi is {openapi!r}; it must be an object with securitySchemes and security")
    return AuthSettings(path, openapi)
