"""Assistants: a graph with a configuration. Every graph has one system assistant, under an id made from its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Raw, Struct

from agent_server.database import Connection, Database, Row
from agent_server.errors import Invalid, NotFound
from agent_server.schema import Assistant, AssistantSearch, canonical_id, timestamp

SYSTEM_NAMESPACE = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The official server's namespace: `uuid5(SYSTEM_NAMESPACE, graph_id)` is the id of a graph's system assistant."""

_COLUMNS = "assistant_id, graph_id, version, name, description, config, context, metadata, created_at, updated_at"


class AssistantRef(Struct):
    """What a run needs to know of its assistant."""

    assistant_id: str
    graph_id: str
    version: int
    config: dict[str, Any]
    context: dict[str, Any]


class Assistants:
    """The assistants, by id or (for the system ones) by the name of their graph."""

    def __init__(self, database: Database, graph_ids: Iterable[str] = ()) -> None:
        self._database = database
        self.graph_ids = set(graph_ids)

    async def register(self, graph_ids: Iterable[str]) -> None:
        """Make the graphs known, each with its system assistant."""
        self.graph_ids.update(graph_ids)
        await self._database.write(self._insert_system_assistants)

    async def get(self, assistant_id: str) -> Assistant:
        """The assistant with this id; `NotFound` where there is none."""
        key = canonical_id(assistant_id, "assistant")
        row = await self._database.read(
            lambda c: c.one(f"SELECT {_COLUMNS} FROM assistants WHERE assistant_id = :id", id=key)
        )
        if row is None:
            raise NotFound(f"Assistant with ID {key} not found")
        return _assistant(row)

    async def search(self, query: AssistantSearch) -> list[Assistant]:
        """The assistants that fit `query`, the newest first."""
        rows = await self._database.read(
            lambda c: c.all(
                f"""SELECT {_COLUMNS} FROM assistants
                WHERE (:graph_id = '' OR graph_id = :graph_id) AND json_contains(metadata, :metadata)
                AND lower(name) LIKE :name
                ORDER BY created_at DESC, assistant_id LIMIT :limit OFFSET :offset""",
                graph_id=query.graph_id or "",
                metadata=msgspec.json.encode(query.metadata or {}).decode(),
                name=f"%{(query.name or '').lower()}%",
                limit=query.limit,
                offset=query.offset,
            )
        )
        return [_assistant(row) for row in rows]

    def resolve(self, connection: Connection, assistant_id: str) -> AssistantRef:
        """The assistant that a run's `assistant_id` names: the id of one, or the name of a graph.

        A graph's name works even where its system assistant was deleted. `NotFound` for an unknown id, `Invalid` for
        a text that is neither.
        """
        if assistant_id in self.graph_ids:
            row = self._row(connection, str(uuid5(SYSTEM_NAMESPACE, assistant_id)))
            return _ref(row) if row else self._system(assistant_id)
        try:
            key = str(UUID(assistant_id))
        except ValueError:
            raise Invalid(
                f"Invalid assistant: {assistant_id!r}. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {', '.join(sorted(self.graph_ids))}"
            ) from None
        if row := self._row(connection, key):
            return _ref(row)
        for graph_id in self.graph_ids:
            if key == str(uuid5(SYSTEM_NAMESPACE, graph_id)):
                return self._system(graph_id)
        raise NotFound(f"Assistant with ID {key} not found; POST /assistants/search lists those there are")

    def _system(self, graph_id: str) -> AssistantRef:
        return AssistantRef(str(uuid5(SYSTEM_NAMESPACE, graph_id)), graph_id, 1, {}, {})

    def _row(self, connection: Connection, assistant_id: str) -> Row | None:
        return connection.one(f"SELECT {_COLUMNS} FROM assistants WHERE assistant_id = :id", id=assistant_id)

    def _insert_system_assistants(self, connection: Connection) -> None:
        for graph_id in sorted(self.graph_ids):
            connection.execute(
                f"""INSERT INTO assistants ({_COLUMNS}) VALUES
                (:id, :graph_id, 1, :graph_id, NULL, '{{}}', '{{}}', :metadata, now_us(), now_us())
                ON CONFLICT DO NOTHING""",
                id=str(uuid5(SYSTEM_NAMESPACE, graph_id)),
                graph_id=graph_id,
                metadata='{"created_by":"system"}',
            )


def _assistant(row: Row) -> Assistant:
    return Assistant(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        config=Raw(row["config"].encode()),
        context=Raw(row["context"].encode()),
        metadata=Raw(row["metadata"].encode()),
        name=row["name"],
        description=row["description"],
        version=row["version"],
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
    )


def _ref(row: Row) -> AssistantRef:
    return AssistantRef(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        version=row["version"],
        config=msgspec.json.decode(row["config"]),
        context=msgspec.json.decode(row["context"]),
    )
