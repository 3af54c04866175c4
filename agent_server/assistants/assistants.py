"""Assistants: graphs with a configuration. Every graph has one system assistant, whose id derives from the graph's
name.

An assistant's row is its latest version; all versions are stored in a second table. A run uses the assistant's version
at the time when the run is created.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
from msgspec import Struct

from agent_server.access.ownership import Condition
from agent_server.assistants.configurations import Configuration, first_configuration, patch_configuration
from agent_server.assistants.default_keys import check_default_keys, default_keys
from agent_server.assistants.records import read_assistant, read_version
from agent_server.assistants.schema import (
    Assistant,
    AssistantCreate,
    AssistantFilter,
    AssistantPatch,
    AssistantSearch,
    AssistantVersion,
    VersionSearch,
)
from agent_server.database import Connection, Database, Row
from agent_server.database.search import Found, Page, Search, convert_page
from agent_server.errors import Conflict, Invalid, NotFound
from agent_server.schema import JsonObject, canonical_id

SYSTEM_NAMESPACE = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The official server's namespace: `uuid5(SYSTEM_NAMESPACE, graph_id)` is the id of a graph's system assistant."""

_COLUMNS = "assistant_id, graph_id, version, name, description, config, context, metadata, created_at, updated_at"
_VERSION_COLUMNS = "assistant_id, version, graph_id, config, context, metadata, name, description, created_at"


class AssistantRef(Struct):
    """The fields of an assistant that a run needs."""

    assistant_id: str
    graph_id: str
    version: int
    config: dict[str, Any]
    context: dict[str, Any]
    feedback_keys: list[str] | None = None
    """The default for runs that name no keys; a run with `[]` has none."""


