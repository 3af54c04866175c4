"""A configuration: `config` and `context`, which mirror each other.

`context` is LangGraph's newer name for `config.configurable`. Clients may send either; the server stores and returns
both, so that old and new graphs and clients find their settings.
"""

from __future__ import annotations

from msgspec import Struct

from agent_server.errors import BadRequest
from agent_server.schema import JsonObject


class Configuration(Struct):
    """A config whose `configurable` is the context."""

    config: JsonObject
    context: JsonObject


def first_configuration(config: JsonObject | None, context: JsonObject | None) -> Configuration:
    """Return the configuration of a request. Errors: `BadRequest` where it has both a `configurable` and a context."""
    check_one_of_both(config, context)
    return _mirror(config or {}, context or (config or {}).get("configurable") or {})


def patch_configuration(old: Configuration, config: JsonObject | None, context: JsonObject | None) -> Configuration:
    """Return the configuration after a request that may omit either part; omitted parts stay unchanged."""
    check_one_of_both(config, context)
    if context is None and config is not None and "configurable" in config:
        context = config["configurable"] or {}
    return _mirror(old.config if config is None else config, old.context if context is None else context)


def check_one_of_both(config: JsonObject | None, context: JsonObject | None) -> None:
    """Raise `BadRequest` for a context beside `config.configurable`, or a `configurable` that is not an object."""
    configurable = (config or {}).get("configurable")
    if configurable is not None and not isinstance(configurable, dict):
        raise BadRequest("config.configurable must be an object")
    if configurable and context:
        raise BadRequest(
            "Cannot specify both configurable and context. Prefer setting context alone. Context was introduced in "
            "LangGraph 0.6.0 and is the long term planned replacement for configurable."
        )


def replace_configurable(config: JsonObject, configurable: JsonObject) -> JsonObject:
    """Return the config with another `configurable`."""
    return {**config, "configurable": configurable}


def _mirror(config: JsonObject, context: JsonObject) -> Configuration:
    rest = {key: value for key, value in config.items() if key != "configurable"}
    return Configuration({**rest, "configurable": context} if context else rest, context)
