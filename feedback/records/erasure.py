"""Erasure and retention: permanent deletion of feedback, on request or by age.

Erasure deletes the feedback, its history, its annotations and reviews, and queued messages about it. Webhooks receive
the erased ids (`feedback.erased`), since receivers may have copies. URLs and sealed tokens of an erased run or thread
accept no more submissions (410). Later lists and exports show no trace of it; only the ids of those runs remain, denied
until no sealed token of them can be valid. Long work runs in transactions of `AT_ONCE` pieces of feedback, so that
others can write in between; after an interruption, a repetition continues it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import methodcaller
from typing import Any

import msgspec
from msgspec import Struct

from feedback.database import Connection, listed
from feedback.delivery.outbox import put_erased
from feedback.errors import Invalid
from feedback.projects.projects import denial_of_project
from feedback.projects.scoped_database import DEFAULT, ProjectConnection, ProjectDatabase, whole
from feedback.records.purge import delete_url_denials
from feedback.records.run_metadata import forget_metadata
from feedback.validation import check_name, run_name

logger = logging.getLogger("feedback")

AT_ONCE = 500
SWEEP_SECONDS = 3600.0
MAX_DAYS = 36_500
DAY = 86_400_000_000
EVERY_OTHER_KEY = ""
"""The stored name of the rule for all feedback keys without their own."""

DENIALS_DAYS = 366
"""How long revocations are stored; sealed tokens of that age have expired, by default."""
DENY = """INSERT INTO feedback_denial (project, id, run_id, ring_key, revoked_at)
VALUES (:project, :id, CAST(:run_id AS TEXT), NULL, now_us())
ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at"""
RUNS = """SELECT run_id FROM feedback WHERE project = :project AND {0}
UNION SELECT run_id FROM feedback_history WHERE project = :project AND {0}
UNION SELECT run_id FROM feedback_grant WHERE project = :project AND {0}"""
FORGET_MINTED = (
    "DELETE FROM feedback_minted WHERE project = :project AND substr(body, 1, CAST(:length AS INTEGER)) = :start"
)
FORGET_ALL_MINTED = "DELETE FROM feedback_minted WHERE project = :project"
KEEP = "INSERT INTO feedback_retention (project, key, days) VALUES (:project, :key, :days)"
FORGET_DENIALS = (
    "DELETE FROM feedback_denial WHERE ring_key IS NULL AND id NOT LIKE 'url %' AND revoked_at < now_us() - :age"
)
FORGET_ALL_URLS = "DELETE FROM feedback_denial WHERE project = :project AND id LIKE 'url %'"
BELONGINGS = ("feedback_annotation", "feedback_review", "feedback_outbox")
QUEUED = """DELETE FROM feedback_outbox WHERE EXISTS (SELECT 1 FROM feedback_history AS version
WHERE version.sequence IN {0} AND version.id = feedback_outbox.feedback_id
    AND feedback_outbox.created_at < version.replaced_at)"""
"""Messages about these versions, or older ones; newer messages may be about another subject's feedback."""
GRANTS = "SELECT id FROM feedback_grant WHERE project = :project AND"
RULES = "SELECT key, days FROM feedback_retention WHERE project = :project ORDER BY key"
EVER = -(2**62)
EXPIRED = "modified_at < now_us() - :age"
OLD = f"""SELECT id, created_at, CASE WHEN {EXPIRED} THEN 1 ELSE 0 END AS is_expired FROM feedback
WHERE project = :project AND {{0}} AND created_at < now_us() - :age AND (created_at, id) > (:at, :id)
ORDER BY created_at, id LIMIT :limit"""
UNRULED = """NOT EXISTS (SELECT 1 FROM feedback_retention AS rule
WHERE rule.project = {0}.project AND rule.key = {0}.key)"""


class Erased(Struct):
    """How much was erased: feedback, earlier versions of feedback, and grants of URLs."""

    feedback: int = 0
    history: int = 0
    grants: int = 0

    def add(self, more: Erased) -> None:
        """Add to the counts of feedback and versions."""
        self.feedback += more.feedback
        self.history += more.history


Drop = Callable[..., Erased]


