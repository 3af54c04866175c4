"""LangSmith's official JavaScript client, unmodified: each of its calls about feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
import uuid_utils
from litestar import Litestar

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.clients.node import node
from tests.feedback.conftest import serving

HOUR = 3_600_000
SLACK = 60_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("feedback") / "feedback.db"
    with serving(Litestar(plugins=[FeedbackPlugin(open_database(f"sqlite:///{file}"))])) as address:
        yield address


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
async def test_every_call_about_feedback_is_understood(url: str, prefix: str) -> None:
    run_id = str(uuid_utils.uuid7())
    wanted = [{"run_id": run_id, "feedback_key": f"key {number}"} for number in range(101)]
    async with httpx.AsyncClient(base_url=url) as http:
        (await http.post("/feedback/tokens", json=wanted)).raise_for_status()
    shown = json.loads(await node("langsmith.mjs", url + prefix, run_id))
    default, absolute, relative, zero = shown.pop("expiries")
    assert all(0 <= 3 * HOUR - left < SLACK for left in (default, zero))
    assert 0 <= 26 * HOUR + 180_000 - relative < SLACK
    assert absolute > 24 * HOUR
    configs = shown.pop("configs")
    assert shown == {
        "listedBefore": 101,
        "listed": [0, 1, 2, 3],
        "answers": [200, 200, 422, 200],
        "refused": 422,
        "read": [
            0.9877, "v", "c", {"a": 1}, {"type": "api", "metadata": {"who": "me"}, "user_id": None},
            "00000000-0000-4000-8000-000000000002", "2026-01-01T00:00:00+00:00",
        ],
        "updated": [0.5, None, "x"],
        "lists": {
            "every": ["judged", "legacy", "quality", "stars", "stars"],
            "keys": ["legacy", "quality"],
            "model": ["judged"],
            "app": ["judged", "legacy"],
        },
        "deleted": 404,
    }  # fmt: skip
    assert configs.pop("deleted") >= 2
    assert configs == {
        "same": True,
        "lower": True,
        "labels": [["a", "b", "c"], ["b", "c"]],
        "found": ["js_stars"],
        "enforced": ["js_topics"],
        "left": 0,
    }
