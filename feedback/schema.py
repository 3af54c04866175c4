"""The wire's structs, with LangSmith's field names.

Shapes are those of `langsmith.schemas` 0.15.0, and recorded from the Python and JavaScript clients. Unknown properties
are ignored, as the hosted service does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from feedback.configs.feedback_config import (
    FeedbackCategory,
    FeedbackConfig,
    Number,
    Score,
    StoredValue,
    SubjectPolicy,
    Value,
)
from feedback.errors import Invalid
from feedback.projects.scoped_database import DEFAULT
from feedback.validation import (
    FOREVER,
    MAX_BODY,
    MAX_COMMENT,
    check_json,
    check_name,
    check_number,
    check_text,
    parse_id,
    parse_time,
)

__all__ = [
    "ExpiresIn",
    "Feedback",
    "FeedbackCategory",
    "FeedbackConfig",
    "FeedbackCreate",
    "FeedbackIngestToken",
    "FeedbackIngestTokenCreate",
    "FeedbackPatch",
    "FeedbackSource",
    "FeedbackSubmission",
    "SubmissionResult",
    "TokenState",
]


NEVER = "never"
"""The `expires_at` of URLs that do not expire."""
MAX_USES = 1_000_000_000


class ExpiresIn(Struct):
    """A duration; the parts add up."""

    days: Number = 0
    hours: Number = 0
    minutes: Number = 0
    seconds: Number = 0


class FeedbackIngestTokenCreate(Struct):
    """Request one presigned URL. Without `expires_in` and `expires_at` it expires after the service's default.

    `expires_at` is a time, or `"never"`. `max_uses` is the number of submissions that the URL accepts; a changed
    submission counts once, a retracted one does not count.
    """

    run_id: str
    feedback_key: str
    feedback_config: FeedbackConfig | None = None
    expires_in: ExpiresIn | None = None
    expires_at: str | None = None
    max_uses: int | None = None

    def expiry(self, now: datetime, default: timedelta) -> datetime | None:
        """Return when the URL expires, or None for never; `expires_at` precedes `expires_in`. Errors: `Invalid`."""
        if self.max_uses is not None and not 1 <= self.max_uses <= MAX_USES:
            raise Invalid(f"`max_uses` is {self.max_uses}; send 1 to {MAX_USES}, or leave it out for any number")
        if self.expires_at == NEVER:
            return None
        if self.expires_at is not None:
            time = parse_time("expires_at", self.expires_at)
            if time <= now:
                raise Invalid(
                    f"`expires_at` ({self.expires_at}) is not in the future; it is {now:%Y-%m-%dT%H:%M:%SZ} now"
                )
            return time
        if self.expires_in is None:
            return now + default
        return _add_length(now, self.expires_in)


def _add_length(now: datetime, length: ExpiresIn) -> datetime:
    parts = {name: getattr(length, name) for name in length.__struct_fields__}
    for name, part in parts.items():
        check_number(f"expires_in.{name}", part)
    try:
        ahead = timedelta(**parts)
        if ahead <= timedelta(0):
            raise Invalid(
                "`expires_in` comes to nothing, so the URL would be dead at once; send a second at least. LangSmith's "
                "Python client drops seconds: one minute is the least it can ask for, or any time as `expires_at`"
            )
        return now + ahead
    except OverflowError:
        raise Invalid(f"`expires_in` goes past the year {FOREVER.year}; send less, or `expires_at`") from None


class FeedbackIngestToken(Struct):
    """A presigned URL: its holder may submit feedback on one run and feedback key until it expires."""

    id: str
    url: str
    expires_at: str
    feedback_key: str
    revoked: bool = False
    """Whether the URL was revoked."""


class OwnFeedback(Struct):
    """The subject's current feedback, read back through the URL."""

    id: str
    score: Score
    value: StoredValue
    comment: str | None
    correction: dict[str, Any] | str | None
    metadata: dict[str, Any] | None
    created_at: str
    modified_at: str


class TokenState(Struct):
    """What a presigned URL is for, and the subject's feedback if the request names it (`user_id`, or `id`).

    `feedback_config` is the URL's own, or that of its feedback key. `subject_policy` is what a second submission of the
    same `user_id` does; under `append`, `feedback` is the subject's latest feedback.
    """

    key: str
    expires_at: str
    feedback_config: FeedbackConfig | None
    subject_policy: SubjectPolicy
    feedback: OwnFeedback | None = None


