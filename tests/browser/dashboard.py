"""Servers with a dashboard, and feedback for it, sent over HTTP as programs send it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar

from agent_server.composition import build
from agent_server.config import Config
from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback.projects.schema import ProjectCreate
from tests.feedback.conftest import serving

AGENT = '''"""An agent that says everything twice."""


async def twice(given):
    yield given["text"] + " " + given["text"]
'''
RUNS = "018f0000-0000-7000-8000-0000000000"
TURNS = [{"type": "human", "content": "Where is my refund?"}, {"type": "ai", "content": "On its way."}]


async def look_up(run_id: str) -> RunFacts | None:
    """Return a run of the assistant `help`; the end of its id names the version. Runs of version 9 are gone."""
    if not run_id.startswith(RUNS) or run_id.endswith("09"):
        return None
    facts = {"input": {"messages": TURNS[:1]}, "output": {"messages": TURNS}}
    return RunFacts(run_id, "thread", "help", int(run_id[-2:]), **facts, assistant_name="Help desk")


@contextmanager
def dashboard(folder: Path, **options: Any) -> Iterator[str]:
    """Yield the address of a server that has only feedback; its runs are another server's."""
    database = open_database(f"sqlite:///{folder / 'feedback.db'}")
    with serving(Litestar(plugins=[FeedbackPlugin(database, run_lookup=look_up, **options)])) as url:
        yield url


WORDS = (
    "Splendid work",
    "مرحبا، هذا بطيء جدا",
    "👩‍👩‍👧‍👦 wow",
    "<b>not</b> <i>bold</i>",
    "Donaudampfschiff" * 30,
    None,
)
FILL = """WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows)
INSERT INTO feedback (id, project, run_id, key, subject, source, number, score, comment, thread_id, assistant_id,
    assistant_version, created_at, modified_at)
SELECT printf('%08x-0000-4000-8000-%012x', i, :project_number), :project,
    printf('%08x-0000-4000-8000-%012x', i / 2, :project_number + 1000),
    CASE i % 10 WHEN 0 THEN 'latency' WHEN 1 THEN 'stars' WHEN 2 THEN 'tone' WHEN 3 THEN 'disliked' ELSE 'thumbs' END,
    'user ' || (i % 997), CASE WHEN i % 10 = 0 THEN 'model' ELSE 'app' END,
    CASE i % 10 WHEN 0 THEN i * 7 % 4001 WHEN 1 THEN 1 + i / 10 % 5 WHEN 2 THEN i / 10 % 3 ELSE i % 3 > 0 END, '1',
    CASE i % 6 WHEN 0 THEN :w0 WHEN 1 THEN :w1 WHEN 2 THEN :w2 WHEN 3 THEN :w3 WHEN 4 THEN :w4 END,
    'thread ' || (i / 20), 'assistant ' || (i / 10 % 5), 1 + i / 50 % 18,
    now_us() - i * (2000000000000 / :rows), now_us() - i * (2000000000000 / :rows)
FROM n"""


def fill(folder: Path, rows: int = 20_000) -> None:
    """Insert so many pieces of feedback of every kind, on five assistants with eighteen versions, over three weeks.

    They are in the project `default`; a tenth as many are in the project `shop`.
    """

    async def work() -> None:
        async with FeedbackPlugin(open_database(f"sqlite:///{folder / 'feedback.db'}")).open() as service:
            words = {f"w{at}": text for at, text in enumerate(WORDS[:-1])}
            await service.projects.create(ProjectCreate("shop"))
            for at, (project, some) in enumerate({"default": rows, "shop": rows // 10}.items()):
                given = {"rows": some, "project": project, "project_number": at, **words}
                await service.database.write(lambda db, given=given: db.execute(FILL, **given))  # type: ignore[misc]

    with ThreadPoolExecutor(1) as threads:  # Playwright's event loop runs in this thread
        threads.submit(asyncio.run, work()).result()


@contextmanager
def whole_server(folder: Path) -> Iterator[str]:
    """Yield the address of an agent server with feedback beside it and the agent `twice`."""
    (folder / "agent.py").write_text(AGENT)
    (folder / "langgraph.json").write_text(json.dumps({"graphs": {"twice": "./agent.py:twice"}}))
    environ = {
        "AGENT_SERVER_DATA_DIR": str(folder),
        "AGENT_SERVER_ALLOW_ANYONE": "true",
        "AGENT_SERVER_FEEDBACK_RUN_METADATA": "plan,tenant",
    }
    with serving(build(Config.load(folder / "langgraph.json", environ))) as url:
        yield url


def send_feedback(
    url: str, score: Any = None, *, version: int = 1, days_ago: float = 0, api_key: str = "", **more: Any
) -> str:
    """Create a feedback of so many days ago on a run of this version, and return its id."""
    at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    body = {"run_id": f"{RUNS}{version:02d}", "key": "thumbs", "score": score, "created_at": at, **more}
    response = httpx.post(f"{url}/feedback", json=body, headers={"x-api-key": api_key} if api_key else {})
    assert response.status_code == 200, response.text
    return str(response.json()["id"])
