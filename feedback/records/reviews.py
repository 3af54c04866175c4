"""Reviews: what a team makes of each answer, so that nobody reads it twice and nobody forgets it.

The status and the note are the answer's own columns; every change is added to a log, which goes when the answer is
erased. An answer that its author changes is new again: what had been seen is no longer what it says.
"""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

from feedback.database import Connection, Row
from feedback.errors import NotFound
from feedback.projects.scoped_database import ProjectDatabase, whole
from feedback.schema import Feedback
from feedback.validation import MAX_COMMENT, check_text, from_micros, parse_id

ReviewStatus = Literal["new", "seen", "done"]
STATUSES: tuple[ReviewStatus, ...] = get_args(ReviewStatus)


class ReviewUpdate(Struct):
    """What is made of an answer now; a note that is left out is cleared."""

    status: ReviewStatus
    note: str | None = None

    def validate(self) -> None:
        """Refuse a note that is too long; an empty one is none."""
        self.note = (self.note or "").strip() or None
        if self.note is not None:
            check_text("note", self.note, MAX_COMMENT)


class ReviewEntry(Struct):
    """What was made of an answer, and when."""

    status: ReviewStatus
    note: str | None
    reviewed_at: str


class Review(Struct):
    """What is made of an answer now, and all that was before, newest first.

    The status of an answer that its author has changed since is `new` again.
    """

    feedback_id: str
    status: ReviewStatus
    note: str | None
    reviewed_at: str | None
    log: list[ReviewEntry]


class ReviewedFeedback(Feedback):
    """An answer with what is made of it, and whether its score is on the good side; null without a score."""

    is_positive: bool | None = None
    review_status: ReviewStatus = "new"
    review_note: str | None = None
    reviewed_at: str | None = None


CURRENT = "SELECT id, review_status, review_note, reviewed_at FROM feedback WHERE project = :project AND id = :id"
LOG = """SELECT status, note, reviewed_at FROM feedback_review WHERE feedback_id = :id
ORDER BY sequence DESC LIMIT :limit"""
CHANGE = """UPDATE feedback SET review_status = NULLIF(CAST(:status AS TEXT), 'new'), review_note = :note,
    reviewed_at = now_us()
WHERE project = :project AND id = :id AND (COALESCE(review_status, 'new') <> CAST(:status AS TEXT)
    OR COALESCE(review_note, '') <> COALESCE(CAST(:note AS TEXT), ''))"""
REMEMBER = """INSERT INTO feedback_review (feedback_id, status, note, reviewed_at)
SELECT id, COALESCE(review_status, 'new'), review_note, reviewed_at FROM feedback
WHERE project = :project AND id = :id"""
SHOWN = 100
"""How many of the latest entries of a log are shown."""


class Reviews:
    """The reviews of one project's answers."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def get(self, feedback_id: str) -> Review:
        """What is made of the answer. Errors: `NotFound`, `Invalid`."""
        name = parse_id("feedback_id", feedback_id)
        return await self._database.read(lambda db: _review(db, name))

    async def set(self, feedback_id: str, update: ReviewUpdate) -> Review:
        """The review after the change, durable; one that says nothing new leaves no trace. Errors: `NotFound`."""
        update.validate()
        name = parse_id("feedback_id", feedback_id)

        def work(db: Connection) -> Review:
            if db.execute(CHANGE, id=name, status=update.status, note=update.note):
                db.execute(REMEMBER, id=name)
            return _review(db, name)

        return await self._database.write(work)


def _review(db: Connection, feedback_id: str) -> Review:
    row = db.one(CURRENT, id=feedback_id)
    if row is None:
        raise NotFound(f"There is no feedback with the id {feedback_id}; it may have been deleted")
    return Review(
        feedback_id,
        row["review_status"] or "new",
        row["review_note"],
        _time(row),
        [_entry(entry) for entry in whole(db).all(LOG, id=feedback_id, limit=SHOWN)],
    )


def _entry(row: Row) -> ReviewEntry:
    return ReviewEntry(row["status"], row["note"], from_micros(row["reviewed_at"]))


def _time(row: Row) -> str | None:
    return None if row["reviewed_at"] is None else from_micros(row["reviewed_at"])
