"""Convert rows of assistants to the SDK's shapes."""

from __future__ import annotations

from msgspec import Raw

from agent_server.assistants.schema import Assistant, AssistantVersion
from agent_server.database import Row
from agent_server.schema import timestamp


def read_assistant(row: Row) -> Assistant:
    """Return the assistant in the SDK's shape."""
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


def read_version(row: Row) -> AssistantVersion:
    """Return a version of an assistant in the SDK's shape."""
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
