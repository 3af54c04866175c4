"""FeedbackStore: the answers, and the rules by which they are kept.

* An answer of a subject (`user_id`) replaces that subject's earlier answer for the same run and key, and keeps its id.
* Anonymous answers add up: equal ones may be two people's.
* A request that is repeated (same Idempotency-Key, or same `id`) changes nothing.
* What is replaced, updated or deleted goes to the history first, which is only ever added to.

So that concurrent requests agree, an answer is inserted first, and the unique indexes say whether it was there; a row
is taken (by updating it) before it is read in order to be changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import uuid_utils
from msgspec import UNSET, structs

from feedback.config import FREE, Score, Value
from feedback.database import Connection, Database, Row
from feedback.errors import Conflict, NotFound
from feedback.limits import from_micros, is_id, parse_id, parse_time, run_name, to_micros
from feedback.runs import NOWHERE, KnownRuns
from feedback.schema import Feedback, FeedbackCreate, FeedbackPatch, FeedbackSource, FeedbackSubmission, Kept
from feedback.search import FeedbackSearch
from feedback.tokens import Grant, Pointer, claim

SAID = ("number", "score", "value", "comment", "correction", "metadata", "extra", "source")
"""The columns that hold what was said."""
ABOUT = (
    "run_id",
    "trace_id",
    "session_id",
    "start_time",
    "comparative_experiment_id",
    "feedback_group_id",
    "key",
    "subject",
)
"""The columns that hold what it was said about, and by whom."""
PLACE = ("thread_id", "assistant_id", "assistant_version")
"""The columns that hold where its run belongs."""
COLUMNS = ("id", *ABOUT, *SAID, *PLACE, "grant_id", "grant_key", "idempotency", "created_at", "modified_at")

INSERT = f"""INSERT INTO feedback ({", ".join(COLUMNS)})
VALUES ({", ".join(f":{name}" for name in COLUMNS[:-2])}, COALESCE(CAST(:created_at AS BIGINT), now_us()), now_us())
ON CONFLICT DO NOTHING"""
SELECT = f"SELECT {', '.join(COLUMNS)} FROM feedback"
BY_ID = f"{SELECT} WHERE id = :id"
BY_SUBJECT = f"{SELECT} WHERE run_id = :run_id AND key = :key AND subject = :subject"
REPEATED = """SELECT id FROM feedback WHERE idempotency = :idempotency
UNION ALL SELECT id FROM feedback_history WHERE idempotency = :idempotency LIMIT 1"""
TAKE = "UPDATE feedback SET id = id WHERE id = :id"
REMEMBER = f"""INSERT INTO feedback_history ({", ".join(COLUMNS)}, replaced_at, reason)
SELECT {", ".join(COLUMNS)}, now_us(), CAST(:reason AS TEXT) FROM feedback WHERE id = :id"""
REPLACED = (*ABOUT, *SAID, "grant_id", "grant_key", "idempotency")
REPLACE = f"""UPDATE feedback SET {", ".join(f"{name} = :{name}" for name in REPLACED)},
{", ".join(f"{name} = COALESCE(:{name}, {name})" for name in PLACE)}, modified_at = now_us() WHERE id = :id"""
DELETE = "DELETE FROM feedback WHERE id = :id"
RUN_OF_GRANT = "SELECT run_id, thread_id, assistant_id, assistant_version FROM feedback_grant WHERE id = :id"


class FeedbackStore:
    """The answers of one feedback database."""

    def __init__(self, database: Database, runs: KnownRuns) -> None:
        self._database = database
        self._runs = runs

    async def submit(
        self, pointer: Pointer, submission: FeedbackSubmission, idempotency_key: str | None = None
    ) -> Kept:
        """Keep an answer that came through a token; durable when this returns. One unit of work.

        Errors: `TokenGone`, `Rejected` where the key's configuration does not allow it, `Conflict` where `id` is taken.
        """

        place = await self._place(pointer)

        def work(db: Connection) -> Kept:
            return _keep(db, _answer(claim(db, pointer), submission, idempotency_key) | place)

        return await self._database.write(work)

    async def _place(self, pointer: Pointer) -> dict[str, Any]:
        """Where the token's run belongs, asked before the unit of work, which must wait for nobody."""
        if not self._runs.are_known:
            return structs.asdict(NOWHERE)
        row = await self._database.read(lambda db: db.one(RUN_OF_GRANT, id=pointer.grant))
        if row is not None and row["assistant_id"] is not None:
            return _named(row, *PLACE)
        return structs.asdict(await self._runs.place(row["run_id"] if row else None))

    async def create(self, feedback: FeedbackCreate, idempotency_key: str | None = None) -> Feedback:
        """Keep feedback that a program recorded; one that has the id already is brought up to date."""
        answer = _created(feedback, idempotency_key)
        answer |= structs.asdict(await self._runs.place(answer["run_id"]))

        def work(db: Connection) -> Row | None:
            return db.one(BY_ID, id=_keep(db, answer, update=feedback.id is not None).id)

        if (row := await self._database.write(work)) is None:
            raise Conflict("The feedback was deleted by another request at the same time; send it again")
        return feedback_of(row)

    async def get(self, feedback_id: str) -> Feedback:
        """The answer with this id; `NotFound` where there is none."""
        row = await self._database.read(lambda db: db.one(BY_ID, id=parse_id("feedback_id", feedback_id)))
        if row is None:
            raise _missing(feedback_id)
        return feedback_of(row)

    async def update(self, feedback_id: str, patch: FeedbackPatch) -> Feedback:
        """The answer after the change; `NotFound` where there is none."""
        name = parse_id("feedback_id", feedback_id)

        def work(db: Connection) -> Row | None:
            if not db.execute(TAKE, id=name) or (row := db.one(BY_ID, id=name)) is None:
                return None
            _replace(db, row, {**row, **_patched(row, patch)}, "updated")
            return db.one(BY_ID, id=name)

        if (row := await self._database.write(work)) is None:
            raise _missing(feedback_id)
        return feedback_of(row)

    async def delete(self, feedback_id: str) -> None:
        """The answer is in the history only; `NotFound` where there was none."""
        name = parse_id("feedback_id", feedback_id)

        def work(db: Connection) -> int:
            db.execute(TAKE, id=name)
            db.execute(REMEMBER, id=name, reason="deleted")
            return db.execute(DELETE, id=name)

        if not await self._database.write(work):
            raise _missing(feedback_id)

    async def search(self, wanted: FeedbackSearch) -> list[Feedback]:
        """The answers that fit, newest first."""
        where, parameters = wanted.sql()
        sql = f"{SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset"
        return [feedback_of(row) for row in await self._database.read(lambda db: db.all(sql, **parameters))]


