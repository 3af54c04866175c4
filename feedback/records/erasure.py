"""Erasure and retention: permanent deletion of feedback, on request or by age.

Erasure deletes the feedback, its history, its annotations and reviews, queued messages about it, and the examples of
LangSmith's datasets that were copied from its runs; retention leaves those. Webhooks receive the erased ids
(`feedback.erased`), since receivers may have copies. URLs and sealed tokens of an erased run or thread
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

from msgspec import Struct

from feedback.database import Connection, build_in_list
from feedback.delivery.outbox import put_erased
from feedback.errors import Invalid
from feedback.projects.projects import derive_project_denial
from feedback.projects.scoped_database import ProjectDatabase, get_unscoped
from feedback.records.closing import close, close_all, deny
from feedback.records.run_copies import delete_copies
from feedback.records.run_metadata import forget_metadata
from feedback.validation import check_name, run_name

logger = logging.getLogger("feedback")

AT_ONCE = {"sqlite": 50, "postgres": 500}
"""The number of pieces of feedback that one transaction erases.

On SQLite each changes about nine pages, and other writes wait for the transaction. One that changes more than the 500
pages of the cache also computes the checksums of its log twice. On PostgreSQL nothing waits, but round trips cost.
"""
READ_AT_ONCE = 500
SWEEP_SECONDS = 3600.0
MAX_DAYS = 36_500
DAY = 86_400_000_000
EVERY_OTHER_KEY = ""
"""The stored name of the rule for all feedback keys without their own."""

DENIALS_DAYS = 366
"""How long revocations are stored; sealed tokens of that age have expired, by default."""
KEEP = "INSERT INTO feedback_retention (project, key, days) VALUES (:project, :key, :days)"
FORGET_DENIALS = (
    "DELETE FROM feedback_denial WHERE ring_key IS NULL AND id NOT LIKE 'url %' AND revoked_at < now_us() - :age"
)
BELONGINGS = ("feedback_annotation", "feedback_review", "feedback_outbox")
QUEUED = """DELETE FROM feedback_outbox WHERE EXISTS (SELECT 1 FROM feedback_history AS version
WHERE version.sequence IN {0} AND version.id = feedback_outbox.feedback_id
    AND feedback_outbox.created_at < version.replaced_at)"""
"""Messages about these versions, or older ones; newer messages may be about another subject's feedback."""
RULES = "SELECT key, days FROM feedback_retention WHERE project = :project ORDER BY key"
EVER = -(2**62)
EXPIRED = "modified_at < now_us() - :age"
OLD = f"""SELECT id, created_at, CASE WHEN {EXPIRED} THEN 1 ELSE 0 END AS is_expired FROM feedback
WHERE project = :project AND {{0}} AND created_at < now_us() - :age AND (created_at, id) > (:at, :id)
ORDER BY created_at, id LIMIT :limit"""
UNRULED = """NOT EXISTS (SELECT 1 FROM feedback_retention AS rule
WHERE rule.project = {0}.project AND rule.key = {0}.key)"""


