"""A2A's official JavaScript package, unmodified, in both of its versions."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

STATES = {"1.0": ("3", "6", "4"), "0.3": ("completed", "input-required", "failed")}


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_tasks_are_worked_on_from_javascript(graphs: ServerProcess, version: str) -> None:
    shown = json.loads(await node("a2a.mjs", graphs.url, version))
    completed, waiting, failed = STATES[version]
    assert (shown["state"], shown["reply"]) == (completed, "You said Hello")
    assert shown["asked"] == [waiting, {"question": "why?"}]
    assert shown["answered"] == [completed, True, "because"]
    assert shown["failed"] == [failed, "ValueError: boom é <1>"]
    assert "not found" in shown["unknown"]
    kinds = [kind.replace("-", "").lower() for kind in shown["events"]]
    assert (kinds[0], kinds[-2:]) == ("task", ["artifactupdate", "statusupdate"])
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        assert (await http.post(shown["feedback"]["urls"]["user_liked"], json={"score": 1})).status_code == 200
        feedback = (await http.get(f"/runs/{shown['run_id']}/feedback")).json()["feedback"]
    assert [(one["key"], one["score"]) for one in feedback] == [("user_liked", 1)]
