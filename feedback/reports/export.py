"""Exports: answers as a table, as lines of JSON, and as training sets, however many, in constant memory.

* `csv` for spreadsheets: a cell that one would take for a formula gets an apostrophe in front (OWASP, "CSV Injection").
* `jsonl`: an answer a line, as the search shows it.
* `kto`, `dpo`, `sft`: what TRL's trainers take, conversational (its page "Dataset formats and types"): unpaired
  preference `{prompt, completion, label}` from scores, preference `{prompt, chosen, rejected}` and prompt-completion
  `{prompt, completion}` from corrections. They need the run's input and output; answers about others are left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from feedback.configs.score_direction import UP, Direction, directions
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.reports.chat_messages import conversation, corrected
from feedback.reports.query import FeedbackQuery, FeedbackReader
from feedback.runs import ProjectRuns, RunFacts
from feedback.schema import Feedback

Format = Literal["csv", "jsonl", "kto", "dpo", "sft"]
FORMATS: tuple[Format, ...] = get_args(Format)
TRAINING = frozenset(("kto", "dpo", "sft"))
RUNS_AT_ONCE = 100
"""Runs whose input and output are held at a time."""
CSV_TYPE, JSONL_TYPE = "text/csv", "application/jsonl"
CSV_COLUMNS = (
    "id", "created_at", "modified_at", "run_id", "thread_id", "assistant_id", "assistant_version", "key", "score",
    "value", "comment", "correction", "source", "subject", "metadata", "review_status", "review_note",
)  # fmt: skip
Example = dict[str, Any]


class Exports:
    """Streams the answers of one project."""

    def __init__(self, database: ProjectDatabase, reader: FeedbackReader, runs: ProjectRuns) -> None:
        self._database = database
        self._reader = reader
        self._runs = runs

    def stream(
        self, query: FeedbackQuery, form: Format, tell: Callable[[int, int], None] | None = None
    ) -> AsyncIterator[bytes]:
        """The answers that fit, oldest first, a page of lines at a time.

        After each page `tell` is called with how many answers were read, and how many lines came of them.
        `Invalid`, now and not in the middle, where the query is wrong, or nobody knows the runs that it takes.
        """
        if form in TRAINING and not self._runs.are_known:
            raise Invalid(f"`{form}` needs the runs' input and output, which this service does not know; take jsonl")
        if form in ("dpo", "sft"):
            query.has_correction = True
        if form == "kto":
            query.has_score = True
        query.sql()
        return self._lines(query, form, tell or (lambda _read, _written: None))

    async def _lines(
        self, query: FeedbackQuery, form: Format, tell: Callable[[int, int], None]
    ) -> AsyncIterator[bytes]:
        read = written = 0
        if form == "csv":
            yield _csv([CSV_COLUMNS])
        ways = await self._database.read(directions) if form == "kto" else {}
        async for page in self._reader.pages(query):
            for at in range(0, len(page), RUNS_AT_ONCE if form in TRAINING else len(page)):
                some = page[at : at + RUNS_AT_ONCE] if form in TRAINING else page
                lines = await self._of_page(some, form, ways)
                read, written = read + len(some), written + len(lines)
                tell(read, written)
                if lines:
                    yield b"".join(lines)

    async def _of_page(self, page: Sequence[Feedback], form: Format, ways: Mapping[str, Direction]) -> list[bytes]:
        """A line of each answer, of those that make one."""
        if form == "csv":
            return [_csv([_cells(answer)]) for answer in page]
        if form == "jsonl":
            return [msgspec.json.encode(answer) + b"\n" for answer in page]
        runs = [answer.run_id or answer.run_name for answer in page]
        known = await self._runs.facts_of(runs)
        found = [
            _example(answer, facts, form, ways.get(answer.key, UP))
            for answer, run in zip(page, runs, strict=True)
            if run is not None and (facts := known.get(run)) is not None
        ]
        return [msgspec.json.encode(example) + b"\n" for example in found if example is not None]


def _example(answer: Feedback, facts: RunFacts, form: Format, way: Direction) -> Example | None:
    """What a training set holds of an answer; nothing where there is nothing to learn from it."""
    if (turns := conversation(facts)) is None:
        return None
    prompt, completion = turns
    if form == "kto":
        score = answer.score
        return None if score is None else {"prompt": prompt, "completion": completion, "label": way.is_positive(score)}
    if (better := corrected(answer.correction)) is None or (form == "dpo" and better == completion):
        return None
    if form == "dpo":
        return {"prompt": prompt, "chosen": better, "rejected": completion}
    return {"prompt": prompt, "completion": better}


def _cells(answer: Feedback) -> list[str]:
    columns: dict[str, Any] = {name: getattr(answer, name, None) for name in CSV_COLUMNS}
    columns["run_id"] = answer.run_id or answer.run_name
    columns["source"], columns["subject"] = answer.feedback_source.type, answer.feedback_source.user_id
    columns["metadata"] = answer.feedback_source.metadata or None
    return [_cell(value) for value in columns.values()]


def _cell(value: Any) -> str:
    """The value as a spreadsheet may see it: numbers as they are, and no text that it would compute."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _csv(rows: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
