"""OwnFeedbackReader: read and retract the subject's own feedback through a URL, and no other subject's.

It is the feedback with the same `user_id`, or with the id that was sent with the submission. It must be on the URL's
run and feedback key, and have come through a URL: feedback that programs recorded is not shown. Under `append`, the
latest counts; after its retraction, the one before.
"""

from __future__ import annotations

from feedback.database import Connection, Database, Row
from feedback.errors import Invalid, NotFound
from feedback.metrics import Metrics
from feedback.projects.scoped_database import scope_to_project
from feedback.records.by_subject import SELECT, check_retractable, find_latest
from feedback.records.store import TAKE, drop
from feedback.rows import decode_json
from feedback.schema import OwnFeedback, SubmissionResult
from feedback.tokens.presigned import Grant, Pointer, claim, give_back
from feedback.validation import check_name, from_micros, parse_id

OWN = f"{SELECT} WHERE project = :project AND id = :id AND run_id = :run_id AND key = :key AND grant_id IS NOT NULL"


class OwnFeedbackReader:
    """Subjects' access to their own feedback, in one feedback database."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def read(self, grant: Grant, user_id: str | None, feedback_id: str | None) -> OwnFeedback | None:
        """Return the current feedback of the subject, or with this id, if there is any. Errors: `Invalid`."""
        if not user_id and not feedback_id:
            return None
        row = await self._database.read(lambda db: _find(db, grant, user_id, feedback_id))
        return _own_feedback(row) if row else None

    async def retract(self, pointer: Pointer, user_id: str | None, feedback_id: str | None) -> SubmissionResult:
        """Move the subject's feedback to the history, and give its use back.

        Errors: `TokenGone`; `NotFound` if there is no such feedback; `FeedbackIsFinal` if it is final; `Invalid` if the
        request names no subject or id.
        """
        if not user_id and not feedback_id:
            raise Invalid("Name the feedback to retract: send `user_id`, or the `id` that it was stored with")

        def work(everywhere: Connection) -> Row:
            grant = claim(everywhere, pointer)
            db = scope_to_project(everywhere, grant.project)
            row = _find(db, grant, user_id, feedback_id)
            if row is None or not db.execute(TAKE, id=row["id"]):
                raise NotFound("No such feedback was submitted through this URL; it may have been retracted already")
            check_retractable(db, grant, row)
            drop(db, row["id"], "retracted")
            give_back(db, row["grant_id"], row["grant_key"])
            return row

        gone = await self._database.write(work)
        self._metrics.count_submission(gone["key"], "retracted")
        return SubmissionResult(gone["id"], "retracted")


def _find(db: Connection, grant: Grant, user_id: str | None, feedback_id: str | None) -> Row | None:
    db = scope_to_project(db, grant.project)
    if feedback_id:
        row = db.one(OWN, id=parse_id("id", feedback_id), run_id=grant.run_id, key=grant.key)
        return row if row is None or not user_id or row["subject"] == user_id else None
    return find_latest(db, grant, check_name("user_id", user_id or ""), through_url=True)


def _own_feedback(row: Row) -> OwnFeedback:
    return OwnFeedback(
        id=row["id"],
        score=decode_json(row["score"]),
        value=decode_json(row["value"]),
        comment=row["comment"],
        correction=decode_json(row["correction"]),
        metadata=decode_json(row["metadata"]),
        created_at=from_micros(row["created_at"]),
        modified_at=from_micros(row["modified_at"]),
    )
