"""A configuration: what `config` and `context` say, in two shapes that mirror each other.

`context` is LangGraph's newer name for `config.configurable`. Clients may give either; both are kept and shown, so that
graphs and clients of either age find what they look for.
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
    """The configuration that a request gives. `BadRequest` where it gives both a `configurable` and a context."""
    check_one_of_both(config, context)
    return _mirrored(config or {}, context or (config or {}).get("configurable") or {})


def patched_configuration(old: Configuration, config: JsonObject | None, context: JsonObject | None) -> Configuration:
    """The configuration after a request that may leave out either: what it leaves out stays as it was."""
    check_one_of_both(config, context)
    if context is None and config is not None and "configurable" in config:
        context = config["configurable"] or {}
    return _mirrored(old.config if config is None else config, old.context if context is None else context)


def check_one_of_both(config: JsonObject | None, context: JsonObject | None) -> None:
    """Refuse a context beside `config.configurable`, and a `configurable` that is no object."""
    configurable = (config or {}).get("configurable")
    if configurable is not None and not isinstance(configurable, dict):
        raise BadRequest("config.configurable must be an object")
    if configurable and context:
        raise BadRequest(
            "Cannot specify both configurable and context. Prefer setting context alone. Context was introduced in "
            "LangGraph 0.6.0 and is the long term planned replacement for configurable."
        )


def with_configurable(config: JsonObject, configurable: JsonObject) -> JsonObject:
    """Return the config with another `configurable`."""
    return {**config, "configurable": configurable}


def _mirrored(config: JsonObject, context: JsonObject) -> Configuration:
    rest = {key: value for key, value in config.items() if key != "configurable"}
    return Configuration({**rest, "configurable": context} if context else rest, context)