def _keep(db: Connection, answer: dict[str, Any], update: bool = False) -> Kept:
    """Insert the answer, or find the one that it repeats (unchanged) or replaces (updated)."""
    for _ in range(3):
        if answer["idempotency"] and (earlier := db.one(REPEATED, idempotency=answer["idempotency"])):
            return Kept(earlier["id"], "unchanged")
        if db.execute(INSERT, **answer):
            return Kept(answer["id"], "created")
        if row := db.one(BY_ID, id=answer["id"]):
            return _meet(db, row, answer, update)
        if answer["subject"] is not None and (row := db.one(BY_SUBJECT, **_named(answer, "run_id", "key", "subject"))):
            return _supersede(db, row["id"], answer)
    raise Conflict("The answer was being changed by another request all the while; send it again")


def _meet(db: Connection, row: Row, answer: dict[str, Any], update: bool) -> Kept:
    """What becomes of an answer whose id is there already."""
    if update:
        return _supersede(db, row["id"], answer)
    if (row["grant_id"], row["grant_key"]) != (answer["grant_id"], answer["grant_key"]):
        raise Conflict("`id` is the id of another answer; leave it out, or make a new one")
    return Kept(row["id"], "unchanged")


def _supersede(db: Connection, feedback_id: str, answer: dict[str, Any]) -> Kept:
    """Put the answer in the place of the one with this id."""
    if not db.execute(TAKE, id=feedback_id) or (row := db.one(BY_ID, id=feedback_id)) is None:
        return _keep(db, answer)
    changed = _replace(db, row, answer, "replaced")
    return Kept(feedback_id, "updated" if changed else "unchanged")


def _replace(db: Connection, row: Row, answer: Mapping[str, Any], reason: str) -> bool:
    """Whether the answer says anything else than the row, which is then remembered and replaced."""
    if all(row[name] == answer[name] for name in (*ABOUT, *SAID)):
        return False
    db.execute(REMEMBER, id=row["id"], reason=reason)
    db.execute(REPLACE, id=row["id"], **_named(answer, *REPLACED, *PLACE))
    return True


def _named(answer: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: answer[name] for name in names}


