"""Assistants: which ones answers are about, and what people call them.

Their ids are in the answers; the name is asked of the runs, the newest first, and remembered.
"""

from __future__ import annotations

from msgspec import Struct

from feedback.database import Connection
from feedback.projects.scoped_database import ProjectDatabase
from feedback.runs import ProjectRuns

KNOWN = """SELECT assistant_id, CAST(SUM(weight) AS BIGINT) AS answers FROM feedback_by_day
WHERE project = :project AND assistant_id IS NOT NULL
GROUP BY assistant_id ORDER BY answers DESC, assistant_id LIMIT :limit"""
NEWEST_RUNS = """SELECT run_id FROM feedback
WHERE project = :project AND assistant_id = :assistant_id AND run_id IS NOT NULL
ORDER BY assistant_version DESC, created_at DESC, id DESC LIMIT :limit"""
MAX_ASSISTANTS = 200
RUNS_ASKED = 3


class AnsweredAssistant(Struct):
    """An assistant that there are answers about; the name is null where nobody knows it."""

    assistant_id: str
    name: str | None
    answers: int


class Assistants:
    """The assistants that the answers of one project are about."""

    def __init__(self, database: ProjectDatabase, runs: ProjectRuns) -> None:
        self._database = database
        self._runs = runs
        self._names: dict[str, str] = {}

    async def all(self) -> list[AnsweredAssistant]:
        """The most answered first, at most `MAX_ASSISTANTS`."""
        known = await self._database.read(_known)
        return [AnsweredAssistant(name, await self._name(name, runs), answers) for name, answers, runs in known]

    async def _name(self, assistant_id: str, runs: list[str]) -> str | None:
        if assistant_id not in self._names:
            for run_id in runs if self._runs.are_known else []:
                if (facts := await self._runs.facts(run_id)) and facts.assistant_name:
                    self._names[assistant_id] = facts.assistant_name
                    break
        return self._names.get(assistant_id)


def _known(db: Connection) -> list[tuple[str, int, list[str]]]:
    return [
        (row["assistant_id"], row["answers"], _runs(db, row["assistant_id"]))
        for row in db.all(KNOWN, limit=MAX_ASSISTANTS)
    ]


def _runs(db: Connection, assistant_id: str) -> list[str]:
    return [row["run_id"] for row in db.all(NEWEST_RUNS, assistant_id=assistant_id, limit=RUNS_ASKED)]
