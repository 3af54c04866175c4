"""Reviews: a team's handling of each piece of feedback, so that none is read twice or forgotten.

Status, note, assignee and reviewer are columns of the feedback; every change is added to a log, which is deleted with
the feedback. Feedback that its author changes is new again, since the review is about its earlier content.
"""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import UNSET, Struct, UnsetType, field

from feedback.configs.kinds import KindName
from feedback.database import Connection, Row
from feedback.errors import Invalid, NotFound
from feedback.projects.scoped_database import ProjectDatabase, get_unscoped
from feedback.schema import Feedback
from feedback.validation import MAX_COMMENT, check_name, check_text, from_micros, parse_id

ReviewStatus = Literal["new", "seen", "done"]
STATUSES: tuple[ReviewStatus, ...] = get_args(ReviewStatus)
MAX_AT_ONCE = 1000
"""How many reviews one request may change."""


class ReviewUpdate(Struct):
    """The new review: an omitted note is cleared; omitted `assignee` and `reviewer` stay as they were.

    `assignee` is the person who should review the feedback, `reviewer` the one who did; null clears them.
    """

    status: ReviewStatus
    note: str | None = None
    assignee: str | UnsetType | None = UNSET
    reviewer: str | UnsetType | None = UNSET

    def validate(self) -> None:
        """Reject a note or name that is too long (`Invalid`); an empty one counts as none."""
        self.note = (self.note or "").strip() or None
        if self.note is not None:
            check_text("note", self.note, MAX_COMMENT)
        self.assignee, self.reviewer = _person("assignee", self.assignee), _person("reviewer", self.reviewer)


class ReviewsUpdate(Struct):
    """Changes of the reviews of many pieces of feedback; omitted fields stay as they are."""

    ids: list[str]
    status: ReviewStatus | None = None
    note: str | UnsetType | None = UNSET
    assignee: str | UnsetType | None = UNSET
    reviewer: str | UnsetType | None = UNSET

    def validate(self) -> None:
        """Reject too many ids, or none (`Invalid`); normalize the ids."""
        if not 1 <= len(self.ids) <= MAX_AT_ONCE:
            raise Invalid(f"`ids` lists {len(self.ids)} pieces of feedback; name 1 to {MAX_AT_ONCE}")
        self.ids = list(dict.fromkeys(parse_id("ids[]", one) for one in self.ids))
        if isinstance(self.note, str):
            self.note = check_text("note", self.note.strip(), MAX_COMMENT) or None
        self.assignee, self.reviewer = _person("assignee", self.assignee), _person("reviewer", self.reviewer)


def _person(field: str, name: str | UnsetType | None) -> str | UnsetType | None:
    if not isinstance(name, str):
        return name
    return check_name(field, name.strip()) if name.strip() else None


class ReviewsChanged(Struct):
    """How many reviews changed."""

    changed: int


class ReviewEntry(Struct):
    """An earlier or the current state of a review."""

    status: ReviewStatus
    note: str | None
    reviewed_at: str
    assignee: str | None = None
    reviewer: str | None = None


class Review(Struct):
    """The review of a piece of feedback, and its log, newest first.

    If the feedback's author has changed it since, its status is `new` again.
    """

    feedback_id: str
    status: ReviewStatus
    note: str | None
    reviewed_at: str | None
    log: list[ReviewEntry]
    assignee: str | None = None
    reviewer: str | None = None


class ReviewedFeedback(Feedback):
    """Feedback with its review, and the kind of its key. `is_positive` is null if no rule decides."""

    kind: KindName = "text"
    assistant_name: str | None = None
    is_positive: bool | None = None
    review_status: ReviewStatus = "new"
    review_note: str | None = None
    reviewed_at: str | None = None
    review_assignee: str | None = None
    reviewer: str | None = None
    run_metadata: dict[str, str] = field(default_factory=dict)
    """The declared metadata of the run."""


