"""Outcomes: thumbs up or down about a run, in WorkflowAI's way, kept as any other answer is.

An outcome is feedback with the key `outcome`, the score 1 or 0 and the value `positive` or `negative`. One that names
a `user_id` replaces that user's earlier one, with history, unless the key `outcome` has another policy; anonymous ones
add up, rather than overwrite each other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, get_args

from msgspec import Struct, structs

from feedback.database import Connection, Row
from feedback.errors import NotFound
from feedback.metrics import Metrics
from feedback.projects.scoped_database import ProjectDatabase, of_project
from feedback.records.by_subject import latest_answer
from feedback.records.store import keep_answer
from feedback.rows import json_value
from feedback.runs import KnownRuns
from feedback.schema import FeedbackSubmission, Kept
from feedback.tokens.sealed import Opened, SealedTokens, claim_sealed
from feedback.validation import MAX_COMMENT, check_name, check_text, from_micros, parse_id, run_name

KEY = "outcome"
SCORES = {"positive": 1, "negative": 0}
OutcomeName = Literal["positive", "negative"]
Annotation = Literal["resolved", "incorrect", "correct"]

OF_AGENT = """FROM feedback LEFT JOIN feedback_annotation ON feedback_annotation.feedback_id = feedback.id
WHERE project = :project AND key = :key AND value IN ('"positive"', '"negative"')
AND (CAST(:agent AS TEXT) IS NULL OR assistant_id = :agent)
AND (CAST(:run_id AS TEXT) IS NULL OR run_id = :run_id)"""
PAGE = f"""SELECT id, value, subject, created_at, feedback.comment AS comment, run_id, annotation {OF_AGENT}
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset"""
COUNT = f"SELECT COUNT(*) AS count {OF_AGENT}"
ANNOTATE = """INSERT INTO feedback_annotation (feedback_id, annotation, comment, annotated_at)
SELECT id, CAST(:annotation AS TEXT), CAST(:comment AS TEXT), now_us() FROM feedback
WHERE project = :project AND id = :id AND key = :key AND (CAST(:agent AS TEXT) IS NULL OR assistant_id = :agent)
ON CONFLICT (feedback_id) DO UPDATE SET annotation = excluded.annotation, comment = excluded.comment,
    annotated_at = excluded.annotated_at"""


class OutcomeCreate(Struct):
    """An outcome as WorkflowAI's clients send it."""

    feedback_token: str
    outcome: OutcomeName
    comment: str | None = None
    user_id: str | None = None

    def submission(self) -> FeedbackSubmission:
        """The same as an answer. Errors: `Invalid`, `TooLarge`."""
        answer = FeedbackSubmission(SCORES[self.outcome], self.outcome, self.comment, user_id=self.user_id or None)
        answer.validate()
        return answer


class Outcome(Struct):
    """An outcome as it was kept."""

    id: str
    outcome: OutcomeName
    comment: str | None
    user_id: str | None


class OwnOutcome(Struct):
    """What this user has said of the run, or null."""

    outcome: OutcomeName | None


class OutcomeAnnotation(Struct):
    """What a team makes of an outcome."""

    annotation: Annotation
    comment: str | None = None


class OutcomeItem(Struct):
    """An outcome in a list."""

    id: str
    outcome: OutcomeName
    user_id: str | None
    created_at: str
    comment: str | None
    run_id: str | None
    annotation: Annotation | None


class OutcomePage(Struct):
    """Outcomes, newest first, and how many there are in all."""

    items: list[OutcomeItem]
    count: int


class WorkflowAIFeedback:
    """The outcomes of one project, and the tokens they are sent with; what comes with a token is of the token's."""

    def __init__(self, database: ProjectDatabase, tokens: SealedTokens, runs: KnownRuns, metrics: Metrics) -> None:
        self._database = database
        self._tokens = tokens
        self._runs = runs
        self._metrics = metrics

    def token(self, run_id: str, lasting: timedelta) -> str:
        """A token for the run; no row is written. Errors: `Invalid`."""
        token = self._tokens.seal(self._tokens.draft(self._database.project, run_id, KEY, lasting))
        self._metrics.minted("workflowai", 1)
        return token

    async def open(self, token: str) -> Opened:
        """Open a token, without a read of the database. Errors: `TokenUnknown`."""
        return await self._tokens.open(token)

    async def submit(
        self, sent: OutcomeCreate, idempotency_key: str | None = None, opened: Opened | None = None
    ) -> Outcome:
        """Store the outcome durably; `opened` is its token, where the caller has opened it already.

        Errors: `TokenUnknown`, `TokenGone`, `Invalid`, `Rejected`.
        """
        answer, opened = sent.submission(), opened or await self._tokens.open(sent.feedback_token)
        place = structs.asdict(await self._runs.place(opened.body.run_id, opened.body.project))

        def work(db: Connection) -> Kept:
            return keep_answer(db, claim_sealed(db, opened), answer, idempotency_key, place)

        kept = await self._database.whole.write(work)
        self._metrics.answered(opened.body.key, kept.status)
        return Outcome(kept.id, sent.outcome, answer.comment, answer.user_id)

    async def own(self, token: str | Opened, user_id: str | None) -> OwnOutcome:
        """Return the user's outcome; without a `user_id` there is none to read. Errors: `TokenUnknown`, `TokenGone`."""
        opened = await self._tokens.open(token) if isinstance(token, str) else token

        def work(db: Connection) -> Row | None:
            grant = claim_sealed(db, opened)
            return latest_answer(of_project(db, grant.project), grant, check_name("user_id", user_id or ""))

        if not user_id:
            await self._database.whole.read(lambda db: claim_sealed(db, opened))
            return OwnOutcome(None)
        row = await self._database.whole.read(work)
        return OwnOutcome(_name(row) if row else None)

    async def page(self, agent: str, run_id: str | None, limit: int, offset: int) -> OutcomePage:
        """The outcomes about an assistant's runs (`_`: any assistant's), newest first."""
        chosen: dict[str, Any] = {
            "key": KEY,
            "agent": _agent(agent),
            "run_id": None if run_id is None else run_name("run_id", run_id),
        }

        def work(db: Connection) -> OutcomePage:
            rows = db.all(PAGE, **chosen, limit=limit, offset=offset)
            counted = db.one(COUNT, **chosen)
            return OutcomePage([_item(row) for row in rows], counted["count"] if counted else 0)

        return await self._database.read(work)

    async def annotate(self, agent: str, feedback_id: str, sent: OutcomeAnnotation) -> None:
        """The annotation is kept, in the place of an earlier one. Errors: `NotFound`, `Invalid`."""
        if sent.comment is not None:
            check_text("comment", sent.comment, MAX_COMMENT)
        said = {"annotation": sent.annotation, "comment": sent.comment, "key": KEY, "agent": _agent(agent)}
        name = parse_id("feedback_id", feedback_id)
        if not await self._database.write(lambda db: db.execute(ANNOTATE, id=name, **said)):
            raise NotFound(f"There is no feedback with the id {name} about this agent; it may have been deleted")


def _agent(name: str) -> str | None:
    return None if name == "_" else check_name("agent_id", name)


def _name(row: Row) -> OutcomeName | None:
    value = json_value(row["value"])
    return value if value in get_args(OutcomeName) else None


def _item(row: Row) -> OutcomeItem:
    return OutcomeItem(
        row["id"],
        json_value(row["value"]),
        row["subject"],
        from_micros(row["created_at"]),
        row["comment"],
        row["run_id"],
        row["annotation"],
    )
