"""Exports: feedback as a table, JSON lines or a training set, streamed in constant memory.

* `csv` for spreadsheets (`csv_lines.py`).
* `jsonl`: one feedback per line, in the shape of the search.
* `kto`, `dpo`, `sft`: TRL's conversational dataset formats (its page "Dataset formats and types"): unpaired
  preference `{prompt, completion, label}` from scores, preference `{prompt, chosen, rejected}` and prompt-completion
  `{prompt, completion}` from corrections. They need the run's input and output. Feedback that makes no
  example is left out and counted by reason, such as scores that are neither positive nor negative (`configs/kinds.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from feedback.configs.kind_lookup import UNKNOWN
from feedback.configs.kinds import KeyKind
from feedback.errors import Invalid
from feedback.records.reviews import ReviewedFeedback
from feedback.reports.chat_messages import conversation, read_correction
from feedback.reports.csv_lines import HEAD, write_csv
from feedback.reports.query import FeedbackQuery
from feedback.reports.reader import FeedbackReader, Kinds
from feedback.reports.reviewed_rows import Names, Tuple, convert_rows, keep_json
from feedback.runs import ProjectRuns, RunFacts

Format = Literal["csv", "jsonl", "kto", "dpo", "sft"]
FORMATS: tuple[Format, ...] = get_args(Format)
TRAINING = frozenset(("kto", "dpo", "sft"))
RUNS_AT_ONCE = 100
"""The number of runs whose input and output are in memory at a time."""
CSV_TYPE, JSONL_TYPE = "text/csv", "application/jsonl"
MAX_REASONS = 100
"""The maximum number of distinct reasons for leaving feedback out."""
ENCODER = msgspec.json.Encoder()
Example = dict[str, Any]


class LeftOut(Struct, frozen=True):
    """The reason why a feedback makes no example."""

    reason: str


class ExportReport(Struct):
    """The counts of feedback read, of lines written, and of feedback left out by reason."""

    read: int = 0
    written: int = 0
    left_out: dict[str, int] = {}

    def leave_out(self, reason: str) -> None:
        """Count one more feedback left out for the reason."""
        name = reason if reason in self.left_out or len(self.left_out) < MAX_REASONS else "other reasons"
        self.left_out[name] = self.left_out.get(name, 0) + 1


class Exports:
    """Streams the feedback of one project."""

    def __init__(self, reader: FeedbackReader, runs: ProjectRuns) -> None:
        self._reader = reader
        self._runs = runs

    def stream(
        self, query: FeedbackQuery, form: Format, on_page: Callable[[ExportReport], None] | None = None
    ) -> AsyncIterator[bytes]:
        """Return the matching feedback as lines, oldest first, a page at a time.

        `on_page` is called after each page with the report so far.
        Errors, raised before the first page: `Invalid` for a wrong query, or if the service has no access to runs.
        """
        if form in TRAINING and not self._runs.are_known:
            raise Invalid(f"`{form}` needs the runs' input and output, which this service does not know; take jsonl")
        if form in ("dpo", "sft"):
            query.has_correction = True
        if form == "kto":
            query.has_score = True
        query.sql()
        return self._lines(query, form, on_page or (lambda _report: None))

    async def report(self, query: FeedbackQuery, form: Format) -> ExportReport:
        """Return the report of an export without writing it. Errors: as for `stream`."""
        last = ExportReport()

        def keep(report: ExportReport) -> None:
            nonlocal last
            last = report

        async for _ in self.stream(query, form, keep):
            pass
        return last

    async def _lines(
        self, query: FeedbackQuery, form: Format, on_page: Callable[[ExportReport], None]
    ) -> AsyncIterator[bytes]:
        report, found = ExportReport(), Kinds()
        if form in TRAINING:
            async for _, page in self._reader.pages(query, convert_rows, found):
                for at in range(0, len(page), RUNS_AT_ONCE):
                    lines = await self._build_examples(page[at : at + RUNS_AT_ONCE], found, form, report)
                    on_page(report)
                    if lines:
                        yield lines
            return
        if form == "csv":
            yield HEAD
        async for count, lines in self._reader.pages(query, write_csv if form == "csv" else _write_json_lines):
            report.read += count
            report.written += count
            on_page(report)
            yield lines

    async def _build_examples(
        self, page: Sequence[ReviewedFeedback], found: Mapping[str, KeyKind], form: Format, report: ExportReport
    ) -> bytes:
        """Return a line for each feedback that makes one, and count them."""
        report.read += len(page)
        known = await self._runs.find_many_facts([feedback.run_id or feedback.run_name for feedback in page])
        examples: list[Example] = []
        for feedback in page:
            made = _example(feedback, known, form, found.get(feedback.key, UNKNOWN))
            if isinstance(made, LeftOut):
                report.leave_out(made.reason)
            else:
                examples.append(made)
        report.written += len(examples)
        return ENCODER.encode_lines(examples)


def _example(
    feedback: ReviewedFeedback, known: Mapping[str, RunFacts], form: Format, kind: KeyKind
) -> Example | LeftOut:
    """Return the training example of a feedback, or the reason why there is none."""
    if form == "kto" and feedback.is_positive is None:
        score = None if feedback.score is None else float(feedback.score)
        return LeftOut(f"the score for {feedback.key!r} {kind.explain_no_direction(score)}")
    if (run := feedback.run_id or feedback.run_name) is None or (facts := known.get(run)) is None:
        return LeftOut("there is no run" if run is None else "the run is not known any more")
    if (turns := conversation(facts)) is None:
        return LeftOut("the run has no input or no answer to learn from")
    prompt, completion = turns
    if form == "kto":
        return {"prompt": prompt, "completion": completion, "label": feedback.is_positive}
    if (better := read_correction(feedback.correction)) is None:
        return LeftOut("the correction holds no text")
    if form == "dpo":
        if better == completion:
            return LeftOut("the correction is what the agent answered")
        return {"prompt": prompt, "chosen": better, "rejected": completion}
    return {"prompt": prompt, "completion": better}


def _write_json_lines(rows: Sequence[Tuple], names: Names) -> bytes:
    return ENCODER.encode_lines(convert_rows(rows, names, keep_json))