class Assistants:
    """The assistants, by id or (system assistants) by graph name."""

    def __init__(
        self,
        database: Database,
        graph_ids: Iterable[str] = (),
        graph_configs: Mapping[str, JsonObject] | None = None,
    ) -> None:
        """`graph_configs` has the configs of the system assistants, by graph."""
        self._database = database
        self.graph_ids = set(graph_ids)
        self._graph_configs = graph_configs or {}

    async def register(self, graph_ids: Iterable[str]) -> None:
        """Register the graphs, each with its system assistant."""
        self.graph_ids.update(graph_ids)
        await self._database.write(self._insert_system_assistants)

    async def create(self, body: AssistantCreate, owned: Condition | None = None) -> Assistant:
        """Create an assistant at version 1 and return it.

        Errors: `NotFound` for an unknown graph, `BadRequest` for `context` beside `config.configurable`, `Conflict`
        where the id is taken, unless `if_exists` is `do_nothing` and the existing assistant, which is then returned,
        meets `owned`.
        """
        self._check_graph(body.graph_id)
        check_default_keys(body.metadata)
        key = canonical_id(body.assistant_id, "assistant") if body.assistant_id else str(uuid4())
        configuration = first_configuration(body.config, body.context)

        def work(connection: Connection) -> Assistant:
            name, metadata = body.name or "Untitled", body.metadata or {}
            inserted = _insert(connection, key, body.graph_id, name, body.description, configuration, metadata)
            is_owned = owned is None or owned.is_met(connection, "assistants", "assistant_id", key)
            if not inserted and (body.if_exists != "do_nothing" or not is_owned):
                raise Conflict(f"Assistant {key} already exists; leave assistant_id out to get a new one")
            return read_assistant(_get_row(connection, key))

        return await self._database.write(work)

    async def get(self, assistant_id: str) -> Assistant:
        """Return the assistant. Errors: `NotFound`."""
        key = canonical_id(assistant_id, "assistant")
        return read_assistant(await self._database.read(lambda c: _get_row(c, key)))

    async def patch(self, assistant_id: str, body: AssistantPatch) -> Assistant:
        """Change the assistant and return its new version. Errors as for `create`."""
        key = canonical_id(assistant_id, "assistant")
        check_default_keys(body.metadata)
        if body.graph_id is not None:
            self._check_graph(body.graph_id)

        def work(connection: Connection) -> Assistant:
            _lock(connection, key)
            row = _get_row(connection, key)
            old = Configuration(msgspec.json.decode(row["config"]), msgspec.json.decode(row["context"]))
            new = patch_configuration(old, body.config, body.context)
            connection.execute(
                """UPDATE assistants SET graph_id = COALESCE(:graph_id, graph_id), name = COALESCE(:name, name),
                    description = COALESCE(:description, description), config = :config, context = :context,
                    metadata = :metadata, updated_at = now_us(),
                    version = (SELECT max(version) + 1 FROM assistant_versions WHERE assistant_id = :id)
                WHERE assistant_id = :id""",
                id=key,
                graph_id=body.graph_id,
                name=body.name,
                description=body.description,
                config=_json(new.config),
                context=_json(new.context),
                metadata=_json(msgspec.json.decode(row["metadata"]) | (body.metadata or {})),
            )
            _store_version(connection, key)
            return read_assistant(_get_row(connection, key))

        return await self._database.write(work)

    async def delete(self, assistant_id: str) -> None:
        """Delete the assistant with all its versions. Its runs, threads and graph stay."""
        key = canonical_id(assistant_id, "assistant")

        def work(connection: Connection) -> None:
            _lock(connection, key)
            connection.execute("DELETE FROM assistant_versions WHERE assistant_id = :id", id=key)
            connection.execute("DELETE FROM assistants WHERE assistant_id = :id", id=key)

        await self._database.write(work)

    async def search(self, query: AssistantSearch, owned: Condition | None = None) -> Found[Assistant]:
        """Return a page of the assistants that match `query` (and meet `owned`), newest first by default, and the
        total."""
        search = _search(query, owned)
        order = f"{query.sort_by or 'created_at'} {query.sort_order or 'desc'}, assistant_id"
        page = Page(_COLUMNS, order, query.limit, query.offset)
        return convert_page(await self._database.read(lambda c: search.page(c, page)), read_assistant)

    async def count(self, query: AssistantFilter, owned: Condition | None = None) -> int:
        """Count the assistants that match `query` (and meet `owned`)."""
        return await self._database.read(_search(query, owned).count)

    async def versions(self, assistant_id: str, query: VersionSearch) -> list[AssistantVersion]:
        """Return the assistant's versions that match `query`, newest first."""
        key = canonical_id(assistant_id, "assistant")
        search = Search("assistant_versions")
        search.where("assistant_id = :id", id=key)
        search.contains("metadata", query.metadata)
        page = Page(_VERSION_COLUMNS, "version DESC", query.limit, query.offset)

        def work(connection: Connection) -> list[Row]:
            _get_row(connection, key)
            return search.rows(connection, page)

        return [read_version(row) for row in await self._database.read(work)]

    async def set_latest(self, assistant_id: str, version: int) -> Assistant:
        """Restore the assistant to `version` and return it. Errors: `NotFound` where it has no such version."""
        key = canonical_id(assistant_id, "assistant")

        def work(connection: Connection) -> Assistant:
            _lock(connection, key)
            changed = connection.execute(
                """UPDATE assistants SET version = kept.version, graph_id = kept.graph_id, name = kept.name,
                    description = kept.description, config = kept.config, context = kept.context,
                    metadata = kept.metadata
                FROM assistant_versions AS kept WHERE assistants.assistant_id = :id
                AND kept.assistant_id = :id AND kept.version = :version""",
                id=key,
                version=version,
            )
            if not changed:
                raise NotFound(
                    f"Version {version} not found for assistant {key}; POST …/versions lists those there are"
                )
            return read_assistant(_get_row(connection, key))

        return await self._database.write(work)

    async def ref(self, assistant_id: str) -> AssistantRef:
        """Return what `resolve` returns, in its own transaction."""
        return await self._database.read(lambda c: self.resolve(c, assistant_id))

    def resolve(self, connection: Connection, assistant_id: str, version: int | None = None) -> AssistantRef:
        """Return the assistant for a run's `assistant_id` (an id or the name of a graph), at its latest version or at
        `version`.

        A graph's name works even where its system assistant was deleted. Errors: `NotFound` for an unknown id or
        version, `Invalid` for text that is neither an id nor a name.
        """
        latest = self._resolve_latest(connection, assistant_id)
        if version is None or version == latest.version:
            return latest
        kept = connection.one(
            f"SELECT {_VERSION_COLUMNS} FROM assistant_versions WHERE assistant_id = :id AND version = :version",
            id=latest.assistant_id,
            version=version,
        )
        if kept is None:
            raise NotFound(
                f"Assistant {latest.assistant_id} has no version {version}; its latest is {latest.version}, and POST "
                "/assistants/{assistant_id}/versions lists all"
            )
        return _ref(kept)

    def _resolve_latest(self, connection: Connection, assistant_id: str) -> AssistantRef:
        if assistant_id in self.graph_ids:
            row = _row(connection, str(uuid5(SYSTEM_NAMESPACE, assistant_id)))
            return _ref(row) if row else self._system(assistant_id)
        try:
            key = str(UUID(assistant_id))
        except ValueError:
            raise Invalid(
                f"Invalid assistant: {assistant_id!r}. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {', '.join(sorted(self.graph_ids))}"
            ) from None
        if row := _row(connection, key):
            return _ref(row)
        for graph_id in self.graph_ids:
            if key == str(uuid5(SYSTEM_NAMESPACE, graph_id)):
                return self._system(graph_id)
        raise NotFound(f"Assistant with ID {key} not found; POST /assistants/search lists those there are")

    def _check_graph(self, graph_id: str) -> None:
        if graph_id not in self.graph_ids:
            raise NotFound(f"Graph {graph_id!r} not found. Expected one of: {sorted(self.graph_ids)}")

    def _insert_system_assistants(self, connection: Connection) -> None:
        for graph_id in sorted(self.graph_ids):
            key, own = str(uuid5(SYSTEM_NAMESPACE, graph_id)), self._own_configuration(graph_id)
            if not _insert(connection, key, graph_id, graph_id, None, own, {"created_by": "system"}):
                _configure_first_version(connection, key, own)

    def _own_configuration(self, graph_id: str) -> Configuration:
        return first_configuration(self._graph_configs.get(graph_id), None)

    def _system(self, graph_id: str) -> AssistantRef:
        own = self._own_configuration(graph_id)
        return AssistantRef(str(uuid5(SYSTEM_NAMESPACE, graph_id)), graph_id, 1, own.config, own.context)


