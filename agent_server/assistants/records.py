"""Rows of assistants as the SDK shows them."""

from __future__ import annotations

from msgspec import Raw

from agent_server.assistants.schema import Assistant, AssistantVersion
from agent_server.database import Row
from agent_server.schema import timestamp


def assistant_of(row: Row) -> Assistant:
    """The assistant as the SDK shows it."""
    return Assistant(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        config=Raw(row["config"].encode()),
        context=Raw(row["context"].encode()),
        metadata=Raw(row["metadata"].encode()),
        name=row["name"],
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
        version=row["version"],
        description=row["description"],
    )


def version_of(row: Row) -> AssistantVersion:
    """One of an assistant's versions as the SDK shows it."""
    return AssistantVersion(
        assistant_id=row["assistant_id"],
        version=row["version"],
        graph_id=row["graph_id"],
        config=Raw(row["config"].encode()),
        context=Raw(row["context"].encode()),
        metadata=Raw(row["metadata"].encode()),
        created_at=timestamp(row["created_at"]),
        name=row["name"],
        description=row["description"],
    )
