"""What a team makes of answers, on the wire: new, seen or done, with a note."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

from feedback.limits import MAX_COMMENT, check_text
from feedback.schema import Feedback

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
