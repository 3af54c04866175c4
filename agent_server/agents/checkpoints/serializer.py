"""The serializer of checkpoints."""

from __future__ import annotations

import structlog
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent_server.config import Serde

log = structlog.get_logger("agent_server")


def serializer(settings: Serde) -> JsonPlusSerializer:
    """Return LangGraph's serializer with these settings."""
    if settings.pickle_fallback:
        log.warning(
            "checkpoints_may_be_pickled",
            meaning="checkpointer.serde.pickle_fallback is on: every program that can write to the "
            "checkpoint database can execute code in this server",
        )
    if settings == Serde(pickle_fallback=settings.pickle_fallback):
        return JsonPlusSerializer(pickle_fallback=settings.pickle_fallback)  # with LangGraph's own defaults
    return JsonPlusSerializer(
        pickle_fallback=settings.pickle_fallback,
        allowed_json_modules=None if settings.json_types is False else settings.json_types,
        allowed_msgpack_modules=None if settings.msgpack_types is False else settings.msgpack_types,
    )
