"""FeedbackStore: stores, changes and lists feedback.

* The feedback key's policy says what a second submission of a subject (`user_id`) for the same run and key does.
  `replace`: it replaces the first, and keeps its id. `append`: both are stored. `first`: it is final; a second is
  rejected (409), unless it is equal: then it is `unchanged`, since its client may have lost the first response. Stored
  feedback keeps its policy when the feedback key's changes later.
* Anonymous submissions are all stored: equal ones may be from two users.
* A repeated request (same Idempotency-Key, or same `id`) changes nothing.
* Replaced, updated or deleted feedback goes to the history first, which is append-only.

So that concurrent requests agree, feedback is inserted first, and the unique indexes detect an existing row; a row is
locked (by an update) before it is read for a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from feedback.configs.feedback_config import FREE, FeedbackConfig, SubjectPolicy
from feedback.configs.key_configs import find_config_of_key, find_config_of_url
from feedback.database import Connection, Row
from feedback.delivery.outbox import put
from feedback.errors import Conflict, NotFound
from feedback.metrics import Metrics
from feedback.projects.scoped_database import ProjectDatabase, scope_to_project
from feedback.records.by_subject import SELECT, check_retractable, feedback_is_final, find_first, find_replaceable
from feedback.records.list_filter import FeedbackSearch
from feedback.records.plain import Known, Read, SubmissionCache, insert_plain, plain_row, read_for_plain
from feedback.records.run_metadata import keep_metadata
from feedback.rows import (
    ABOUT,
    COLUMNS,
    CONTENT,
    PLACE,
    build_created_row,
    build_patch_columns,
    build_place_columns,
    build_score_columns,
    build_submission_row,
    read_feedback,
)
from feedback.runs import NOTHING, NOWHERE, RunLookups, RunPlace
from feedback.schema import Feedback, FeedbackCreate, FeedbackPatch, FeedbackSubmission, SubmissionResult
from feedback.tokens.presigned import Grant, Pointer, claim, find_config_of_grant, give_back, is_used_up, use
from feedback.validation import parse_id

INSERT = f"""INSERT INTO feedback (adds_up, {", ".join(COLUMNS)})
VALUES (:adds_up, {", ".join(f":{name}" for name in COLUMNS[:-2])},
    COALESCE(CAST(:created_at AS BIGINT), now_us()), now_us())
