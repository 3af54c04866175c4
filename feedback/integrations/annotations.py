"""EvalGuard's annotations: a person's label of a logged run, stored under the feedback key `annotation`."""

from __future__ import annotations

from msgspec import Struct

from feedback.configs.feedback_config import Score
from feedback.database import Connection, Row
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.store import FeedbackStore
from feedback.rows import decode_json
from feedback.schema import FeedbackCreate, FeedbackSource
from feedback.validation import check_name, from_micros, run_name

KEY = "annotation"
LIST = """SELECT id, project, run_id, value, score, comment, created_at FROM feedback
WHERE project = :project AND key = :key AND (CAST(:run_id AS TEXT) IS NULL OR run_id = :run_id)
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset"""


class AnnotationCreate(Struct):
    """The body that labels the run `logId`, with an optional score and notes."""

    logId: str
    label: str
    projectId: str | None = None
    score: Score = None
    notes: str | None = None


class LogAnnotation(Struct):
    """A stored annotation."""

    id: str
    projectId: str
    logId: str | None
    label: str | None
    score: Score
    notes: str | None
    createdAt: str


class Annotations:
    """Stores and lists the annotations of one project."""

    def __init__(self, database: ProjectDatabase, store: FeedbackStore) -> None:
        self._database = database
        self._store = store

    async def create(self, request: AnnotationCreate, idempotency_key: str | None) -> LogAnnotation:
        """Store an annotation durably and return it. Errors: `Invalid`, `Rejected`."""
        feedback = FeedbackCreate(
            key=KEY,
            run_id=check_name("logId", request.logId),
            value=check_name("label", request.label),
            score=request.score,
            comment=request.notes,
            feedback_source=FeedbackSource("app"),
        )
        feedback.validate()
        kept = await self._store.create(feedback, idempotency_key)
        return LogAnnotation(
            kept.id, self._database.project, request.logId, request.label, request.score, request.notes, kept.created_at
        )

    async def list_annotations(self, log_id: str | None, limit: int, offset: int) -> list[LogAnnotation]:
        """Return the annotations, or those of one run, newest first."""
        chosen = {"key": KEY, "run_id": log_id and run_name("logId", log_id), "limit": limit, "offset": offset}

        def work(db: Connection) -> list[LogAnnotation]:
            return [_annotation(row) for row in db.all(LIST, **chosen)]

        return await self._database.read(work)


def _annotation(row: Row) -> LogAnnotation:
    return LogAnnotation(
        row["id"],
        row["project"],
        row["run_id"],
        decode_json(row["value"]),
        decode_json(row["score"]),
        row["comment"],
        from_micros(row["created_at"]),
    )
