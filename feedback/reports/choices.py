"""Filter choices: the feedback keys, assistants, versions and sources. Read from indexes, without counting."""

from __future__ import annotations

from msgspec import Struct

from feedback.configs.kind_lookup import kinds
from feedback.configs.kinds import KeyKind, KindName
from feedback.database import Connection, Row
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.run_metadata import MetadataChoice, metadata_choices
from feedback.reports.assistants import Assistants

MAX_PLACES = 2000
"""The maximum number of listed (assistant, version) pairs."""
# Skips through the index (project, assistant_id, assistant_version): the cost does not grow with the feedback.
NEXT_VERSION = """SELECT assistant_id, assistant_version FROM feedback
WHERE project = :project AND assistant_id = :assistant AND assistant_version > :version
ORDER BY assistant_version LIMIT 1"""
NEXT_ASSISTANT = """SELECT assistant_id, -1 AS assistant_version FROM feedback
WHERE project = :project AND assistant_id > :assistant ORDER BY assistant_id LIMIT 1"""
SOURCES = "SELECT DISTINCT source FROM feedback_by_day WHERE project = :project ORDER BY source LIMIT 100"


class KeyChoice(Struct):
    """A feedback key with feedback or a configuration, and its kind."""

    key: str
    kind: KindName
    is_kind_inferred: bool
    has_direction: bool
    low: float | None
    high: float | None
    title: str | None


class AssistantChoice(Struct):
    """An assistant with feedback, its name, and its versions with feedback, newest first."""

    assistant_id: str
    name: str | None
    versions: list[int]


class Choices(Struct):
    """The filter choices. `has_feedback` is whether the project has any feedback."""

    has_feedback: bool
    keys: list[KeyChoice]
    sources: list[str]
    assistants: list[AssistantChoice]
    metadata: list[MetadataChoice]


class ChoicesReader:
    """Reads the choices of one project."""

    def __init__(self, database: ProjectDatabase, assistants: Assistants) -> None:
        self._database = database
        self._assistants = assistants

    async def all(self) -> Choices:
        """Return the feedback keys and assistants, both ordered by name, and the sources."""

        def work(db: Connection) -> tuple[dict[str, KeyKind], list[Row], list[Row], list[MetadataChoice]]:
            return kinds(db), db.all(SOURCES), _places(db), metadata_choices(db)

        found, sources, places, metadata = await self._database.read(work)
        versions: dict[str, list[int]] = {}
        for row in places:
            versions.setdefault(row["assistant_id"], []).append(row["assistant_version"])
        names = await self._assistants.names(versions)
        assistants = [AssistantChoice(one, names.get(one), sorted(of, reverse=True)) for one, of in versions.items()]
        return Choices(
            bool(sources),
            [
                KeyChoice(key, kind.name, kind.is_inferred, kind.has_direction, kind.low, kind.high, kind.title)
                for key, kind in sorted(found.items())
            ],
            [row["source"] for row in sources],
            sorted(assistants, key=lambda one: (one.name or one.assistant_id, one.assistant_id)),
            metadata,
        )


def _places(db: Connection) -> list[Row]:
    """Return the (assistant, version) pairs with feedback."""
    places: list[Row] = []
    at: Row | None = db.one(NEXT_ASSISTANT, assistant="")
    while at is not None and len(places) < MAX_PLACES:
        assistant, version = at["assistant_id"], at["assistant_version"]
        if (found := db.one(NEXT_VERSION, assistant=assistant, version=version)) is not None:
            places.append(found)
        at = found or db.one(NEXT_ASSISTANT, assistant=assistant)
    return places