ON CONFLICT DO NOTHING"""
BY_ID = f"{SELECT} WHERE project = :project AND id = :id"
REPEATED = """SELECT id FROM feedback WHERE project = :project AND idempotency = :idempotency
UNION ALL SELECT id FROM feedback_history WHERE project = :project AND idempotency = :idempotency LIMIT 1"""
ELSEWHERE = "SELECT 1 AS there FROM feedback WHERE project <> :project AND id = :id"
TAKE = "UPDATE feedback SET id = id WHERE project = :project AND id = :id"
REMEMBER = f"""INSERT INTO feedback_history ({", ".join(COLUMNS)}, replaced_at, reason)
SELECT {", ".join(COLUMNS)}, now_us(), CAST(:reason AS TEXT) FROM feedback
WHERE project = :project AND id = :id"""
REPLACED = (*ABOUT, *CONTENT, "grant_id", "grant_key", "idempotency")
REPLACE = f"""UPDATE feedback SET {", ".join(f"{name} = :{name}" for name in REPLACED)},
{", ".join(f"{name} = COALESCE(:{name}, {name})" for name in PLACE)}, modified_at = now_us(), review_status = NULL
WHERE project = :project AND id = :id"""
DELETE = "DELETE FROM feedback WHERE project = :project AND id = :id"


class FeedbackStore:
    """The feedback of one project; a submission through a token is stored in the token's project."""

    def __init__(
        self, database: ProjectDatabase, runs: RunLookups, metrics: Metrics, cache: SubmissionCache | None = None
    ) -> None:
        self._database = database
        self._runs = runs
        self._metrics = metrics
        self._cache = cache or SubmissionCache()

    async def submit(
        self,
        pointer: Pointer,
        submission: FeedbackSubmission,
        idempotency_key: str | None = None,
        may_change: bool = False,
    ) -> SubmissionResult:
        """Store feedback that came through a token; durable when this returns.

        With `may_change`, a submission with the `id` of stored feedback changes it: a user went back to the page.
        Errors: `TokenGone`, `Rejected` if the feedback key's configuration does not allow it, `Conflict` if `id` is
        taken.
        """
        kept = None
        if not idempotency_key and not may_change and (known := self._cache.grant(pointer)):
            kept = await self._submit_plain(known, submission)
        if kept is None:
            kept = await self._submit_stepwise(pointer, submission, idempotency_key, may_change)
        return kept

    async def _submit_plain(self, known: Known, submission: FeedbackSubmission) -> SubmissionResult | None:
        """Store the submission in one statement; return None if it is not plain, or something has changed."""
        grant, has_webhooks = known.grant, self._cache.has_webhooks
        place = grant if grant.assistant_id else await self._runs.place(grant.run_id, grant.project)
        row = plain_row(grant, place, self._cache.config(known), submission, self._cache.epoch)
        if row is None:
            return None
        metadata = await self._runs.metadata(grant.run_id, grant.project)

        def work(db: Connection) -> bool:
            if not insert_plain(db, row):
                return False
            use(db, grant)
            keep_metadata(scope_to_project(db, grant.project), grant.run_id, metadata)
            if has_webhooks:
                put(scope_to_project(db, grant.project), "feedback.created", row["id"])
            return True

        if not await self._database.whole.write(work):
            return None
        self._metrics.count_submission(grant.key, "created")
        return SubmissionResult(row["id"], "created")

    async def _submit_stepwise(
        self, pointer: Pointer, submission: FeedbackSubmission, idempotency_key: str | None, may_change: bool
    ) -> SubmissionResult:
        """Store the submission in one transaction that reads all it depends on, and cache what it read."""

        metadata = NOTHING

        def work(db: Connection, looked_up: RunPlace | None = None) -> tuple[Read, SubmissionResult | None]:
            read = read_for_plain(db, pointer)
            grant = read.grant
            place = grant if grant.assistant_id else looked_up
            if looked_up is None and self._runs.are_known and (place is None or self._runs.metadata_names):
                return read, None  # a transaction must not wait for the lookup of the run
            row = build_submission_row(grant, read.config, submission, idempotency_key) | build_place_columns(
                place or NOWHERE
            )
            own = scope_to_project(db, grant.project)
            keep_metadata(own, grant.run_id, metadata)
            return read, _store_row(own, grant, read.config, row, may_change)

        read, kept = await self._database.whole.write(work)
        if kept is None:
            looked_up = await self._runs.place(read.grant.run_id, read.grant.project)
            metadata = await self._runs.metadata(read.grant.run_id, read.grant.project)
            read, kept = await self._database.whole.write(lambda db: work(db, looked_up))
        assert kept is not None
        self._cache.remember(pointer, read)
        self._metrics.count_submission(read.grant.key, kept.status)
        return kept

    async def create(self, feedback: FeedbackCreate, idempotency_key: str | None = None) -> Feedback:
        """Store feedback that a program recorded; if its id exists, update that feedback."""
        new_row = build_created_row(feedback, idempotency_key)
        new_row |= structs.asdict(await self._runs.place(new_row["run_id"], self._database.project))
        metadata = await self._runs.metadata(new_row["run_id"], self._database.project)
        if own := feedback.feedback_config or feedback.feedback_config_js:
            own.validate()

        def work(db: Connection) -> tuple[SubmissionResult, Row | None]:
            config = find_config_of_key(db, feedback.key, own)
            kept = _store(
                db, new_row | build_score_columns(feedback, config), config.subject_policy, feedback.id is not None
            )
            keep_metadata(db, new_row["run_id"], metadata)
            return kept, db.one(BY_ID, id=kept.id)

        kept, row = await self._database.write(work)
        if row is None:
            raise Conflict("The feedback was deleted by another request at the same time; send it again")
        self._metrics.count_submission(feedback.key, kept.status)
        return read_feedback(row)

    async def get(self, feedback_id: str) -> Feedback:
        """Return the feedback with this id. Errors: `NotFound`."""
        row = await self._database.read(lambda db: db.one(BY_ID, id=parse_id("feedback_id", feedback_id)))
        if row is None:
            raise _build_not_found(feedback_id)
        return read_feedback(row)

    async def update(self, feedback_id: str, patch: FeedbackPatch) -> Feedback:
        """Change the feedback and return it. Errors: `NotFound`."""
        name = parse_id("feedback_id", feedback_id)

        def work(db: Connection) -> tuple[bool, Row | None]:
            if not db.execute(TAKE, id=name) or (row := db.one(BY_ID, id=name)) is None:
                return False, None
            changed = _replace(
                db, row, {**row, **build_patch_columns(row, patch, _find_config(db, row, patch))}, "updated"
            )
            return changed, db.one(BY_ID, id=name)

        changed, row = await self._database.write(work)
        if row is None:
            raise _build_not_found(feedback_id)
        self._metrics.count_submission(row["key"], "updated" if changed else "unchanged")
        return read_feedback(row)

    async def delete(self, feedback_id: str) -> None:
        """Move the feedback to the history. Errors: `NotFound`."""
        name = parse_id("feedback_id", feedback_id)

        def work(db: Connection) -> Row | None:
            db.execute(TAKE, id=name)
            row = db.one(BY_ID, id=name)
            return row if row and drop(db, name, "deleted") else None

        if (row := await self._database.write(work)) is None:
            raise _build_not_found(feedback_id)
        self._metrics.count_submission(row["key"], "deleted")

    async def open(self, pointer: Pointer) -> Grant:
        """Return what the token allows now, with the feedback key's configuration by default. Errors: `TokenGone`."""

        def work(db: Connection) -> Grant:
            grant = claim(db, pointer)
            config = find_config_of_url(scope_to_project(db, grant.project), grant.key, grant.config)
            own = None if config is FREE else config
            return structs.replace(grant, config=own, is_used_up=is_used_up(db, grant))

        return await self._database.whole.read(work)

    async def retract(self, pointer: Pointer, feedback_id: str) -> None:
        """Move feedback that came through this token to the history; if it is gone already, do nothing.

        Errors: `TokenGone`; `NotFound` if it came through another token; `FeedbackIsFinal`.
        """
        name = parse_id("undo", feedback_id)

        def work(everywhere: Connection) -> str | None:
            grant = claim(everywhere, pointer)
            db = scope_to_project(everywhere, grant.project)
            db.execute(TAKE, id=name)
            if (row := db.one(BY_ID, id=name)) is None:
                return None
            if (row["grant_id"], row["grant_key"]) != (grant.id, grant.place):
                raise _build_not_found(name)
            check_retractable(db, grant, row)
            drop(db, name, "retracted")
            give_back(db, grant.id, grant.place)
            return grant.key

        if (key := await self._database.whole.write(work)) is not None:
            self._metrics.count_submission(key, "retracted")

    async def search(self, wanted: FeedbackSearch) -> list[Feedback]:
        """Return the matching feedback, newest first."""
        where, parameters = wanted.sql()
        sql = f"{SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset"
        return [read_feedback(row) for row in await self._database.read(lambda db: db.all(sql, **parameters))]