class FeedbackSubmission(Struct):
    """A submission through a presigned URL. Every field is optional; `user_id` names the subject.

    A second submission of the same `user_id` replaces the first, unless the feedback key has another `subject_policy`.
    `id` is the feedback's id, chosen by the client: sent again it changes nothing. `scale` is the ends of the score's
    scale, such as `[1, 5]`, by which a feedback key without a configuration is counted.
    """

    score: Score = None
    value: Value = None
    comment: str | None = None
    correction: dict[str, Any] | str | None = None
    metadata: dict[str, Any] | None = None
    user_id: str | None = None
    id: str | None = None
    extend_trace_retention: bool | None = None
    scale: list[Number] | None = None

    def validate(self) -> None:
        """Reject what a store could not return unchanged. Errors: `Invalid`, `TooLarge`."""
        _check_submission(self)
        check_json("metadata", self.metadata)
        if self.scale is not None:
            _check_scale(self.scale, self.score)
        if self.user_id is not None:
            check_name("user_id", self.user_id)
        if self.id is not None:
            self.id = parse_id("id", self.id)


class FeedbackSource(Struct):
    """The source of feedback: a program (`api`), a user of an application (`app`) or another model (`model`)."""

    type: str = "api"
    metadata: dict[str, Any] | None = None
    user_id: str | None = None


class FeedbackCreate(Struct):
    """Feedback that a trusted program records. The JavaScript client spells the configuration `feedbackConfig`."""

    key: str
    id: str | None = None
    run_id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None
    start_time: str | float | None = None
    created_at: str | None = None
    score: Score = None
    value: Value = None
    comment: str | None = None
    correction: dict[str, Any] | str | None = None
    feedback_source: FeedbackSource | None = None
    feedback_config: FeedbackConfig | None = None
    feedback_config_js: FeedbackConfig | None = field(default=None, name="feedbackConfig")
    feedback_group_id: str | None = None
    comparative_experiment_id: str | None = None
    extra: dict[str, Any] | None = None

    def validate(self) -> None:
        """Reject what a store could not return unchanged; normalize ids and times. Errors: `Invalid`, `TooLarge`."""
        check_name("key", self.key, 180)
        _check_submission(self)
        check_json("extra", self.extra)
        for name in ("id", "feedback_group_id", "comparative_experiment_id"):
            if (text := getattr(self, name)) is not None:
                setattr(self, name, parse_id(name, text))
        for name in ("start_time", "created_at"):
            if (text := getattr(self, name)) is not None:
                setattr(self, name, parse_time(name, text).isoformat())
        if source := self.feedback_source:
            check_name("feedback_source.type", source.type, 40)
            check_json("feedback_source.metadata", source.metadata)
            if source.user_id is not None:
                check_name("feedback_source.user_id", source.user_id)


class FeedbackPatch(Struct):
    """Changes of a feedback; `null` clears a field."""

    score: Score | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    comment: str | UnsetType | None = UNSET
    correction: dict[str, Any] | str | UnsetType | None = UNSET
    feedback_config: FeedbackConfig | UnsetType | None = UNSET

    def validate(self) -> None:
        """Reject what a store could not return unchanged. Errors: `Invalid`, `TooLarge`."""
        _check_submission(self)


def _check_scale(scale: list[Number], score: Score) -> None:
    for end in scale:
        check_number("scale", end)
    if len(scale) != 2 or scale[0] >= scale[1]:
        raise Invalid("`scale` is not the two ends of a scale; send the lower and the higher one, such as [1, 5]")
    if score is not None and not scale[0] <= score <= scale[1]:
        raise Invalid(f"`score` is {score:g}, which is not on its `scale` from {scale[0]:g} to {scale[1]:g}")


def _check_submission(submission: FeedbackSubmission | FeedbackCreate | FeedbackPatch) -> None:
    if isinstance(submission.score, (int, float)):
        check_number("score", submission.score)
    if isinstance(submission.comment, str):
        check_text("comment", submission.comment, MAX_COMMENT)
    check_json("value", submission.value)
    if isinstance(submission.correction, str):
        check_text("correction", submission.correction, MAX_BODY)
    else:
        check_json("correction", submission.correction)


class Feedback(Struct):
    """Stored feedback, in the shape of LangSmith's `FeedbackSchema`.

    `run_id` and `trace_id` are UUIDs or null, as its clients require; `run_name` holds a run's name that is no UUID.
    Thread, assistant, version and `trace_parent` (a W3C `traceparent`) are the run's, if the run lookup knows it.
    """

    id: str
    created_at: str
    modified_at: str
    run_id: str | None
    trace_id: str | None
    run_name: str | None
    session_id: str | None
    start_time: str | None
    key: str
    score: Score
    value: StoredValue
    comment: str | None
    correction: dict[str, Any] | str | None
    feedback_source: FeedbackSource
    extra: dict[str, Any] | None
    feedback_group_id: str | None
    comparative_experiment_id: str | None
    thread_id: str | None = None
    assistant_id: str | None = None
    assistant_version: int | None = None
    trace_parent: str | None = None
    project: str = DEFAULT


class SubmissionResult(Struct, omit_defaults=True):
    """The result of a submission: feedback that was created, updated, unchanged or retracted.

    `is_final`: the URL can no longer change or retract it.
    """

    id: str
    status: Literal["created", "updated", "unchanged", "retracted"]
    is_final: bool = False
