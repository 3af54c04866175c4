"""Erasure: answers that are to be gone, and the end of the time for which they are kept.

Erased is everything that was said: the answer, its history, what a team noted on it, and messages about it that are
still on their way. Webhooks are told the ids of what is gone (`feedback.erased`), for they may have kept it. URLs and
sealed tokens of a run or a thread that is erased take no more answers (410). Nothing remains that tells of it, so that
every list and export made later is without it, but for the ids of those runs, which are denied until no sealed token
can be left of them. Long work is done in units of `AT_ONCE` answers, so that others can write in between; if it is
broken off, it is done again from where it stopped.
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
from feedback.validation import check_name, run_name

logger = logging.getLogger("feedback")

AT_ONCE = 500
SWEEP_SECONDS = 3600.0
MAX_DAYS = 36_500
DAY = 86_400_000_000
EVERY_OTHER_KEY = ""
"""How the key that stands for all without a rule of their own is kept."""

DENIALS_DAYS = 366
"""For how long it is remembered that tokens were taken back; sealed ones of that age have expired, by default."""
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
FORGET_URLS = """DELETE FROM feedback_denial WHERE EXISTS (SELECT 1 FROM feedback_grant
WHERE project = :project AND {0} AND feedback_denial.id LIKE 'url ' || CAST(feedback_grant.id AS TEXT) || ' %')"""
BELONGINGS = ("feedback_annotation", "feedback_review", "feedback_outbox")
TOLD = """DELETE FROM feedback_outbox WHERE EXISTS (SELECT 1 FROM feedback_history AS version
WHERE version.sequence IN {0} AND version.id = feedback_outbox.feedback_id
    AND feedback_outbox.created_at < version.replaced_at)"""
"""Messages that tell of these versions, or of older ones; what is told of the answer since may be somebody else's."""
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
    """What is gone: answers, versions of answers that had been replaced or deleted before, and grants of URLs."""

    answers: int = 0
    history: int = 0
    grants: int = 0

    def add(self, more: Erased) -> None:
        """Count more that is gone."""
        self.answers += more.answers
        self.history += more.history


Drop = Callable[..., Erased]


class Erasure:
    """Takes answers of one project out of the database, for good."""

    def __init__(self, database: ProjectDatabase, sealed_days: int = 0) -> None:
        """`sealed_days` is for how long sealed tokens live at most."""
        self._database = database
        self._denials_days = max(sealed_days, DENIALS_DAYS)

    async def of_subject(self, subject: str, tell: Callable[[Erased], None] | None = None) -> Erased:
        """All that this person said is gone. `tell` hears of progress. Errors: `Invalid`."""
        return await self._erase("subject = :name", {"name": check_name("subject", subject)}, tell=tell)

    async def of_run(self, run_id: str, tell: Callable[[Erased], None] | None = None) -> Erased:
        """All that was said about the run is gone, and its tokens take no more answers. Errors: `Invalid`."""
        name = {"name": run_name("run", run_id)}
        await self._database.write(lambda db: _deny(db, name["name"]))
        return await self._erase("run_id = :name", name, with_grants=True, tell=tell)

    async def of_thread(self, thread_id: str, tell: Callable[[Erased], None] | None = None) -> Erased:
        """All that was said about the thread's runs is gone, and their tokens take no more answers. Errors: `Invalid`.

        Its runs are those that were answered, or have URLs; others leave nothing here to be known by.
        """
        name = {"name": check_name("thread", thread_id)}
        return await self._erase("thread_id = :name", name, with_grants=True, tell=tell)

    async def of_all(self, tell: Callable[[Erased], None] | None = None) -> Erased:
        """All that was ever said in the project is gone, and its URLs take no more answers."""
        denial = denial_of_project(self._database.project)
        grants = await self._database.write(lambda db: _close_all(db, denial))
        erased = await self._erase("1 = 1", {}, tell=tell)
        erased.grants = grants
        return erased

    async def _erase(
        self,
        condition: str,
        parameters: Mapping[str, Any],
        drops: Sequence[Drop] | None = None,
        with_grants: bool = False,
        tell: Callable[[Erased], None] | None = None,
    ) -> Erased:
        """What fits the condition is gone: grants first, so that no answer comes in behind."""
        erased = Erased()
        if with_grants:
            erased.grants = await self._database.write(lambda db: _close(db, condition, parameters))
        for drop in drops or (_drop_answers, _drop_history):
            while True:
                more = await self._database.write(partial(drop, condition=condition, parameters=parameters))
                erased.answers += more.answers
                erased.history += more.history
                if tell is not None:
                    tell(erased)
                if more == Erased():
                    break
        return erased

    async def rules(self) -> dict[str, int]:
        """For how many days the answers of each key are kept; the empty key stands for all others."""
        rows = await self._database.read(lambda db: db.all(RULES))
        return {row["key"]: row["days"] for row in rows}

    async def keep_for(self, key: str, days: int | None) -> None:
        """The key's answers are kept for so many days, or without an end; the empty key stands for all others."""
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise Invalid(f"`days` is {days}; answers are kept for 1 to {MAX_DAYS} days, or with null for ever")
        name = check_name("key", key) if key else EVERY_OTHER_KEY

        def work(db: Connection) -> None:
            db.execute("DELETE FROM feedback_retention WHERE project = :project AND key = :key", key=name)
            if days is not None:
                db.execute(KEEP, key=name, days=days)

        await self._database.write(work)

    async def sweep(self) -> Erased:
        """What is older than it is to be kept is gone; an answer is as old as what it says now."""
        rules, swept = await self.rules(), Erased()
        for key, days in rules.items():
            whose = "key = :key" if key else UNRULED
            parameters = {"age": days * DAY, **({"key": key} if key else {})}
            swept.add(await self._expire(whose, parameters))
            swept.add(await self._erase(f"{EXPIRED} AND {whose}", parameters, [_drop_history]))
            swept.add(
                await self._erase(f"{EXPIRED} AND created_at > modified_at AND {whose}", parameters, [_drop_answers])
            )
        await self._database.whole.write(lambda db: db.execute(FORGET_DENIALS, age=self._denials_days * DAY))
        return swept

    async def _expire(self, whose: str, parameters: Mapping[str, Any]) -> Erased:
        """Erase current feedback that has expired, in one pass over what was created long enough ago.

        It is found by its time of creation, which has an index, and is seldom later than that of its last change.
        """
        swept, after = Erased(), {"at": EVER, "id": ""}
        sql = OLD.format(whose.format("feedback"))
        while rows := await self._database.read(methodcaller("all", sql, **parameters, **after, limit=AT_ONCE)):
            chosen, names = listed("old", (row["id"] for row in rows if row["is_expired"]))
            if names:
                drop = partial(
                    _drop_answers,
                    condition=f"{EXPIRED} AND id IN {chosen}",
                    parameters={"age": parameters["age"], **names},
                )
                swept.add(await self._database.write(drop))
            after = {"at": rows[-1]["created_at"], "id": rows[-1]["id"]}
        return swept


