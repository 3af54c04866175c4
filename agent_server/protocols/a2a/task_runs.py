"""The runs of an assistant's tasks, as the caller may see them."""

from __future__ import annotations

from agent_server.assistants.schema import Assistant
from agent_server.errors import Invalid, NotFound
from agent_server.protocols.a2a.requests import TaskId, build_task_not_found, derive_thread_id
from agent_server.protocols.a2a.tasks import read_task_id, task_metadata, waits
from agent_server.protocols.services import RequestServices
from agent_server.routes.authorization import get_caller
from agent_server.runs.records import Record
from agent_server.schema import canonical_id


class TaskRuns:
    """Finds the runs of one assistant's tasks, for one HTTP request."""

    def __init__(self, services: RequestServices, assistant: Assistant) -> None:
        self._services = services
        self._assistant = assistant

    def derive_thread_id(self, context_id: str) -> str:
        """Return the thread id of a context of the caller's."""
        caller = get_caller(self._services.http)
        return derive_thread_id(context_id, caller.identity if caller else None)

    async def find_latest(self, task_id: TaskId, handler: str = "get_run") -> Record:
        """Return the task's current or last run. Errors: `RpcError` for an unknown task."""
        services = self._services
        path = {"thread_id": task_id.thread_id, "run_id": task_id.run_id}
        try:
            await services.authenticator.authorize_as(services.http, handler, {}, path)
            record = await services.runs.find_latest(task_id.thread_id, task_metadata(task_id))
            record = record or await services.runs.get(task_id.run_id, task_id.thread_id)
        except (NotFound, Invalid):
            raise build_task_not_found(task_id) from None
        if record.run.assistant_id != self._assistant.assistant_id:
            raise build_task_not_found(task_id)
        return record

    async def find_waiting_run(self, thread_id: str) -> Record | None:
        """Return the thread's last run if it waits for its user."""
        services = self._services
        try:
            runs = await services.runs.list_by_thread(thread_id, 1, 0, None)
        except NotFound:
            return None
        if not runs or runs[0].assistant_id != self._assistant.assistant_id or runs[0].status != "success":
            return None
        record = await services.runs.get(runs[0].run_id)
        return record if waits(record) else None

    async def find_by_artifact(self, artifact_id: str, record: Record) -> Record:
        """Return the task's run that made an artifact; the artifact's id begins with the run's."""
        run_id = artifact_id.rpartition("-")[0]
        if run_id == record.run.run_id:
            return record
        try:
            made_by = await self._services.runs.get(canonical_id(run_id, "run"), record.run.thread_id)
        except (Invalid, NotFound):
            raise NotFound(f"The task has no artifact {artifact_id!r:.120}") from None
        if read_task_id(made_by) != read_task_id(record):
            raise NotFound(f"The task has no artifact {artifact_id!r:.120}")
        return made_by
