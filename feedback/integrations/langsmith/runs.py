"""The runs of one project in LangSmith's shape, with their feedback."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from feedback.database import Connection, Row
from feedback.errors import Invalid, NotFound
from feedback.integrations.langsmith.filter_language import parse_filter
from feedback.integrations.langsmith.run_filters import Predicate, Subject, find_needed_key, predicate, seconds_between
from feedback.projects.scoped_database import ProjectDatabase
from feedback.rows import decode_json
from feedback.runs import ProjectRuns, RunFacts, RunSelection
from feedback.validation import check_name, parse_id, parse_time, to_micros

BATCH = 100
MAX_NAMED = 1000
ABOUT = """SELECT run_id, key, score, number, value, comment, source FROM feedback
WHERE project = :project AND run_id IN ({})"""
WITH_KEY = """SELECT DISTINCT run_id FROM feedback
WHERE project = :project AND key = :key AND run_id IS NOT NULL ORDER BY run_id DESC LIMIT :limit"""


class RunQuery(Struct):
    """The body of `POST /runs/query` and `/runs/stats`. `select` has no effect: every field is returned."""

    session: list[str] | None = None
    id: list[str] | None = None
    trace: str | None = None
    parent_run: str | None = None
    run_type: str | None = None
    is_root: bool | None = None
    error: bool | None = None
    start_time: str | None = None
    end_time: str | None = None
    filter: str | None = None
    trace_filter: str | None = None
    tree_filter: str | None = None
    query: str | None = None
    reference_example: list[str] | None = None
    select: list[str] | None = None
    order: str | None = None
    limit: int | None = None
    cursor: str | None = None


class LangSmithRun(Struct):
    """A run: the root of its trace, with the type `chain`; its session is its assistant."""

    id: str
    name: str
    run_type: str
    start_time: str
    end_time: str | None
    status: str
    error: str | None
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    extra: dict[str, Any]
    session_id: str | None
    trace_id: str
    thread_id: str | None
    dotted_order: str
    feedback_stats: dict[str, Any]
    tags: list[str] = []
    parent_run_id: str | None = None
    parent_run_ids: list[str] = []
    reference_example_id: str | None = None


class RunsPage(Struct):
    """A page of runs, and the next page's cursor."""

    runs: list[LangSmithRun]
    cursors: dict[str, str | None]


class LangSmithRuns:
    """Reads the runs of one project."""

    def __init__(self, database: ProjectDatabase, runs: ProjectRuns, project_id: str) -> None:
        self._database = database
        self._runs = runs
        self._project_id = project_id

    async def read(self, run_id: str) -> LangSmithRun:
        """Return the run. Errors: `NotFound`, `Invalid`."""
        key = parse_id("run_id", run_id)
        facts = await self._runs.facts(key)
        if facts is None:
            raise NotFound(f"There is no run with the id {key} here; runs of other servers are not kept")
        return _run(facts, (await self._feedback([key])).get(key, []))

    async def query(self, request: RunQuery) -> RunsPage:
        """Return a page of the matching runs, newest first. Errors: `Invalid`."""
        if request.limit is not None and request.limit < 1:
            raise Invalid(f"`limit` is {request.limit}; send 1 or more, or leave it out")
        limit = min(request.limit or BATCH, BATCH)
        found: list[LangSmithRun] = []
        last = None
        async for facts, feedback in self._find_fitting(request):
            if len(found) == limit:
                return RunsPage(found, {"next": last})
            found.append(_run(facts, feedback))
            last = facts.run_id
        return RunsPage(found, {"next": None})

    async def stats(self, request: RunQuery) -> dict[str, Any]:
        """Return counts, latencies and feedback of the matching runs. Errors: `Invalid`."""
        latencies: list[float] = []
        errors = count = 0
        newest = None
        feedback: list[Row] = []
        async for facts, about in self._find_fitting(request):
            count, newest = count + 1, newest or facts.started_at
            errors += facts.status == "error"
            feedback += about
            if (latency := seconds_between(_time(facts.started_at), _time(facts.ended_at))) is not None:
                latencies.append(latency)
        return {
            "run_count": count,
            "latency_p50": _percentile(latencies, 0.5),
            "latency_p99": _percentile(latencies, 0.99),
            "error_rate": errors / count if count else None,
            "last_run_start_time": newest,
            "feedback_stats": feedback_stats(feedback),
            **dict.fromkeys(("total_tokens", "prompt_tokens", "completion_tokens"), 0),
            **dict.fromkeys(("total_cost", "prompt_cost", "completion_cost"), None),
        }

    async def _find_fitting(self, request: RunQuery) -> AsyncIterator[tuple[RunFacts, list[Row]]]:
        if (
            request.reference_example
            or request.parent_run
            or request.is_root is False
            or request.run_type not in (None, "chain")
        ):
            return  # every run here is a root with the type `chain`, and none belongs to an example
        tests, keys = _tests(request)
        selection = await self._selection(request, keys)
        while True:
            batch = await self._runs.find_runs(selection)
            feedback = await self._feedback([facts.run_id for facts in batch])
            for facts in batch:
                about = feedback.get(facts.run_id, [])
                if all(test(_subject(facts, about)) for test in tests):
                    yield facts, about
            if len(batch) < selection.limit:
                return
            selection = msgspec.structs.replace(selection, before=batch[-1].run_id)

    async def _selection(self, request: RunQuery, keys: Sequence[str]) -> RunSelection:
        wanted = request.id if request.trace is None else [*(request.id or ()), request.trace]
        if wanted is not None and len(wanted) > MAX_NAMED:
            raise Invalid(f"`id` lists {len(wanted)} runs; at most {MAX_NAMED} are taken at once")
        run_ids = None if wanted is None else tuple(parse_id("id", one) for one in wanted)
        if run_ids is None and keys:  # few runs have feedback with the feedback key: test only those
            rows = await self._database.read(lambda db: db.all(WITH_KEY, key=keys[0], limit=MAX_NAMED))
            run_ids = tuple(row["run_id"] for row in rows) if len(rows) < MAX_NAMED else None
        sessions = [parse_id("session", one) for one in request.session or ()]
        everything = not sessions or self._project_id in sessions
        before = parse_id("cursor", request.cursor) if request.cursor else None
        assistants = None if everything else tuple(sessions)
        return RunSelection(
            run_ids=run_ids,
            assistant_ids=assistants,
            failed=request.error,
            since=_micros("start_time", request.start_time),
            until=_micros("end_time", request.end_time),
            before=before,
            limit=BATCH,
        )

    async def _feedback(self, run_ids: Sequence[str]) -> Mapping[str, list[Row]]:
        if not run_ids:
            return {}
        names = {f"run_{at}": run_id for at, run_id in enumerate(run_ids)}

        def work(db: Connection) -> list[Row]:
            return db.all(ABOUT.format(", ".join(f":{name}" for name in names)), **names)

        grouped: dict[str, list[Row]] = {}
        for row in await self._database.read(work):
            grouped.setdefault(row["run_id"], []).append(row)
        return grouped


