"""The `openai` package of npm, unmodified, against the server."""

from __future__ import annotations

import json

import httpx

from tests.agent_server.backend import until
from tests.clients.node import node
from tests.clients.server_process import ServerProcess


async def test_agents_are_used_from_javascript(graphs: ServerProcess) -> None:
    shown = json.loads(await node("openai.mjs", f"{graphs.url}/v1"))
    assert {"echoing", "asking"} <= set(shown.pop("models"))
    run_id, [url] = shown.pop("run_id").removeprefix("chatcmpl-"), shown.pop("urls").values()
    token, sleeping = shown.pop("token"), shown.pop("sleeping")
    failed = shown.pop("failed")
    assert (failed["status"], failed["code"]) == (424, "agent_run_failed")
    assert "ValueError: boom é <1>" in failed["message"]
    assert shown == {
        "content": "You said Hello",
        "text": "Let me see\n\nIt is done",
        "finish": "stop",
        "keys": ["user_liked"],
        "asked": {"question": "why?"},
        "answered": "because",
        "events": ["response.created", "response.completed"],
        "output": ["Let me see", "It is done"],
        "responseKeys": ["user_liked"],
        "next": "You said Again",
        "unknown": {"status": 404, "code": "model_not_found"},
    }
    async with httpx.AsyncClient(base_url=graphs.url) as http:
        assert (await http.post(url, json={"score": 1})).status_code == 200
        sent = {"feedback_token": token, "outcome": "negative", "user_id": "ben"}
        assert (await http.post("/v1/feedback", json=sent)).status_code == 200
        feedback = (await http.get(f"/runs/{run_id}/feedback")).json()["feedback"]
        assert {one["score"] for one in feedback} == {0, 1}

        async def is_cancelled() -> bool:
            status = (await http.get(f"/v1/responses/{sleeping}")).json()["status"]
            return bool(status == "cancelled")

        await until(is_cancelled)