def _answer(grant: Grant, submission: FeedbackSubmission, idempotency_key: str | None) -> dict[str, Any]:
    """The row of an answer that came through a token."""
    source = FeedbackSource("api", submission.metadata, submission.user_id)
    return {
        **dict.fromkeys(ABOUT),
        **_said(*(grant.config or FREE).check(submission.score, submission.value)),
        "id": submission.id or str(uuid_utils.uuid7()),
        "run_id": grant.run_id,
        "trace_id": grant.run_id if is_id(grant.run_id) else None,
        "key": grant.key,
        "subject": submission.user_id,
        "comment": submission.comment,
        "correction": _json(submission.correction),
        "metadata": _json(submission.metadata),
        "extra": None,
        "source": source.type,
        "grant_id": grant.id,
        "grant_key": grant.place,
        "idempotency": _idempotency(f"token {grant.id} {grant.place}", idempotency_key),
        "created_at": None,
    }


def _created(feedback: FeedbackCreate, idempotency_key: str | None) -> dict[str, Any]:
    """The row of feedback that a program recorded."""
    config = feedback.feedback_config or feedback.feedback_config_js or FREE
    config.validate()
    source = feedback.feedback_source or FeedbackSource()
    runs = {name: getattr(feedback, name) for name in ("run_id", "trace_id", "session_id")}
    return {
        **{name: text and run_name(name, text) for name, text in runs.items()},
        **_said(*config.check(feedback.score, feedback.value)),
        "id": feedback.id or str(uuid_utils.uuid7()),
        "start_time": feedback.start_time,
        "comparative_experiment_id": feedback.comparative_experiment_id,
        "feedback_group_id": feedback.feedback_group_id,
        "key": feedback.key,
        "subject": source.user_id,
        "comment": feedback.comment,
        "correction": _json(feedback.correction),
        "metadata": _json(source.metadata),
        "extra": _json(feedback.extra),
        "source": source.type,
        "grant_id": None,
        "grant_key": None,
        "idempotency": _idempotency("api", idempotency_key),
        "created_at": to_micros(parse_time("created_at", feedback.created_at)) if feedback.created_at else None,
    }


def _patched(row: Row, patch: FeedbackPatch) -> dict[str, Any]:
    """The columns that the patch changes."""
    changes: dict[str, Any] = {}
    if patch.comment is not UNSET:
        changes["comment"] = patch.comment
    if patch.correction is not UNSET:
        changes["correction"] = _json(patch.correction)
    if patch.score is not UNSET or patch.value is not UNSET:
        score = _read(row["score"]) if patch.score is UNSET else patch.score
        value = _read(row["value"]) if patch.value is UNSET else patch.value
        changes |= _said(*(patch.feedback_config or FREE).check(score, value))
    return changes


def _said(score: Score, value: Value) -> dict[str, Any]:
    number = None if score is None else float(score)
    return {"number": number, "score": _json(score), "value": _json(value)}


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _read(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _idempotency(scope: str, key: str | None) -> str | None:
    return None if not key else hashlib.sha256(f"{scope}\0{key}".encode()).hexdigest()[:32]


def feedback_of(row: Mapping[str, Any]) -> Feedback:
    """The answer in a row of `COLUMNS`, as the wire shows it."""
    run_id = row["run_id"]
    return Feedback(
        id=row["id"],
        created_at=from_micros(row["created_at"]),
        modified_at=from_micros(row["modified_at"]),
        run_id=run_id if is_id(run_id) else None,
        trace_id=row["trace_id"] if is_id(row["trace_id"]) else None,
        run_name=None if is_id(run_id) else run_id,
        session_id=row["session_id"] if is_id(row["session_id"]) else None,
        start_time=row["start_time"],
        key=row["key"],
        score=_read(row["score"]),
        value=_read(row["value"]),
        comment=row["comment"],
        correction=_read(row["correction"]),
        feedback_source=FeedbackSource(row["source"], _read(row["metadata"]) or {}, row["subject"]),
        extra=_read(row["extra"]),
        feedback_group_id=row["feedback_group_id"],
        comparative_experiment_id=row["comparative_experiment_id"],
        thread_id=row["thread_id"],
        assistant_id=row["assistant_id"],
        assistant_version=row["assistant_version"],
    )


def _missing(feedback_id: str) -> NotFound:
    return NotFound(f"There is no feedback with the id {feedback_id[:64]}; it may have been deleted")