def store_submission(
    db: Connection,
    grant: Grant,
    submission: FeedbackSubmission,
    idempotency_key: str | None,
    place: Mapping[str, Any],
    may_change: bool = False,
) -> SubmissionResult:
    """Store a submission through a token, in the transaction that claimed its grant.

    Errors: `Rejected`, `Conflict`, `FeedbackIsFinal`, and `TokenUsed` if the grant has no uses left.
    """
    db = scope_to_project(db, grant.project)
    config = find_config_of_url(db, grant.key, grant.config)
    row = build_submission_row(grant, config, submission, idempotency_key) | dict(place)
    return _store_row(db, grant, config, row, may_change)


def _store_row(
    db: Connection, grant: Grant, config: FeedbackConfig, row: dict[str, Any], may_change: bool
) -> SubmissionResult:
    kept = _store(db, row, config.subject_policy, may_change)
    if kept.status == "created":
        use(db, grant)
    kept.is_final = config.subject_policy == "first" and row["subject"] is not None
    return kept


def _find_config(db: Connection, row: Row, patch: FeedbackPatch) -> FeedbackConfig:
    """Return the configuration for the changed feedback: that of the URL it came through, or the feedback key's."""
    return find_config_of_grant(db, row["grant_id"], row["grant_key"]) or find_config_of_key(
        db, row["key"], patch.feedback_config or None
    )


