"""EvalGuard's one-time tokens: each accepts one submission for an evaluation run, a trace or an annotation.

A token is sealed and needs no row, unless the request has an Idempotency-Key: then its content is stored, so that a
repeated request gets the same token. The transaction that stores the feedback spends the token by inserting its nonce;
of two concurrent attempts, also in different processes, the unique index admits one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import uuid_utils
from msgspec import Struct, structs

from feedback.configs.feedback_config import Score
from feedback.database import Connection
from feedback.errors import Invalid, TokenUsed
from feedback.metrics import Metrics
from feedback.projects.scoped_database import DEFAULT, ProjectDatabase, get_unscoped, scope_to_project
from feedback.records.run_metadata import keep_metadata
from feedback.records.store import store_submission
from feedback.rows import hash_idempotency_key
from feedback.runs import RunLookups
from feedback.schema import FeedbackSubmission, SubmissionResult
from feedback.tokens.sealed import Body, Opened, SealedTokens, claim_sealed
from feedback.validation import EPOCH, MAX_KEY, check_name

MAX_SECONDS = 86_400

FORGET_MINTED = "DELETE FROM feedback_minted WHERE expires_at <= now_us()"
MINT = """INSERT INTO feedback_minted (project, idempotency, request, ring_key, body, expires_at)
VALUES (:project, :idempotency, :request, :ring_key, :body, :expires_at) ON CONFLICT DO NOTHING"""
MINTED = "SELECT request, ring_key, body FROM feedback_minted WHERE project = :project AND idempotency = :idempotency"
FORGET_SPENT = "DELETE FROM feedback_spent WHERE expires_at <= now_us()"
SPEND = """INSERT INTO feedback_spent (nonce, feedback_id, idempotency, expires_at)
VALUES (:nonce, :feedback_id, :idempotency, :expires_at) ON CONFLICT DO NOTHING"""
SPENT = "SELECT feedback_id, idempotency FROM feedback_spent WHERE nonce = :nonce"


class OneTimeTokenCreate(Struct):
    """The body that requests a token, in EvalGuard's terms. The feedback key defaults to the resource's type."""

    resource_type: Literal["eval_run", "trace", "annotation"]
    resource_id: str
    expires_in_seconds: int = 3600
    feedback_key: str | None = None

    def validate(self) -> None:
        """Raise `Invalid` for values that a token cannot hold."""
        check_name("resource_id", self.resource_id)
        if self.feedback_key is not None:
            check_name("feedback_key", self.feedback_key, MAX_KEY)
        if not 1 <= self.expires_in_seconds <= MAX_SECONDS:
            raise Invalid(f"`expires_in_seconds` is {self.expires_in_seconds}; send 1 to {MAX_SECONDS}")


class OneTimeToken(Struct):
    """A token and its expiry."""

    token: str
    expires_at: str


class OneTimeSubmission(Struct):
    """The one submission that a token accepts: a score, a label, a comment, or several of them."""

    token: str
    score: Score = None
    label: str | None = None
    comment: str | None = None

    def submission(self) -> FeedbackSubmission:
        """Return it as a submission with a new id. Errors: `Invalid`, `TooLarge`."""
        if self.score is None and self.label is None and self.comment is None:
            raise Invalid("The body has no feedback; send `score`, `label` or `comment`")
        submission = FeedbackSubmission(self.score, self.label, self.comment, id=str(uuid_utils.uuid7()))
        submission.validate()
        return submission


class OneTimeTokens:
    """Mints the one-time tokens of one project, and spends those of all projects."""

    def __init__(self, database: ProjectDatabase, tokens: SealedTokens, runs: RunLookups, metrics: Metrics) -> None:
        self._database = database
        self._tokens = tokens
        self._runs = runs
        of = "" if database.project == DEFAULT else f" of {database.project}"
        self._scope = f"one-time{of}"
        self._metrics = metrics

    async def mint(self, wanted: OneTimeTokenCreate, api_key: str, idempotency_key: str | None = None) -> OneTimeToken:
        """Return a token; the same one for the same Idempotency-Key, until it expires.

        Errors: `Invalid`, also if a different request has used the Idempotency-Key.
        """
        wanted.validate()
        key = wanted.feedback_key or wanted.resource_type
        body = self._tokens.draft(
            self._database.project, wanted.resource_id, key, timedelta(seconds=wanted.expires_in_seconds)
        )
        ring_key = self._tokens.newest
        if name := hash_idempotency_key(f"{self._scope} {api_key}", idempotency_key):
            body, ring_key = await self._remember_first(name, wanted, body, ring_key)
            await self._tokens.learn(ring_key)
        self._metrics.count_minted("evalguard", 1)
        return OneTimeToken(self._tokens.seal(body, ring_key), _format_time(body.expires_at))

    async def _remember_first(
        self, name: str, wanted: OneTimeTokenCreate, body: Body, ring_key: int
    ) -> tuple[Body, int]:
        """Return the token content and expiry of the first request with this Idempotency-Key."""
        request = msgspec.json.encode(wanted).decode()
        row: dict[str, Any] = {"request": request, "ring_key": ring_key, "body": msgspec.json.encode(body).decode()}

        def work(db: Connection) -> tuple[Body, int]:
            get_unscoped(db).execute(FORGET_MINTED)
            db.execute(MINT, idempotency=name, expires_at=body.expires_at, **row)
            first = db.one(MINTED, idempotency=name) or row
            if first["request"] != request:
                raise Invalid("The Idempotency-Key came with another request before; make a new one for this request")
            return msgspec.json.decode(str(first["body"]), type=Body), int(first["ring_key"])

        return await self._database.write(work)

    async def open(self, token: str) -> Opened:
        """Open a token without reading the database. Errors: `TokenUnknown`."""
        return await self._tokens.open(token)

    async def spend(
        self, sent: OneTimeSubmission, idempotency_key: str | None = None, opened: Opened | None = None
    ) -> SubmissionResult:
        """Store the feedback durably, as the only one of its token; `opened` is the token if the caller has opened it.

        A repeat with the same Idempotency-Key changes nothing. Errors: `TokenUnknown`, `TokenGone` (`TokenUsed`),
        `Invalid`, `Rejected`.
        """
        submission, opened = sent.submission(), opened or await self._tokens.open(sent.token)
        place = structs.asdict(await self._runs.place(opened.body.run_id, opened.body.project))
        metadata = await self._runs.metadata(opened.body.run_id, opened.body.project)
        body, repeat = opened.body, hash_idempotency_key(f"spend {opened.body.nonce}", idempotency_key)
        row = {"nonce": body.nonce, "feedback_id": submission.id, "idempotency": repeat, "expires_at": body.expires_at}

        def work(db: Connection) -> SubmissionResult:
            grant = claim_sealed(db, opened)
            keep_metadata(scope_to_project(db, grant.project), grant.run_id, metadata)
            db.execute(FORGET_SPENT)
            if db.execute(SPEND, **row):
                return store_submission(db, grant, submission, None, place)
            first = db.one(SPENT, nonce=body.nonce)
            if first and repeat and first["idempotency"] == repeat:
                return SubmissionResult(first["feedback_id"], "unchanged")
            raise TokenUsed("This feedback token could be used once, and was; ask for a new one")

        kept = await self._database.whole.write(work)
        self._metrics.count_submission(body.key, kept.status)
        return kept


def _format_time(micros: int) -> str:
    """Return a time with milliseconds and a `Z`, EvalGuard's format."""
    time: datetime = EPOCH + timedelta(microseconds=micros)
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