async def keep_sweeping(everyone: Callable[[], Awaitable[Iterable[Erasure]]], every: float = SWEEP_SECONDS) -> None:
    """Sweep every project, again and again, until cancelled; several processes may each."""
    while True:
        try:
            for one in await everyone():
                if (swept := await one.sweep()) != Erased():
                    logger.info("%d answers and %d earlier ones were past their time", swept.answers, swept.history)
        except Exception as error:  # a database that does not answer now will, later
            logger.warning("answers past their time were not swept: %r", error)
        await asyncio.sleep(every)


def _drop_answers(db: Connection, condition: str, parameters: Mapping[str, Any]) -> Erased:
    where = condition.format("feedback")
    rows = db.all(f"SELECT id FROM feedback WHERE project = :project AND {where} LIMIT {AT_ONCE}", **parameters)
    if not rows:
        return Erased()
    chosen, names = listed("id", (row["id"] for row in rows))
    everywhere = whole(db)
    for table in BELONGINGS:
        everywhere.execute(f"DELETE FROM {table} WHERE feedback_id IN {chosen}", **names)
    history = everywhere.execute(f"DELETE FROM feedback_history WHERE id IN {chosen}", **names)
    erased = Erased(everywhere.execute(f"DELETE FROM feedback WHERE id IN {chosen}", **names), history)
    put_erased(everywhere, list(names.values()))
    return erased


def _drop_history(db: Connection, condition: str, parameters: Mapping[str, Any]) -> Erased:
    where = condition.format("feedback_history")
    sql = f"SELECT sequence, id FROM feedback_history WHERE project = :project AND {where} LIMIT {AT_ONCE}"
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
    sequences, versions = listed("at", (row["sequence"] for row in rows))
    everywhere.execute(TOLD.format(sequences), **versions)
    sql = f"SELECT id FROM feedback WHERE id IN {chosen}"
    put_erased(everywhere, sorted(set(deleted.values()) - {row["id"] for row in everywhere.all(sql, **deleted)}))
    return Erased(0, everywhere.execute(f"DELETE FROM feedback_history WHERE sequence IN {sequences}", **versions))


def _close(db: Connection, condition: str, parameters: Mapping[str, Any]) -> int:
    """No token of the runs takes any more answers; how many grants are gone."""
    for row in db.all(RUNS.format(condition), **parameters):
        if row["run_id"] is not None:
            _deny(db, row["run_id"])
    return _drop_grants(db, condition, parameters)


def _close_all(db: Connection, denial: str) -> int:
    """No token of the project that was issued until now takes any more answers; how many grants are gone."""
    db.execute(DENY, id=denial, run_id=None)
    db.execute(FORGET_ALL_MINTED)
    return _drop_grants(db, "1 = 1", {})


def _deny(db: Connection, run_id: str) -> None:
    """No sealed token that was made for the run until now takes any more answers."""
    db.execute(DENY, id=_denial(db, run_id), run_id=run_id)
    start = "[" + msgspec.json.encode(run_id).decode() + ","
    db.execute(FORGET_MINTED, start=start, length=len(start))


def _denial(db: Connection, run_id: str) -> str:
    """What the run's denial is called: what it was before there were projects, in `default`."""
    project = db.project if isinstance(db, ProjectConnection) else DEFAULT
    return f"run {run_id}" if project == DEFAULT else f"project-run {project} {run_id}"


def _drop_grants(db: Connection, condition: str, parameters: Mapping[str, Any]) -> int:
    db.execute(FORGET_URLS.format(condition), **parameters)
    db.execute(f"DELETE FROM feedback_use WHERE grant_id IN ({GRANTS} {condition})", **parameters)
    return db.execute(f"DELETE FROM feedback_grant WHERE project = :project AND {condition}", **parameters)
