"""The assistants with feedback, and their names.

Feedback has the ids; the names come from the newest runs and are cached for a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from msgspec import Struct

from feedback.database import Connection
from feedback.projects.scoped_database import ProjectDatabase
from feedback.runs import ProjectRuns

KNOWN = """SELECT assistant_id, CAST(SUM(weight) AS BIGINT) AS count FROM feedback_by_day
WHERE project = :project AND assistant_id IS NOT NULL
GROUP BY assistant_id ORDER BY count DESC, assistant_id LIMIT :limit"""
NEWEST_RUNS = """SELECT run_id FROM feedback
WHERE project = :project AND assistant_id = :assistant_id AND run_id IS NOT NULL
ORDER BY assistant_version DESC, created_at DESC, id DESC LIMIT :limit"""
MAX_ASSISTANTS = 200
MAX_RUNS = 3
REMEMBERED_SECONDS = 60.0


class RatedAssistant(Struct):
    """An assistant that has feedback; an unknown name is null."""

    assistant_id: str
    name: str | None
    count: int


class Assistants:
    """Reads the assistants with feedback in one project."""

    def __init__(self, database: ProjectDatabase, runs: ProjectRuns) -> None:
        self._database = database
        self._runs = runs
        self._names: dict[str, tuple[float, str | None]] = {}

    async def all(self) -> list[RatedAssistant]:
        """Return at most `MAX_ASSISTANTS` assistants, those with the most feedback first."""
        rows = await self._database.read(lambda db: db.all(KNOWN, limit=MAX_ASSISTANTS))
        names = await self.names([row["assistant_id"] for row in rows])
        return [RatedAssistant(row["assistant_id"], names.get(row["assistant_id"]), row["count"]) for row in rows]

    async def names(self, assistant_ids: Iterable[str | None]) -> dict[str, str]:
        """Return the known names of the assistants, by id."""
        wanted = {one for one in assistant_ids if one is not None}
        if not self._runs.are_known or not wanted:
            return {}
        now = time.monotonic()
        if missing := sorted(one for one in wanted if self._names.get(one, (0.0, None))[0] <= now):
            runs = await self._database.read(lambda db: {one: _runs(db, one) for one in missing})
            for one in missing:
                self._names[one] = (now + REMEMBERED_SECONDS, await self._name(runs[one]))
        return {one: name for one in wanted if (name := self._names[one][1]) is not None}

    async def _name(self, runs: list[str]) -> str | None:
        for run_id in runs:
            if (facts := await self._runs.facts(run_id)) and facts.assistant_name:
                return facts.assistant_name
        return None


def _runs(db: Connection, assistant_id: str) -> list[str]:
    return [row["run_id"] for row in db.all(NEWEST_RUNS, assistant_id=assistant_id, limit=MAX_RUNS)]