CURRENT = """SELECT id, review_status, review_note, reviewed_at, review_assignee, reviewer FROM feedback
WHERE project = :project AND id = :id"""
LOG = """SELECT status, note, reviewed_at, assignee, reviewer FROM feedback_review WHERE feedback_id = :id
ORDER BY sequence DESC LIMIT :limit"""
CHANGE = """UPDATE feedback SET review_status = NULLIF(CAST(:status AS TEXT), 'new'), review_note = :note,
    review_assignee = :assignee, reviewer = :reviewer, reviewed_at = now_us()
WHERE project = :project AND id = :id"""
REMEMBER = """INSERT INTO feedback_review (feedback_id, status, note, reviewed_at, assignee, reviewer)
SELECT id, COALESCE(review_status, 'new'), review_note, reviewed_at, review_assignee, reviewer FROM feedback
WHERE project = :project AND id = :id"""
TAKE = "UPDATE feedback SET id = id WHERE project = :project AND id = :id"
SHOWN = 100
"""How many of the latest log entries to return."""


class Reviews:
    """The reviews of one project's feedback."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def get(self, feedback_id: str) -> Review:
        """Return the review of the feedback. Errors: `NotFound`, `Invalid`."""
        name = parse_id("feedback_id", feedback_id)
        return await self._database.read(lambda db: _review(db, name))

    async def set(self, feedback_id: str, update: ReviewUpdate) -> Review:
        """Change the review durably and return it; an update without a change adds no log entry. Errors: `NotFound`."""
        update.validate()
        name = parse_id("feedback_id", feedback_id)

        def work(db: Connection) -> Review:
            _change(db, name, update.status, update.note, update.assignee, update.reviewer)
            return _review(db, name)

        return await self._database.write(work)

    async def set_many(self, update: ReviewsUpdate) -> ReviewsChanged:
        """Change the reviews of the feedback that exists, in one transaction."""
        update.validate()

        def work(db: Connection) -> ReviewsChanged:
            changed = [
                _change(db, name, update.status, update.note, update.assignee, update.reviewer) for name in update.ids
            ]
            return ReviewsChanged(sum(changed))

        return await self._database.write(work)


def _change(
    db: Connection,
    feedback_id: str,
    status: ReviewStatus | None,
    note: str | UnsetType | None,
    assignee: str | UnsetType | None,
    reviewer: str | UnsetType | None,
) -> bool:
    """Change the review and log it; return whether anything changed."""
    db.execute(TAKE, id=feedback_id)
    if (row := db.one(CURRENT, id=feedback_id)) is None:
        return False
    before = {name: row[column] for name, column in _COLUMNS.items()}
    given = {"status": status or UNSET, "note": note, "assignee": assignee, "reviewer": reviewer}
    after = before | {name: value for name, value in given.items() if value is not UNSET}
    before["status"] = before["status"] or "new"
    after["status"] = after["status"] or "new"
    if before == after:
        return False
    db.execute(CHANGE, id=feedback_id, **after)
    db.execute(REMEMBER, id=feedback_id)
    return True


_COLUMNS = {"status": "review_status", "note": "review_note", "assignee": "review_assignee", "reviewer": "reviewer"}


def _review(db: Connection, feedback_id: str) -> Review:
    row = db.one(CURRENT, id=feedback_id)
    if row is None:
        raise NotFound(f"There is no feedback with the id {feedback_id}; it may have been deleted")
    return Review(
        feedback_id,
        row["review_status"] or "new",
        row["review_note"],
        None if row["reviewed_at"] is None else from_micros(row["reviewed_at"]),
        [_entry(entry) for entry in get_unscoped(db).all(LOG, id=feedback_id, limit=SHOWN)],
        row["review_assignee"],
        row["reviewer"],
    )


def _entry(row: Row) -> ReviewEntry:
    return ReviewEntry(row["status"], row["note"], from_micros(row["reviewed_at"]), row["assignee"], row["reviewer"])