def _tests(request: RunQuery) -> tuple[list[Predicate], list[str]]:
    """Return the predicates of all filters, and the feedback keys that they require."""
    calls = [parse_filter(text) for text in (request.filter, request.trace_filter, request.tree_filter) if text]
    tests = [predicate(call) for call in calls]
    if request.query:
        words = check_name("query", request.query).casefold()
        tests.append(lambda subject: words in msgspec.json.encode(subject.run["inputs"]).decode().casefold())
    return tests, [key for call in calls if (key := find_needed_key(call)) is not None]


def _subject(facts: RunFacts, feedback: Sequence[Row]) -> Subject:
    start, end = _time(facts.started_at), _time(facts.ended_at)
    run = {
        "id": facts.run_id,
        "trace_id": facts.run_id,
        "name": facts.assistant_name,
        "run_type": "chain",
        "status": _status(facts),
        "error": facts.error,
        "start_time": start,
        "end_time": end,
        "latency": seconds_between(start, end),
        "is_root": True,
        "thread_id": facts.thread_id,
        "session_id": facts.assistant_id,
        "tags": _tags(facts),
        "metadata": dict(facts.metadata) | ({"thread_id": facts.thread_id} if facts.thread_id else {}),
        "inputs": facts.input,
        "outputs": facts.output,
    }
    given = [{**row, "score": decode_json(row["score"]), "value": decode_json(row["value"])} for row in feedback]
    return Subject(run, given)


def _run(facts: RunFacts, feedback: Sequence[Row]) -> LangSmithRun:
    started = facts.started_at or "1970-01-01T00:00:00+00:00"
    order = f"{datetime.fromisoformat(started):%Y%m%dT%H%M%S%f}Z{facts.run_id}"
    outputs = None if facts.output is None else _object(facts.output, "output")
    metadata = {**facts.metadata, "thread_id": facts.thread_id, "assistant_version": facts.assistant_version}
    return LangSmithRun(
        id=facts.run_id,
        name=facts.assistant_name or "run",
        run_type="chain",
        start_time=started,
        end_time=facts.ended_at,
        status=_status(facts),
        error=facts.error,
        inputs=_object(facts.input, "input"),
        outputs=outputs,
        extra={"metadata": metadata},
        session_id=facts.assistant_id,
        trace_id=facts.run_id,
        thread_id=facts.thread_id,
        dotted_order=order,
        feedback_stats=feedback_stats(feedback),
        tags=_tags(facts),
    )


def feedback_stats(feedback: Sequence[Row]) -> dict[str, Any]:
    """Return count, mean, standard deviation, values and comments by feedback key."""
    by_key: dict[str, list[Row]] = {}
    for row in feedback:
        by_key.setdefault(row["key"], []).append(row)
    return {key: _compute_stats(rows) for key, rows in by_key.items()}


def _compute_stats(rows: Sequence[Row]) -> dict[str, Any]:
    numbers = [row["number"] for row in rows if row["number"] is not None]
    mean = sum(numbers) / len(numbers) if numbers else None
    spread = math.sqrt(sum((one - mean) ** 2 for one in numbers) / len(numbers)) if mean is not None else None
    values: dict[str, int] = {}
    for row in rows:
        if (value := decode_json(row["value"])) is not None:
            values[str(value)] = values.get(str(value), 0) + 1
    comments = [row["comment"] for row in rows if row["comment"]]
    return {"n": len(rows), "avg": mean, "stdev": spread, "errors": 0, "values": values, "comments": comments}


def _status(facts: RunFacts) -> str:
    """Return LangSmith's status of a run: pending, success, error or interrupted."""
    return "pending" if facts.status == "running" else facts.status or "success"


def _tags(facts: RunFacts) -> list[str]:
    tags = facts.metadata.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _object(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {} if value is None else {name: value}


def _micros(field: str, text: str | None) -> int | None:
    return to_micros(parse_time(field, text)) if text else None


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _percentile(numbers: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile in seconds."""
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
