"""Exports: complete, in constant memory, harmless in a spreadsheet, and in the formats of TRL's trainers."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.errors import Invalid
from feedback.records.reviews import ReviewUpdate
from feedback.reports.export import RUNS_AT_ONCE, ExportReport, Format
from feedback.reports.query import FeedbackQuery
from feedback.validation import to_micros
from tests.feedback.conftest import mint
from tests.feedback.stored_feedback import NOON, configure, insert, row

App = AsyncTestClient[Litestar]
QUESTION = {"type": "human", "content": "A joke, please."}
ANSWER = {
    "type": "ai",
    "content": [{"type": "text", "text": "A query walks "}, {"type": "text", "text": "into a bar."}],
}
PROMPT = [{"role": "user", "content": "A joke, please."}]
JOKE = [{"role": "assistant", "content": "A query walks into a bar."}]
CHAT, PLAIN, UNDONE = (str(uuid.UUID(int=at)) for at in (1, 2, 3))
PROMPT_OF_RUN = {"role": "user", "content": "x"}
RUNS = {
    CHAT: RunFacts(CHAT, input={"messages": [PROMPT_OF_RUN]}, output={"messages": [QUESTION, ANSWER]}),
    PLAIN: RunFacts(PLAIN, input={"question": "2 + 2?"}, output={"sum": 4, "unit": "apples"}),
    UNDONE: RunFacts(UNDONE, input={"messages": [QUESTION]}),
}


METADATA = """INSERT INTO feedback_run_metadata (project, run_id, name, value)
VALUES ('default', CAST(:run_id AS TEXT), 'plan', 'pro')"""


async def look_up(run_id: str) -> RunFacts | None:
    return RUNS.get(run_id)


@pytest.fixture
async def with_runs(database_url: str) -> AsyncIterator[FeedbackPlugin]:
    """Open the service beside a server that has the runs."""
    async with FeedbackPlugin(open_database(database_url), run_lookup=look_up).open() as plugin:
        yield plugin


async def exported(service: FeedbackPlugin, form: Format) -> str:
    return b"".join([part async for part in service.default.exports.stream(FeedbackQuery(), form)]).decode()


async def examples(service: FeedbackPlugin, form: Format) -> list[Any]:
    return [json.loads(line) for line in (await exported(service, form)).splitlines()]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=cmd|"/c calc"!A1'])
async def test_csv_holds_no_cell_that_a_spreadsheet_computes(service: FeedbackPlugin, formula: str) -> None:
    await insert(
        service, [row(-1, comment=formula, key=formula, subject=formula, value=formula, correction={"a": "=1"})]
    )
    [head, cells] = csv.reader(io.StringIO(await exported(service, "csv"), newline=""))
    shown = dict(zip(head, cells, strict=True))
    assert {shown[name] for name in ("comment", "key", "subject", "value")} == {f"'{formula}"}
    assert (shown["score"], shown["correction"]) == ("-1", '{"a":"=1"}')


async def test_csv_gives_back_what_people_wrote(service: FeedbackPlugin) -> None:
    words = 'say "hi", twice;\nand ünïcode'
    await insert(service, [row(None, comment=words), row(0.5, value=True)])
    head, *rows = csv.reader(io.StringIO(await exported(service, "csv"), newline=""))
    assert {(cells[head.index("comment")], cells[head.index("value")]) for cells in rows} == {(words, ""), ("", "true")}


async def test_jsonl_has_each_feedback_once(service: FeedbackPlugin) -> None:
    feedback = [row(at, metadata={"n": at}) for at in range(1203)]
    await insert(service, feedback)
    lines = await examples(service, "jsonl")
    assert sorted(line["score"] for line in lines) == list(range(1203))
    assert {line["id"] for line in lines} == {one["id"] for one in feedback}


async def test_exported_line_is_what_the_search_shows(with_runs: FeedbackPlugin) -> None:
    times = {"at": NOON, "modified_at": to_micros(NOON) + 5}
    place = {"thread_id": "t", "assistant_id": "a", "assistant_version": 3, "trace_parent": "00-1"}
    words = {
        "value": {"a": [1.50, None]},
        "correction": "né",
        "metadata": {"reasons": ["x"]},
        "extra": '{"scale":[0,1]}',
    }
    reviewed = row(1, run_id=CHAT, trace_id=CHAT, subject="ada", **times, **place, **words)
    await insert(with_runs, [reviewed])
    await with_runs.default.reviews.set(reviewed["id"], ReviewUpdate("done", "read", "bob", "eve"))
    await with_runs.database.write(lambda db: db.execute(METADATA, run_id=CHAT))
    await insert(with_runs, [row(run_id="named", trace_id="odd", session_id=PLAIN), row(True, run_id=None, value="")])
    page = await with_runs.default.reader.page(FeedbackQuery())
    shown = [msgspec.to_builtins(one) for one in page.feedback]
    assert sorted(await examples(with_runs, "jsonl"), key=itemgetter("id")) == sorted(shown, key=itemgetter("id"))
    for one in shown:  # single pieces are converted by other code, which reads rows by name
        alone = msgspec.to_builtins(await with_runs.default.store.get(one["id"]))
        assert alone == {name: one[name] for name in alone}


async def measure_export(service: FeedbackPlugin, form: Format) -> tuple[int, int]:
    """Return the size of an export in bytes, and how many bytes were in memory at once."""
    tracemalloc.start()
    try:
        size = 0
        async for part in service.default.exports.stream(FeedbackQuery(), form):
            size += len(part)
        return size, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_export_memory_does_not_grow_with_feedback(service: FeedbackPlugin, form: Format) -> None:
    await insert(service, [row(at, comment="x" * 1000) for at in range(3000)])
    size, peak = await measure_export(service, form)
    await insert(service, [row(at, comment="x" * 1000) for at in range(6000)])
    larger, later_peak = await measure_export(service, form)
    assert larger > size * 2.5
    assert later_peak < peak * 1.5


async def test_kto_labels_follow_the_keys_direction(with_runs: FeedbackPlugin) -> None:
    await configure(with_runs, "disliked", {"type": "continuous", "min": 0, "max": 1}, lower=True)
    judgements = [(1, "thumbs"), (0, "thumbs"), (1, "disliked"), (None, "thumbs")]
    await insert(with_runs, [row(score, key=key, run_id=CHAT, comment="c") for score, key in judgements])
    found = await examples(with_runs, "kto")
    assert sorted(one["label"] for one in found) == [False, False, True]
    assert all((one["prompt"], one["completion"]) == (PROMPT, JOKE) for one in found)


async def test_dpo_prefers_the_correction_to_the_answer(with_runs: FeedbackPlugin) -> None:
    corrections: list[Any] = [
        "Two tables meet.",
        {"content": "A"},
        {"messages": [{"type": "ai", "content": "B"}]},
        {"x": 1},
    ]
    await insert(with_runs, [row(0, run_id=CHAT, correction=correction) for correction in corrections])
    await insert(with_runs, [row(0, run_id=CHAT, correction="A query walks into a bar."), row(1, run_id=CHAT)])
    found = await examples(with_runs, "dpo")
    assert sorted(one["chosen"][0]["content"] for one in found) == ["A", "B", "Two tables meet.", '{"x":1}']
    assert all((one["prompt"], one["rejected"]) == (PROMPT, JOKE) for one in found)
    assert all(set(one) == {"prompt", "chosen", "rejected"} for one in found)


async def test_sft_learns_the_correction(with_runs: FeedbackPlugin) -> None:
    await insert(with_runs, [row(0, run_id=CHAT, correction="Two tables meet."), row(1, run_id=CHAT)])
    better = [{"role": "assistant", "content": "Two tables meet."}]
    assert await examples(with_runs, "sft") == [{"prompt": PROMPT, "completion": better}]


async def test_non_chat_runs_are_described_in_words(with_runs: FeedbackPlugin) -> None:
    await insert(with_runs, [row(1, run_id=PLAIN)])
    [found] = await examples(with_runs, "kto")
    assert found == {
        "prompt": [{"role": "user", "content": "2 + 2?"}],
        "completion": [{"role": "assistant", "content": '{"sum":4,"unit":"apples"}'}],
        "label": True,
    }


async def test_tool_calls_fit_chat_templates(with_runs: FeedbackPlugin, monkeypatch: Any) -> None:
    calls = {"type": "ai", "content": "", "tool_calls": [{"name": "add", "args": {"a": 2}, "id": "1"}]}
    tool_result = {"type": "tool", "content": "4", "name": "add", "tool_call_id": "1"}
    monkeypatch.setitem(RUNS, CHAT, RunFacts(CHAT, output={"messages": [QUESTION, calls, tool_result, ANSWER]}))
    await insert(with_runs, [row(1, run_id=CHAT)])
    [found] = await examples(with_runs, "kto")
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
    assert found["completion"][0] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert found["completion"][1] == {"role": "tool", "content": "4", "name": "add"}


async def test_missing_and_unfinished_runs_are_left_out(with_runs: FeedbackPlugin) -> None:
    await insert(with_runs, [row(1, run_id=UNDONE), row(1), row(1, run_id=CHAT)])
    reports: list[ExportReport] = []
    parts = [part async for part in with_runs.default.exports.stream(FeedbackQuery(), "kto", reports.append)]
    assert len(parts) == 1
    assert (reports[-1].read, reports[-1].written) == (3, 1)
    assert reports[-1].left_out == {
        "the run has no input or no answer to learn from": 1,
        "the run is not known any more": 1,
    }


async def test_kto_leaves_out_scores_without_a_direction(with_runs: FeedbackPlugin) -> None:
    tone = [{"value": 0, "label": "Too formal"}, {"value": 1, "label": "Just right"}, {"value": 2, "label": "Casual"}]
    await configure(with_runs, "tone", {"type": "categorical", "categories": tone})
    await configure(with_runs, "rated", {"type": "continuous", "min": 1, "max": 5})
    scores = {"tone": [0, 1, 2], "stars": [1, 2, 1, 2], "latency_ms": [120, 340.5], "thumbs": [1, 0], "rated": [2, 3]}
    await insert(with_runs, [row(score, key=key, run_id=CHAT) for key, given in scores.items() for score in given])
    assert sorted(one["label"] for one in await examples(with_runs, "kto")) == [False, False, True]
    report = await with_runs.default.exports.report(FeedbackQuery(), "kto")
    assert (report.read, report.written) == (13, 3)
    found = {reason.split("'")[1]: (count, reason) for reason, count in report.left_out.items()}
    assert {key: count for key, (count, _) in found.items()} == {"tone": 3, "stars": 4, "latency_ms": 2, "rated": 1}
    assert "mark categories with `is_positive`" in found["tone"][1]
    assert "configure the key's `min` and `max`" in found["stars"][1]
    assert "neither positive nor negative" in found["rated"][1]


async def test_export_looks_up_runs_in_batches(database_url: str) -> None:
    batches: list[Sequence[str]] = []

    async def look_up_many(run_ids: Sequence[str]) -> Mapping[str, RunFacts]:
        batches.append(run_ids)
        return {run_id: RUNS[CHAT] for run_id in run_ids if run_id != CHAT}

    plugin = FeedbackPlugin(open_database(database_url), run_lookup=look_up, runs_lookup=look_up_many)
    async with plugin.open() as service:
        rows = [row(1, run_id=str(uuid.UUID(int=at // 2))) for at in range(RUNS_AT_ONCE * 2 + 2)]
        await insert(service, rows)
        report = await service.default.exports.report(FeedbackQuery(), "kto")
    assert (report.read, report.written) == (len(rows), len(rows) - 2), "all but the feedback on the deleted run"
    assert len(batches) == 3
    assert max(map(len, batches)) <= RUNS_AT_ONCE
    assert all(len(set(batch)) == len(batch) for batch in batches), (
        "a run with two pieces of feedback is looked up once"
    )


async def test_failed_batch_is_looked_up_run_by_run(database_url: str) -> None:
    async def look_up_many(_: Sequence[str]) -> Mapping[str, RunFacts]:
        raise OSError("the runs' database is away")

    plugin = FeedbackPlugin(open_database(database_url), run_lookup=look_up, runs_lookup=look_up_many)
    async with plugin.open() as service:
        await insert(service, [row(1, run_id=run_id) for run_id in (CHAT, PLAIN, UNDONE)])
        assert len(await examples(service, "kto")) == 2


async def test_training_set_without_runs_is_refused_at_once(service: FeedbackPlugin) -> None:
    with pytest.raises(Invalid, match="take jsonl"):
        service.default.exports.stream(FeedbackQuery(), "kto")


async def test_export_over_http_is_a_file(client: App) -> None:
    url = await mint(client)
    await client.post(url, json={"score": 1, "comment": "=1"})
    response = await client.get("/api/v1/feedback/export", params={"format": "csv", "key": "user_score"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="feedback.csv"'
    assert "'=1" in response.text
    assert (await client.get("/api/v1/feedback/export", params={"key": "other"})).text == ""


@pytest.mark.parametrize("query", [{"format": "xml"}, {"format": "kto"}, {"since": "x"}])
async def test_impossible_export_is_refused_before_it_begins(client: App, query: dict[str, str]) -> None:
    assert (await client.get("/api/v1/feedback/export", params=query)).status_code == 422