class Erased(Struct):
    """How much was erased: feedback, earlier versions of feedback, grants of URLs, and examples copied from runs."""

    feedback: int = 0
    history: int = 0
    grants: int = 0
    examples: int = 0

    def add(self, more: Erased) -> None:
        """Add to the counts."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(more, name))


Drop = Callable[..., Erased]


class Erasure:
    """Erase feedback of one project."""

    def __init__(self, database: ProjectDatabase, sealed_days: int = 0) -> None:
        """`sealed_days` is the longest lifetime of sealed tokens."""
        self._database = database
        self._at_once = AT_ONCE[database.whole.dialect]
        self._denials_days = max(sealed_days, DENIALS_DAYS)

    async def erase_subject(self, subject: str, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback of this subject. `on_progress` receives the progress. Errors: `Invalid`."""
        return await self._erase("subject = :name", {"name": check_name("subject", subject)}, on_progress=on_progress)

    async def erase_run(self, run_id: str, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback on the run; its tokens accept no more submissions. Errors: `Invalid`."""
        name = run_name("run", run_id)

        def work(db: Connection) -> int:
            deny(db, [name])
            return delete_copies(db, [name])

        copies = await self._database.write(work)
        erased = await self._erase("run_id = :name", {"name": name}, with_grants=True, on_progress=on_progress)
        erased.examples += copies
        return erased

    async def erase_thread(self, thread_id: str, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback on the thread's runs; their tokens accept no more submissions. Errors: `Invalid`.

        Only runs that have feedback or URLs are known here; there is nothing to find others by.
        """
        name = {"name": check_name("thread", thread_id)}
        return await self._erase("thread_id = :name", name, with_grants=True, on_progress=on_progress)

    async def erase_all(self, on_progress: Callable[[Erased], None] | None = None) -> Erased:
        """Erase all feedback of the project; its URLs accept no more submissions."""
        denial = derive_project_denial(self._database.project)
        closed = await self._database.write(lambda db: close_all(db, denial))
        erased = await self._erase("1 = 1", {}, on_progress=on_progress)
        erased.add(Erased(grants=closed.grants, examples=closed.copies))
        return erased

    async def _erase(
        self,
        condition: str,
        parameters: Mapping[str, Any],
        drops: Sequence[Drop] = (),
        with_grants: bool = False,
        on_progress: Callable[[Erased], None] | None = None,
    ) -> Erased:
        """Erase what matches the condition: grants first, so that no submission arrives afterwards."""
        erased = Erased()
        if with_grants:
            closed = await self._database.write(lambda db: close(db, condition, parameters))
            erased.add(Erased(grants=closed.grants, examples=closed.copies))
        limited = {**parameters, "at_once": self._at_once}
        for drop in drops or REQUESTED:
            while True:
                more = await self._database.write(partial(drop, condition=condition, parameters=limited))
                erased.add(more)
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
        sql, limits = OLD.format(keys.format("feedback")), {"age": parameters["age"], "at_once": self._at_once}
        while rows := await self._database.read(methodcaller("all", sql, **parameters, **after, limit=READ_AT_ONCE)):
            expired = [row["id"] for row in rows if row["is_expired"]]
            for at in range(0, len(expired), self._at_once):
                chosen, names = build_in_list("old", expired[at : at + self._at_once])
                drop = partial(
                    _drop_feedback, condition=f"{EXPIRED} AND id IN {chosen}", parameters={**limits, **names}
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


def _drop_feedback(db: Connection, condition: str, parameters: Mapping[str, Any], with_copies: bool = False) -> Erased:
    where = condition.format("feedback")
    rows = db.all(f"SELECT id, run_id FROM feedback WHERE project = :project AND {where} LIMIT :at_once", **parameters)
    if not rows:
        return Erased()
    chosen, names = build_in_list("id", (row["id"] for row in rows))
    everywhere = get_unscoped(db)
    for table in BELONGINGS:
        everywhere.execute(f"DELETE FROM {table} WHERE feedback_id IN {chosen}", **names)
    history = everywhere.execute(f"DELETE FROM feedback_history WHERE id IN {chosen}", **names)
    erased = Erased(everywhere.execute(f"DELETE FROM feedback WHERE id IN {chosen}", **names), history)
    erased.examples = delete_copies(db, (row["run_id"] for row in rows)) if with_copies else 0
    forget_metadata(db, (row["run_id"] for row in rows))
    put_erased(everywhere, list(names.values()))
    return erased


def _drop_history(db: Connection, condition: str, parameters: Mapping[str, Any], with_copies: bool = False) -> Erased:
    where = condition.format("feedback_history")
    sql = f"SELECT sequence, id, run_id FROM feedback_history WHERE project = :project AND {where} LIMIT :at_once"
    rows = db.all(sql, **parameters)
    if not rows:
        return Erased()
    chosen, deleted = build_in_list("id", (row["id"] for row in rows))
    everywhere = get_unscoped(db)
    for table in BELONGINGS:
        everywhere.execute(
            f"DELETE FROM {table} WHERE feedback_id IN {chosen} "
            f"AND NOT EXISTS (SELECT 1 FROM feedback WHERE feedback.id = {table}.feedback_id)",
            **deleted,
        )
    forget_metadata(db, (row["run_id"] for row in rows))
    sequences, versions = build_in_list("at", (row["sequence"] for row in rows))
    everywhere.execute(QUEUED.format(sequences), **versions)
    sql = f"SELECT id FROM feedback WHERE id IN {chosen}"
    put_erased(everywhere, sorted(set(deleted.values()) - {row["id"] for row in everywhere.all(sql, **deleted)}))
    history = everywhere.execute(f"DELETE FROM feedback_history WHERE sequence IN {sequences}", **versions)
    examples = delete_copies(db, (row["run_id"] for row in rows)) if with_copies else 0
    return Erased(history=history, examples=examples)


REQUESTED: tuple[Drop, ...] = (partial(_drop_feedback, with_copies=True), partial(_drop_history, with_copies=True))
"""What an erasure on request deletes; retention has its own."""
