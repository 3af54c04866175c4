"""Feedback by run and user: each row has the question, the agent's reply and all feedback keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from feedback.database import Connection, Row, build_in_list
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.reviews import ReviewedFeedback
from feedback.records.run_metadata import load_metadata
from feedback.reports.chat_messages import Message, conversation, read_messages
from feedback.reports.query import FeedbackQuery
from feedback.reports.reader import (
    FeedbackReader,
    Kinds,
    RunsMetadata,
    day_window,
    find_missing_kinds,
    make_cursor,
    open_cursor,
)
from feedback.reports.reviewed_rows import COLUMNS, SELECT
from feedback.reports.text_search import rows_by_span
from feedback.runs import ProjectRuns, RunFacts

MAX_ROWS = 100
MAX_OF_ROW = 20
"""The maximum number of feedback records in a row."""
MAX_WORDS = 600
"""The maximum number of characters of a question or reply in a row."""
# The newest matching feedback represents its run and user; the query's conditions apply to the later ones, too.
NEWEST = """NOT EXISTS (SELECT 1 FROM feedback AS later WHERE later.run_id = feedback.run_id
    AND COALESCE(later.subject, '') = COALESCE(feedback.subject, '')
    AND (later.created_at, later.id) > (feedback.created_at, feedback.id) AND {where})"""
OF_RUNS = f"""SELECT * FROM (
    SELECT {", ".join(COLUMNS)},
        ROW_NUMBER() OVER (PARTITION BY run_id, subject ORDER BY created_at DESC, id DESC) AS place,
        COUNT(*) OVER (PARTITION BY run_id, subject) AS pieces
    FROM feedback WHERE project = :project AND run_id IN {{runs}}
) AS placed WHERE place <= {MAX_OF_ROW} ORDER BY created_at DESC, id DESC"""


class RunFeedback(Struct):
    """All feedback of one user (or of anonymous users) on one run, newest first.

    `question` and `reply` are the run's last input and the agent's answer, truncated; null for an unknown run.
    `omitted` counts the feedback beyond the row's limit.
    """

    run_id: str | None
    subject: str | None
    created_at: str
    question: str | None
    reply: str | None
    feedback: list[ReviewedFeedback]
    omitted: int = 0


class RunFeedbackPage(Struct):
    """A page of rows, newest first, and the next page's cursor, if there is one."""

    rows: list[RunFeedback]
    next_cursor: str | None


class Named(Struct):
    """What a page of rows refers to: kinds of feedback keys, and metadata and facts of runs."""

    kinds: Kinds
    metadata: RunsMetadata
    facts: Mapping[str, RunFacts]


class RunFeedbackReader:
    """Searches the feedback of one project by run and user."""

    def __init__(self, database: ProjectDatabase, reader: FeedbackReader, runs: ProjectRuns) -> None:
        self._database = database
        self._reader = reader
        self._runs = runs

    async def page(self, query: FeedbackQuery, limit: int = 25, cursor: str | None = None) -> RunFeedbackPage:
        """Return at most `limit` rows (run and user) with matching feedback, newest first. Errors: `Invalid`."""
        where, parameters = query.sql()
        newest = NEWEST.format(where=where)
        if cursor is not None:
            where += " AND (created_at, id) < (:cursor_at, :cursor_id)"
            parameters["cursor_at"], parameters["cursor_id"] = open_cursor(cursor)

        def work(db: Connection) -> tuple[list[Row], list[Row], Kinds, RunsMetadata]:
            window, ends = day_window(db, query)
            sql = f"{SELECT} WHERE {where}{window}{{span}} AND {newest} ORDER BY created_at DESC, id DESC"
            heads = rows_by_span(db, self._reader.has_blocks, query, sql, parameters | ends, limit + 1)
            others = _load_feedback(db, heads[:limit])
            metadata = load_metadata(db, (head["run_id"] for head in heads))
            return heads, others, find_missing_kinds(db, (row["key"] for row in [*heads, *others]), {}), metadata

        heads, others, found, metadata = await self._database.read(work)
        following = make_cursor(heads[limit - 1]) if len(heads) > limit else None
        facts = (
            await self._runs.find_many_facts(head["run_id"] for head in heads[:limit]) if self._runs.are_known else {}
        )
        return RunFeedbackPage(await self._rows(heads[:limit], others, Named(found, metadata, facts)), following)

    async def _rows(self, heads: Sequence[Row], others: Sequence[Row], known: Named) -> list[RunFeedback]:
        by_place: dict[Any, list[Row]] = {}
        for row in others:
            by_place.setdefault((row["run_id"], row["subject"]), []).append(row)
        rows: list[RunFeedback] = []
        for head in heads:
            own = by_place.get((head["run_id"], head["subject"])) or [head]
            pieces = await self._reader.add_names(own, known.kinds, known.metadata)
            question, reply = _story(known.facts.get(head["run_id"] or ""))
            omitted = own[0].get("pieces", 1) - len(own)
            rows.append(
                RunFeedback(head["run_id"], head["subject"], pieces[0].created_at, question, reply, pieces, omitted)
            )
        return rows


def _load_feedback(db: Connection, heads: Sequence[Row]) -> list[Row]:
    """Return the feedback on the runs of these rows; feedback without a run is a row of its own."""
    runs = dict.fromkeys(head["run_id"] for head in heads if head["run_id"] is not None)
    chosen, names = build_in_list("run", runs)
    return db.all(OF_RUNS.format(runs=chosen), **names) if names else []


def _story(facts: RunFacts | None) -> tuple[str | None, str | None]:
    """Return the run's question and the agent's reply; None for an unknown one."""
    if facts is None:
        return None, None
    prompt, completion = conversation(facts) or (read_messages(facts.input), [])
    questions = [message for message in prompt if message["role"] == "user"][-1:]
    replied = [message for message in completion if message["role"] == "assistant" and message["content"]]
    return _words(questions), _words(replied)


def _words(messages: Sequence[Message]) -> str | None:
    text = "\n".join(message["content"] for message in messages).strip()
    return (text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…") or None
