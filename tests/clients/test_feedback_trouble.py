"""A feedback store in trouble costs no run its result: the stream has no `feedback` event, and the log says why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from agent_server import create_app
from agent_server.config import Config
from agent_server.runs.feedback import FeedbackUrls
from agent_server.runs.records import RunReference
from tests.clients.graphs import asking, failing, steps

BODY = {"input": {"total": 2, "question": "?"}, "stream_mode": "updates", "feedback_keys": ["up"]}


class Store:
    """A feedback store that responds once `before_response` returns."""

    def __init__(self, before_response: Callable[[], Any]) -> None:
        self._before_response = before_response

    async def urls_for_run(
        self, run: RunReference, keys: Sequence[str], base_url: str, _project: str | None
    ) -> dict[str, str]:
        await self._before_response()
        return dict.fromkeys(keys, f"{base_url}/feedback/tokens/{run.run_id}")

    def token_for_run(self, _run_id: str, _project: str | None) -> str | None:
        return None

    async def feedback_for_run(self, _run_id: str, _project: str | None) -> Sequence[Any]:
        return []


async def hang() -> None:
    await asyncio.Event().wait()


async def break_down() -> None:
    raise ConnectionError("the feedback store is down")


async def be_quick() -> None:
    return


@asynccontextmanager
async def serving(feedback: FeedbackUrls, directory: Path) -> AsyncIterator[AsyncTestClient[Litestar]]:
    config = Config(directory, data_dir=directory / "data", mint_timeout=0.2, allow_anyone=True)
    agents = {"steps": steps, "asking": asking, "failing": failing}
    async with AsyncTestClient(create_app(config, agents=agents, feedback=feedback)) as client:
        yield client


def events(stream: str) -> list[str]:
    return [line.removeprefix("event: ") for line in stream.splitlines() if line.startswith("event: ")]


TROUBLE = pytest.mark.parametrize(
    ("trouble", "warning"),
    [(hang, "feedback_urls_late"), (break_down, "feedback_urls_not_minted")],
    ids=["that hangs", "that is down"],
)


@TROUBLE
async def test_run_succeeds_whatever_the_feedback_store_does(
    tmp_path: Path, trouble: Callable[[], Any], warning: str
) -> None:
    with capture_logs() as logs:
        async with asyncio.timeout(30), serving(Store(trouble), tmp_path) as client:
            thread_id = (await client.post("/threads", json={})).json()["thread_id"]
            stream = await client.post(f"/threads/{thread_id}/runs/stream", json={**BODY, "assistant_id": "steps"})
            [run] = (await client.get(f"/threads/{thread_id}/runs")).json()
            thread = (await client.get(f"/threads/{thread_id}")).json()
    assert events(stream.text) == ["metadata", "updates", "updates"]
    assert (run["status"], thread["status"], thread["values"]["done"]) == ("success", "idle", [0, 1])
    warned = [line for line in logs if line["log_level"] == "warning"]
    assert [line["event"] for line in warned] == [warning]


@TROUBLE
async def test_other_run_endings_are_reported(tmp_path: Path, trouble: Callable[[], Any], warning: str) -> None:
    with capture_logs() as logs:
        async with asyncio.timeout(30), serving(Store(trouble), tmp_path) as client:
            failed = await client.post("/runs/stream", json={**BODY, "assistant_id": "failing"})
            interrupted = await client.post("/runs/stream", json={**BODY, "assistant_id": "asking"})
            waited = await client.post("/runs/wait", json={**BODY, "assistant_id": "steps"})
    assert events(failed.text) == ["metadata", "error"]
    assert events(interrupted.text) == ["metadata", "updates"]
    assert "__interrupt__" in interrupted.text
    assert waited.json()["done"] == [0, 1]
    assert "__feedback__" not in waited.json()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [warning] * 3


@pytest.mark.parametrize("trouble", [hang, break_down], ids=["that hangs", "that is down"])
async def test_later_join_succeeds_without_the_feedback_store(tmp_path: Path, trouble: Callable[[], Any]) -> None:
    """A run whose events have expired is returned from its row, with fresh URLs if there are any."""
    with capture_logs():
        config = Config(
            tmp_path, data_dir=tmp_path / "data", mint_timeout=0.2, keep_stream_seconds=0.05, allow_anyone=True
        )
        app = create_app(config, agents={"steps": steps}, feedback=Store(trouble))
        async with asyncio.timeout(30), AsyncTestClient(app) as client:
            thread_id = (await client.post("/threads", json={})).json()["thread_id"]
            body = {**BODY, "assistant_id": "steps"}
            run = (await client.post(f"/threads/{thread_id}/runs", json=body)).json()
            path = f"/threads/{thread_id}/runs/{run['run_id']}"
            await client.get(f"{path}/join")
            await asyncio.sleep(0.3)
            joined = await client.get(f"{path}/join")
            stream = await client.get(f"{path}/stream")
    assert joined.status_code == 200
    assert joined.json()["done"] == [0, 1]
    assert events(stream.text) == ["gap", "metadata", "values"]


async def test_slow_feedback_store_still_gives_urls(tmp_path: Path) -> None:
    with capture_logs():
        async with asyncio.timeout(30), serving(Store(be_quick), tmp_path) as client:
            stream = await client.post("/runs/stream", json={**BODY, "assistant_id": "steps"})
    assert events(stream.text) == ["metadata", "updates", "updates", "feedback"]
    assert json.loads(stream.text.rsplit("data: ", 1)[1].splitlines()[0])["up"].endswith(
        json.loads(stream.text.split("data: ", 1)[1].splitlines()[0])["run_id"]
    )
