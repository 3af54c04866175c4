"""What the dashboard, exports and erasures cost beside many stored pieces of feedback, in process."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.records.text_blocks import build_all
from feedback.reports.query import FeedbackQuery
from feedback.services import ProjectServices
from tests.benchmarks.amounts import Amounts
from tests.benchmarks.table import grid, in_rounds, medians, number
from tests.browser.dashboard import fill

EXPORTED = "shop"
"""The project that is exported; it has a tenth of the rows."""
OF_A_PERSON = 20
"""Each person of the erasures has a twentieth of a user's feedback: 50 pieces of a million. A user has 1,000."""
PEOPLE = """UPDATE feedback SET subject = 'person ' || subject
WHERE project = 'default' AND subject = :subject AND rowid % :part = 0"""
Side = Callable[[], Awaitable[Mapping[str, float]]]


async def million_table(amounts: Amounts) -> str:
    """Figures of reads, exports and erasures beside `amounts.stored_feedback` pieces of feedback."""
    with tempfile.TemporaryDirectory(prefix="agent-server-bench-") as directory:
        folder = Path(directory)
        await asyncio.to_thread(fill, folder, amounts.stored_feedback)
        url = f"sqlite:///{folder / 'feedback.db'}"
        async with FeedbackPlugin(open_database(url)).open() as service:
            users = [f"user {at}" for at in range(2 * amounts.slow_rounds)]
            for user in users:
                await service.database.write(
                    lambda db, user=user: db.execute(PEOPLE, subject=user, part=OF_A_PERSON)  # type: ignore[misc]
                )
            await build_all(service.database)
            sides = [
                *_reads(service.default),
                *_exports(service.get_services(EXPORTED), amounts),
                _erasures(service, "erasure of a person", [f"person {user}" for user in users]),
                _erasures(service, "erasure of a user", [f"user {len(users) + at}" for at in range(len(users))]),
            ]
            figures = medians(await in_rounds(sides, amounts.slow_rounds))
    rows = [("measured", "", "wall", "CPU", "aim")]
    for label, unit, aim in LINES:
        cells = (number(figures[f"{label} wall"]), number(figures[f"{label} cpu"]))
        rows.append((label, unit, *cells, aim))
    return f"{amounts.stored_feedback:,} pieces of feedback\n\n{grid(rows)}"


LINES = [
    ("filter choices", "ms", ""),
    ("statistics by day and source, 30 days", "ms", ""),
    ("statistics by version and source, 30 days", "ms", ""),
    ("list by run, 30 days", "ms", ""),
    ("search for a word that no text has", "ms", "<= 200"),
    ("export of JSON lines", "rows/s", "100,000"),
    ("export of CSV", "rows/s", "100,000"),
    ("erasure of a person", "ms", "<= 100"),
    ("erasure of a user", "ms", ""),
]


def _reads(services: ProjectServices) -> list[Side]:
    since = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT00:00:00Z")

    def query(text: str | None = None) -> FeedbackQuery:
        return FeedbackQuery(since=since, text=text)

    statistics = services.statistics
    reads: list[Callable[[], Awaitable[object]]] = [
        services.choices.all,
        lambda: statistics.groups(query(), ("source", "day"), limit=10_000, total=True),
        lambda: statistics.groups(query(), ("assistant", "version", "source"), limit=10_000),
        lambda: services.by_run.page(query()),
        lambda: services.reader.page(query("nowhere")),
    ]
    return [_timed(label, read) for (label, _, _), read in zip(LINES[: len(reads)], reads, strict=True)]


def _exports(services: ProjectServices, amounts: Amounts) -> list[Side]:
    rows = amounts.stored_feedback // 10

    async def drain(lines: AsyncIterator[bytes]) -> None:
        async for _ in lines:
            pass

    return [
        _timed("export of JSON lines", lambda: drain(services.exports.stream(FeedbackQuery(), "jsonl")), rows),
        _timed("export of CSV", lambda: drain(services.exports.stream(FeedbackQuery(), "csv")), rows),
    ]


def _erasures(service: FeedbackPlugin, label: str, subjects: list[str]) -> Side:
    left = iter(subjects)
    return _timed(label, lambda: service.default.erasure.erase_subject(next(left)))


def _timed(label: str, work: Callable[[], Awaitable[object]], rows: int | None = None) -> Side:
    """Return a side that measures milliseconds, or rows a second."""

    async def side() -> Mapping[str, float]:
        began, cpu = time.perf_counter(), _cpu()
        await work()
        taken = {f"{label} wall": time.perf_counter() - began, f"{label} cpu": _cpu() - cpu}
        return {name: seconds * 1000 if rows is None else rows / seconds for name, seconds in taken.items()}

    return side


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