def _search(query: AssistantFilter, owned: Condition | None) -> Search:
    search = Search("assistants")
    if owned is not None:
        owned.narrow(search)
    search.equals("graph_id", query.graph_id)
    search.contains("metadata", query.metadata)
    search.has_text("name", query.name)
    return search


def _insert(
    connection: Connection,
    assistant_id: str,
    graph_id: str,
    name: str,
    description: str | None,
    configuration: Configuration,
    metadata: JsonObject,
) -> bool:
    """Insert an assistant at version 1; return whether its id was free."""
    inserted = connection.execute(
        f"""INSERT INTO assistants ({_COLUMNS})
        VALUES (:id, :graph_id, 1, :name, :description, :config, :context, :metadata, now_us(), now_us())
        ON CONFLICT DO NOTHING""",
        id=assistant_id,
        graph_id=graph_id,
        name=name,
        description=description,
        config=_json(configuration.config),
        context=_json(configuration.context),
        metadata=_json(metadata),
    )
    if inserted:
        _store_version(connection, assistant_id)
    return inserted == 1


def _configure_first_version(connection: Connection, assistant_id: str, configuration: Configuration) -> None:
    """Update a system assistant that no client has changed to the server's current configuration."""
    values = {"id": assistant_id, "config": _json(configuration.config), "context": _json(configuration.context)}
    changed = connection.execute(
        """UPDATE assistants SET config = :config, context = :context
        WHERE assistant_id = :id AND version = 1 AND config <> :config""",
        **values,
    )
    if changed:
        connection.execute(
            """UPDATE assistant_versions SET config = :config, context = :context
            WHERE assistant_id = :id AND version = 1""",
            **values,
        )


def _store_version(connection: Connection, assistant_id: str) -> None:
    connection.execute(
        f"""INSERT INTO assistant_versions ({_VERSION_COLUMNS})
        SELECT assistant_id, version, graph_id, config, context, metadata, name, description, updated_at
        FROM assistants WHERE assistant_id = :id""",
        id=assistant_id,
    )


def _lock(connection: Connection, assistant_id: str) -> None:
    """Lock the assistant's row for the rest of the transaction. Errors: `NotFound`."""
    if not connection.execute("UPDATE assistants SET updated_at = now_us() WHERE assistant_id = :id", id=assistant_id):
        raise _build_not_found(assistant_id)


def _row(connection: Connection, assistant_id: str) -> Row | None:
    return connection.one(f"SELECT {_COLUMNS} FROM assistants WHERE assistant_id = :id", id=assistant_id)


def _get_row(connection: Connection, assistant_id: str) -> Row:
    row = _row(connection, assistant_id)
    if row is None:
        raise _build_not_found(assistant_id)
    return row


def _build_not_found(assistant_id: str) -> NotFound:
    return NotFound(f"Assistant with ID {assistant_id} not found")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _ref(row: Row) -> AssistantRef:
    return AssistantRef(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        version=row["version"],
        config=msgspec.json.decode(row["config"]),
        context=msgspec.json.decode(row["context"]),
        feedback_keys=default_keys(row["metadata"]),
    )
