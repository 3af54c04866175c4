"""LangSmith's projects (sessions): each is a project of this service or one of its assistants."""

from __future__ import annotations

import uuid
from typing import Any

from msgspec import Struct, structs

from feedback.errors import NotFound
from feedback.integrations.langsmith.runs import LangSmithRuns, RunQuery
from feedback.projects.projects import Projects
from feedback.reports.assistants import Assistants
from feedback.runs import ProjectRuns, RunSelection
from feedback.validation import parse_id

EPOCH = "1970-01-01T00:00:00+00:00"


class Session(Struct):
    """A project in LangSmith's shape, with statistics if the request includes them."""

    id: str
    name: str
    tenant_id: str
    start_time: str = EPOCH
    end_time: str | None = None
    description: str | None = None
    extra: dict[str, Any] = {}
    reference_dataset_id: str | None = None
    run_count: int | None = None
    latency_p50: float | None = None
    latency_p99: float | None = None
    error_rate: float | None = None
    last_run_start_time: str | None = None
    feedback_stats: dict[str, Any] | None = None


class Sessions:
    """Reads the sessions of one project: the project itself and its assistants."""

    def __init__(
        self, project: str, projects: Projects, assistants: Assistants, known: ProjectRuns, runs: LangSmithRuns
    ) -> None:
        self._project = project
        self._projects = projects
        self._assistants = assistants
        self._known = known
        self._runs = runs

    async def find_by_name(self, name: str) -> list[Session]:
        """Return the session with this name, if there is one."""
        own = await self._build_own()
        if name == own.name:
            return [own]
        ids = await self._known.find_assistants(name)
        return [Session(ids[0], name, own.id)] if ids else []

    async def get(self, session_id: str) -> Session:
        """Return the session with this id. Errors: `NotFound`, `Invalid`."""
        key = parse_id("project_id", session_id)
        found = [one for one in await self.list_sessions() if one.id == key] or await self._find_by_runs(key)
        if not found:
            raise NotFound(f"There is no project with the id {key}; a project here is one of yours, or an assistant")
        return found[0]

    async def list_sessions(self) -> list[Session]:
        """Return the project and its assistants with feedback."""
        own = await self._build_own()
        rated = [one for one in await self._assistants.all() if _is_uuid(one.assistant_id)]
        return [own, *(Session(one.assistant_id, one.name or one.assistant_id, own.id) for one in rated)]

    async def add_stats(self, session: Session) -> Session:
        """Return the session with the statistics of its runs."""
        stats = await self._runs.stats(RunQuery(session=[session.id]))
        return structs.replace(session, **{name: stats[name] for name in stats if name in session.__struct_fields__})

    async def _build_own(self) -> Session:
        project = await self._projects.get(self._project)
        return Session(project.id, project.name, project.id, project.created_at)

    async def _find_by_runs(self, key: str) -> list[Session]:
        own = await self._build_own()
        newest = await self._known.find_runs(RunSelection(assistant_ids=(key,), limit=1))
        return [Session(key, facts.assistant_name or key, own.id) for facts in newest]


def _is_uuid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False