def _store(
    db: Connection, new_row: dict[str, Any], policy: SubjectPolicy | None, update: bool = False
) -> SubmissionResult:
    """Insert the feedback; or find what it repeats (unchanged), replaces (updated), or conflicts with."""
    is_named = new_row["subject"] is not None
    row = {**new_row, "adds_up": int(is_named and policy == "append")}
    # A row that INSERT conflicts with may be replaced or retracted before it is read, and another transaction may add
    # its successor. Each try sees what was committed meanwhile; three failures mean constant contention.
    for _ in range(3):
        if new_row["idempotency"] and (earlier := db.one(REPEATED, idempotency=new_row["idempotency"])):
            return SubmissionResult(earlier["id"], "unchanged")
        is_final = is_named and policy == "first" and find_first(db, new_row) is not None
        if not is_final and db.execute(INSERT, **row):
            put(db, "feedback.created", new_row["id"])
            return SubmissionResult(new_row["id"], "created")
        if kept := _resolve_existing(db, new_row, policy, update):
            return kept
    if db.one(ELSEWHERE, id=new_row["id"]):
        raise Conflict("`id` is the id of other feedback; leave it out, or make a new one")
    raise Conflict("Other requests kept changing this feedback; send the submission again")


def _resolve_existing(
    db: Connection, new_row: dict[str, Any], policy: SubjectPolicy | None, update: bool
) -> SubmissionResult | None:
    """Resolve a submission whose id exists, or whose subject has feedback; None if that has just been deleted."""
    if row := db.one(BY_ID, id=new_row["id"]):
        is_final = policy == "first" and new_row["subject"] is not None and new_row["grant_id"] is not None
        return _check_final(row, new_row) if update and is_final else _repeat_submission(db, row, new_row, update)
    if new_row["subject"] is None:
        return None
    if policy == "first":
        return _check_final(row, new_row) if (row := find_first(db, new_row)) else None
    row = find_replaceable(db, new_row)
    return _supersede(db, row["id"], new_row) if row else None


def _repeat_submission(db: Connection, row: Row, new_row: dict[str, Any], update: bool) -> SubmissionResult | None:
    """Resolve a submission whose id exists."""
    is_programs = update and new_row["grant_id"] is None
    if not is_programs and (row["grant_id"], row["grant_key"]) != (new_row["grant_id"], new_row["grant_key"]):
        raise Conflict("`id` is the id of other feedback; leave it out, or make a new one")
    return _supersede(db, row["id"], new_row) if update else SubmissionResult(row["id"], "unchanged")


def _check_final(row: Row, new_row: Mapping[str, Any]) -> SubmissionResult:
    """Return the first feedback as unchanged if the submission is equal. Errors: `FeedbackIsFinal`."""
    if not _is_same(row, new_row):
        raise feedback_is_final(row)
    return SubmissionResult(row["id"], "unchanged")


def _supersede(db: Connection, feedback_id: str, new_row: dict[str, Any]) -> SubmissionResult | None:
    """Replace the feedback with this id by the submission; None if that has just been deleted."""
    if not db.execute(TAKE, id=feedback_id) or (row := db.one(BY_ID, id=feedback_id)) is None:
        return None
    changed = _replace(db, row, new_row, "replaced")
    return SubmissionResult(feedback_id, "updated" if changed else "unchanged")


def drop(db: Connection, feedback_id: str, reason: str) -> int:
    """Move the feedback to the history; return 1 if it existed, else 0."""
    put(db, "feedback.deleted", feedback_id)
    db.execute(REMEMBER, id=feedback_id, reason=reason)
    return db.execute(DELETE, id=feedback_id)


def _replace(db: Connection, row: Row, new_row: Mapping[str, Any], reason: str) -> bool:
    """Move the row to the history and replace it, unless the submission is equal; return whether it changed."""
    if _is_same(row, new_row):
        return False
    db.execute(REMEMBER, id=row["id"], reason=reason)
    db.execute(REPLACE, id=row["id"], **_select_names(new_row, *REPLACED, *PLACE))
    put(db, "feedback.updated", row["id"])
    return True


def _is_same(row: Row, new_row: Mapping[str, Any]) -> bool:
    return all(row[name] == new_row[name] for name in (*ABOUT, *CONTENT))


def _select_names(new_row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: new_row[name] for name in names}


def _build_not_found(feedback_id: str) -> NotFound:
    return NotFound(f"There is no feedback with the id {feedback_id[:64]}; it may have been deleted")
