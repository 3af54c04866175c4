"""WorkflowAI's feedback: one thumb up or down for each run and user, stored like all other feedback.

An outcome is feedback with the feedback key `outcome`, the score 1 or 0 and the value `positive` or `negative`. A
user's second outcome replaces the first, with history, and so does a second anonymous one: WorkflowAI's API allows "a
single feedback per user (including anonymous) per feedback_token". Under another policy of the feedback key (`append`,
`first`) anonymous outcomes accumulate, as in the rest of the service. The anonymous outcome's id is derived from the
run, so that concurrent submissions agree on one row.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, get_args
from uuid import UUID, uuid5

from msgspec import Struct, structs

from feedback.configs.key_configs import find_config_of_url
from feedback.database import Connection, Row
from feedback.errors import NotFound
from feedback.metrics import Metrics
from feedback.projects.scoped_database import ProjectDatabase, scope_to_project
from feedback.records.by_subject import check_retractable, find_latest
from feedback.records.run_metadata import keep_metadata
from feedback.records.store import BY_ID, drop, store_submission
from feedback.rows import decode_json
from feedback.runs import RunLookups
from feedback.schema import FeedbackSubmission, SubmissionResult
from feedback.tokens.sealed import Body, Opened, SealedTokens, claim_sealed
from feedback.validation import MAX_COMMENT, check_name, check_text, from_micros, parse_id, run_name

KEY = "outcome"
SCORES = {"positive": 1, "negative": 0}
OutcomeName = Literal["positive", "negative"]
Annotation = Literal["resolved", "incorrect", "correct"]

ANONYMOUS = UUID("5c0f7a52-1c0e-5d57-9d0b-7f5d3a6c2e90")
"""The namespace of the ids of anonymous outcomes."""
ANY_AGENT = "_"

OF_RUN = """FROM feedback LEFT JOIN feedback_annotation ON feedback_annotation.feedback_id = feedback.id
WHERE project = :project AND key = :key AND value IN ('"positive"', '"negative"')
AND (CAST(:run_id AS TEXT) IS NULL OR run_id = :run_id)"""
ITEM = "SELECT id, value, subject, created_at, feedback.comment AS comment, run_id, annotation"
PAGE = "ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset"
ANNOTATE = """INSERT INTO feedback_annotation (feedback_id, annotation, comment, annotated_at)
SELECT id, CAST(:annotation AS TEXT), CAST(:comment AS TEXT), now_us() FROM feedback
WHERE project = :project AND id = :id AND key = :key{of_agent}
ON CONFLICT (feedback_id) DO UPDATE SET annotation = excluded.annotation, comment = excluded.comment,
    annotated_at = excluded.annotated_at"""


class OutcomeCreate(Struct):
    """The body that submits an outcome."""

    feedback_token: str
    outcome: OutcomeName
    comment: str | None = None
    user_id: str | None = None

    def submission(self) -> FeedbackSubmission:
        """Return the outcome as a submission. Errors: `Invalid`, `TooLarge`."""
        score, user_id = SCORES[self.outcome], self.user_id or None
        submission = FeedbackSubmission(score, self.outcome, self.comment, user_id=user_id)
        submission.validate()
        return submission


class Outcome(Struct):
    """A stored outcome."""

    id: str
    outcome: OutcomeName
    comment: str | None
    user_id: str | None


class OwnOutcome(Struct):
    """The user's outcome (or the anonymous one) for the run, or null."""

    outcome: OutcomeName | None


class OutcomeAnnotation(Struct):
    """A team's judgment of an outcome."""

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
    """A page of outcomes, newest first, and the total count."""

    items: list[OutcomeItem]
    count: int