class Erasure:
    """Erase feedback of one project."""

    def __init__(self, database: ProjectDatabase, sealed_days: int = 0) -> None:
        """`sealed_days` is the longest lifetime of sealed tokens."""
        self._database = database
        self._denials_days = max(sealed_days, DENIALS_DAYS)

    async def of_subject(self, subject: str, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback of this subject. `on_progress` receives the progress. Errors: `Invalid`."""
        return await self._erase("subject = :name", {"name": check_name("subject", subject)}, on_progress=on_progress)

    async def of_run(self, run_id: str, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback on the run; its tokens accept no more submissions. Errors: `Invalid`."""
        name = {"name": run_name("run", run_id)}
        await self._database.write(lambda db: _deny(db, name["name"]))
        return await self._erase("run_id = :name", name, with_grants=True, on_progress=on_progress)

    async def of_thread(self, thread_id: str, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback on the thread's runs; their tokens accept no more submissions. Errors: `Invalid`.

        Only runs that have feedback or URLs are known here; there is nothing to find others by.
        """
        name = {"name": check_name("thread", thread_id)}
        return await self._erase("thread_id = :name", name, with_grants=True, on_progress=on_progress)

    async def of_all(self, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback of the project; its URLs accept no more submissions."""
        denial = denial_of_project(self._database.project)
        grants = await self._database.write(lambda db: _close_all(db, denial))
        erased = await self._erase("1 = 1", {}, on_progress=on_progress)
        erased.grants = grants
        return erased

    async def _erase(
        self,
        condition: str,
        parameters: Mapping[str, Any],
        drops: Sequence[Drop] | None = None,
        with_grants: bool = False,
        on_progress: Callable[[Erased], None] | None = None,
    ) -> Erased:
        """Erase what matches the condition: grants first, so that no submission arrives afterwards."""
        erased = Erased()
        if with_grants:
            erased.grants = await self._database.write(lambda db: _close(db, condition, parameters))
        for drop in drops or (_drop_feedback, _drop_history):
            while True:
                more = await self._database.write(partial(drop, condition=condition, parameters=parameters))
                erased.feedback += more.feedback
                erased.history += more.history
                if on_progress is not None:
                    on_progress(erased)
                if more == Erased():
                    break
        return erased

    async def rules(self) -> dict[str, int]:
        """Return for how many days the feedback of each key is kept; the empty key is the rule for all others."""
        rows = await self._database.read(lambda db: db.all(RULES))
        return {row["key"]: row["days"] for row in rows}

    async def keep_for(self, key: str, days: int | None) -> None:
        """Keep the feedback of the key for this many days, or forever; the empty key is the rule for all others.

        Errors: `Invalid`.
        """
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise Invalid(f"`days` is {days}; feedback is stored for 1 to {MAX_DAYS} days, or with null for ever")
        name = check_name("key", key) if key else EVERY_OTHER_KEY

        def work(db: Connection) -> None:
            db.execute("DELETE FROM feedback_retention WHERE project = :project AND key = :key", key=name)
            if days is not None:
                db.execute(KEEP, key=name, days=days)

        await self._database.write(work)

    async def sweep(self) -> Erased:
        """Erase feedback older than its retention; its age counts from its last change."""
        rules, swept = await self.rules(), Erased()
        for key, days in rules.items():
            keys = "key = :key" if key else UNRULED
            parameters = {"age": days * DAY, **({"key": key} if key else {})}
            swept.add(await self._expire(keys, parameters))
            swept.add(await self._erase(f"{EXPIRED} AND {keys}", parameters, [_drop_history]))
            swept.add(
                await self._erase(f"{EXPIRED} AND created_at > modified_at AND {keys}", parameters, [_drop_feedback])
            )
        await self._database.whole.write(lambda db: db.execute(FORGET_DENIALS, age=self._denials_days * DAY))
        return swept

    async def _expire(self, keys: str, parameters: Mapping[str, Any]) -> Erased:
        """Erase current feedback that has expired, in one pass over what was created long enough ago.

        The pass uses the time of creation, which has an index, and is seldom later than that of the last change.
        """
        swept, after = Erased(), {"at": EVER, "id": ""}
        sql = OLD.format(keys.format("feedback"))
        while rows := await self._database.read(methodcaller("all", sql, **parameters, **after, limit=AT_ONCE)):
            chosen, names = listed("old", (row["id"] for row in rows if row["is_expired"]))
            if names:
                drop = partial(
                    _drop_feedback,
                    condition=f"{EXPIRED} AND id IN {chosen}",
                    parameters={"age": parameters["age"], **names},
                )
                swept.add(await self._database.write(drop))
            after = {"at": rows[-1]["created_at"], "id": rows[-1]["id"]}
        return swept


async def keep_sweeping(everyone: Callable[[], Awaitable[Iterable[Erasure]]], every: float = SWEEP_SECONDS) -> None:
    """Sweep every project regularly, until cancelled; several processes may do so."""
    while True:
        try:
            for one in await everyone():
                if (swept := await one.sweep()) != Erased():
                    logger.info(
                        "%d pieces of feedback and %d earlier versions have expired and are deleted",
                        swept.feedback,
                        swept.history,
                    )
        except Exception as error:  # the database may respond again later
            logger.warning("expired feedback was not deleted: %r", error)
        await asyncio.sleep(every)


def _drop_feedback(db: Connection, condition: str, parameters: Mapping[str, Any]) -> Erased:
    where = condition.format("feedback")
    rows = db.all(f"SELECT id, run_id FROM feedback WHERE project = :project AND {where} LIMIT {AT_ONCE}", **parameters)
    if not rows:
        return Erased()
    chosen, names = listed("id", (row["id"] for row in rows))
    everywhere = whole(db)
    for table in BELONGINGS:
        everywhere.execute(f"DELETE FROM {table} WHERE feedback_id IN {chosen}", **names)
    history = everywhere.execute(f"DELETE FROM feedback_history WHERE id IN {chosen}", **names)
    erased = Erased(everywhere.execute(f"DELETE FROM feedback WHERE id IN {chosen}", **names), history)
    forget_metadata(db, (row["run_id"] for row in rows))
    put_erased(everywhere, list(names.values()))
    return erased


def _drop_history(db: Connection, condition: str, parameters: Mapping[str, Any]) -> Erased:
    where = condition.format("feedback_history")
    sql = f"SELECT sequence, id, run_id FROM feedback_history WHERE project = :project AND {where} LIMIT {AT_ONCE}"
    rows = db.all(sql, **parameters)
    if not rows:
        return Erased()
    chosen, deleted = listed("id", (row["id"] for row in rows))
    everywhere = whole(db)
    for table in BELONGINGS:
        everywhere.execute(
            f"DELETE FROM {table} WHERE feedback_id IN {chosen} "
            f"AND NOT EXISTS (SELECT 1 FROM feedback WHERE feedback.id = {table}.feedback_id)",
            **deleted,
        )
    forget_metadata(db, (row["run_id"] for row in rows))
    sequences, versions = listed("at", (row["sequence"] for row in rows))
    everywhere.execute(QUEUED.format(sequences), **versions)
    sql = f"SELECT id FROM feedback WHERE id IN {chosen}"
    put_erased(everywhere, sorted(set(deleted.values()) - {row["id"] for row in everywhere.all(sql, **deleted)}))
    return Erased(0, everywhere.execute(f"DELETE FROM feedback_history WHERE sequence IN {sequences}", **versions))


def _close(db: Connection, condition: str, parameters: Mapping[str, Any]) -> int:
    """Revoke all tokens of the runs; return how many grants were deleted."""
    for row in db.all(RUNS.format(condition), **parameters):
        if row["run_id"] is not None:
            _deny(db, row["run_id"])
    grants = "SELECT id, key_count FROM feedback_grant WHERE project = :project AND"
    delete_url_denials(whole(db), db.all(f"{grants} {condition}", **parameters))
    return _drop_grants(db, condition, parameters)


def _close_all(db: Connection, denial: str) -> int:
    """Revoke all tokens that the project has issued until now; return how many grants were deleted."""
    db.execute(DENY, id=denial, run_id=None)
    db.execute(FORGET_ALL_MINTED)
    db.execute(FORGET_ALL_URLS)
    return _drop_grants(db, "1 = 1", {})


def _deny(db: Connection, run_id: str) -> None:
    """Revoke all sealed tokens that were minted for the run until now."""
    db.execute(DENY, id=_denial(db, run_id), run_id=run_id)
    start = "[" + msgspec.json.encode(run_id).decode() + ","
    db.execute(FORGET_MINTED, start=start, length=len(start))


def _denial(db: Connection, run_id: str) -> str:
    """Return the id of the run's denial; in `default` it is the same as before there were projects."""
    project = db.project if isinstance(db, ProjectConnection) else DEFAULT
    return f"run {run_id}" if project == DEFAULT else f"project-run {project} {run_id}"


def _drop_grants(db: Connection, condition: str, parameters: Mapping[str, Any]) -> int:
    db.execute(f"DELETE FROM feedback_use WHERE grant_id IN ({GRANTS} {condition})", **parameters)
    return db.execute(f"DELETE FROM feedback_grant WHERE project = :project AND {condition}", **parameters)