class WorkflowAIFeedback:
    """Stores outcomes and mints run tokens for one project. Requests with a token use the token's project."""

    def __init__(self, database: ProjectDatabase, tokens: SealedTokens, runs: RunLookups, metrics: Metrics) -> None:
        self._database = database
        self._tokens = tokens
        self._runs = runs
        self._metrics = metrics

    def token(self, run_id: str, lasting: timedelta) -> str:
        """Return a token for the run; it needs no row. Errors: `Invalid`."""
        token = self._tokens.seal(self._tokens.draft(self._database.project, run_id, KEY, lasting))
        self._metrics.count_minted("workflowai", 1)
        return token

    async def open(self, token: str) -> Opened:
        """Open a token without reading the database. Errors: `TokenUnknown`."""
        return await self._tokens.open(token)

    async def submit(
        self, sent: OutcomeCreate, idempotency_key: str | None = None, opened: Opened | None = None
    ) -> Outcome:
        """Store the outcome durably; `opened` is its token if the caller has opened it.

        Errors: `TokenUnknown`, `TokenGone`, `Invalid`, `Rejected`.
        """
        submission, opened = sent.submission(), opened or await self._tokens.open(sent.feedback_token)
        place = structs.asdict(await self._runs.place(opened.body.run_id, opened.body.project))
        metadata = await self._runs.metadata(opened.body.run_id, opened.body.project)

        def work(db: Connection) -> SubmissionResult:
            grant = claim_sealed(db, opened)
            keep_metadata(scope_to_project(db, grant.project), grant.run_id, metadata)
            replaces = find_config_of_url(scope_to_project(db, grant.project), grant.key, None).subject_policy in (
                None,
                "replace",
            )
            own_id = _anonymous_id(opened.body) if replaces and not submission.user_id else None
            own = structs.replace(submission, id=own_id)
            return store_submission(db, grant, own, idempotency_key, place, may_change=own_id is not None)

        kept = await self._database.whole.write(work)
        self._metrics.count_submission(opened.body.key, kept.status)
        return Outcome(kept.id, sent.outcome, submission.comment, submission.user_id)

    async def find_own(self, token: str | Opened, user_id: str | None) -> OwnOutcome:
        """Return the user's outcome, or the anonymous one without a user."""
        opened = await self._tokens.open(token) if isinstance(token, str) else token
        row = await self._database.whole.read(lambda db: _find_own_row(db, opened, user_id))
        return OwnOutcome(_name(row) if row else None)

    async def retract(self, token: str | Opened, user_id: str | None) -> OwnOutcome:
        """Move the user's outcome (or the anonymous one) to the history; a missing outcome is not an error.

        Errors: `TokenUnknown`, `TokenGone`; `FeedbackIsFinal` if the feedback key's policy is `first`.
        """
        opened = await self._tokens.open(token) if isinstance(token, str) else token

        def work(db: Connection) -> bool:
            row = _find_own_row(db, opened, user_id)
            if row is None:
                return False
            own = scope_to_project(db, opened.body.project)
            check_retractable(own, claim_sealed(db, opened), row)
            return bool(drop(own, row["id"], "retracted"))

        if await self._database.whole.write(work):
            self._metrics.count_submission(opened.body.key, "retracted")
        return OwnOutcome(None)

    async def page(self, agent: str, run_id: str | None, limit: int, offset: int) -> OutcomePage:
        """Return the outcomes of an agent's runs (`_`: any agent), newest first."""
        of_agent, parameters = await self._build_agent_condition(agent)
        parameters |= {"key": KEY, "run_id": None if run_id is None else run_name("run_id", run_id)}

        def work(db: Connection) -> OutcomePage:
            rows = db.all(f"{ITEM} {OF_RUN}{of_agent} {PAGE}", **parameters, limit=limit, offset=offset)
            counted = db.one(f"SELECT COUNT(*) AS count {OF_RUN}{of_agent}", **parameters)
            return OutcomePage([_item(row) for row in rows], counted["count"] if counted else 0)

        return await self._database.read(work)

    async def annotate(self, agent: str, feedback_id: str, sent: OutcomeAnnotation) -> None:
        """Store the annotation, replacing an earlier one. Errors: `NotFound`, `Invalid`."""
        if sent.comment is not None:
            check_text("comment", sent.comment, MAX_COMMENT)
        of_agent, parameters = await self._build_agent_condition(agent)
        parameters |= {"annotation": sent.annotation, "comment": sent.comment, "key": KEY}
        name = parse_id("feedback_id", feedback_id)
        statement = ANNOTATE.format(of_agent=of_agent)
        if not await self._database.write(lambda db: db.execute(statement, id=name, **parameters)):
            raise NotFound(f"There is no feedback with the id {name} about this agent; it may have been deleted")

    async def _build_agent_condition(self, agent: str) -> tuple[str, dict[str, Any]]:
        """Return the SQL condition and parameters for rows of the agent, given its id or slug."""
        if agent == ANY_AGENT:
            return "", {}
        names = dict.fromkeys([check_name("agent_id", agent), *await self._runs.find_assistants(agent)])
        parameters: dict[str, Any] = {f"agent_{at}": name for at, name in enumerate(names)}
        return f" AND assistant_id IN ({', '.join(f':{name}' for name in parameters)})", parameters


def _anonymous_id(body: Body) -> str:
    return str(uuid5(ANONYMOUS, f"{body.project}\0{body.run_id}\0{body.key}"))


def _find_own_row(db: Connection, opened: Opened, user_id: str | None) -> Row | None:
    """Return the row of the user's (or the anonymous) outcome. Errors: `TokenGone`."""
    grant = claim_sealed(db, opened)
    own = scope_to_project(db, grant.project)
    if user_id:
        return find_latest(own, grant, check_name("user_id", user_id))
    return own.one(BY_ID, id=_anonymous_id(opened.body))


def _name(row: Row) -> OutcomeName | None:
    value = decode_json(row["value"])
    return value if value in get_args(OutcomeName) else None


def _item(row: Row) -> OutcomeItem:
    return OutcomeItem(
        row["id"],
        decode_json(row["value"]),
        row["subject"],
        from_micros(row["created_at"]),
        row["comment"],
        row["run_id"],
        row["annotation"],
    )
