"""Feedback of runs on every route: the event and its mirror, an assistant's feedback keys, later URLs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_server.runs import feedback as run_feedback
from agent_server.runs.feedback import RunTokens
from tests.agent_server.api import Api, serving
from tests.agent_server.backend import MintedUrls, names, parsed, unknown_id


class Feedback(MintedUrls):
    """Numbered URLs, and one feedback on every run."""

    async def feedback_for_run(self, run_id: str, _project: str | None) -> Sequence[Any]:
        return [{"run_id": run_id, "key": "liked", "score": 1}]


class WithTokens(Feedback):
    def token_for_run(self, run_id: str, _project: str | None) -> str | None:
        if self.count < 0:
            raise ValueError("no keys")
        return f"token-of-{run_id}"


class Silent(MintedUrls):
    async def feedback_for_run(self, _run_id: str, _project: str | None) -> Sequence[Any]:
        raise ConnectionError("nobody there")


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, Feedback()) as api:
        yield api


async def run_of(api: Api, thread_id: str, **body: Any) -> str:
    """Run to the end and return the run's id."""
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": "echo", "input": {}, **body})
    await api.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")
    return str(run["run_id"])


async def keys_of(api: Api, body: Any) -> list[str]:
    return list((await api.post("/runs/wait", {"input": {}, **body})).get("__feedback__", {}))


async def test_run_feedback_has_records_and_fresh_urls(api: Api) -> None:
    thread_id = await api.thread()
    run_id = await run_of(api, thread_id, feedback_keys=["liked", "useful"])
    first = await api.get(f"/threads/{thread_id}/runs/{run_id}/feedback")
    again = await api.get(f"/runs/{run_id}/feedback")
    assert first["feedback"] == again["feedback"] == [{"run_id": run_id, "key": "liked", "score": 1}]
    assert list(first["urls"]) == ["liked", "useful"]
    assert first["urls"] != again["urls"]


async def test_run_without_keys_gets_urls_for_requested_keys(api: Api) -> None:
    thread_id = await api.thread()
    run_id = await run_of(api, thread_id)
    path = f"/threads/{thread_id}/runs/{run_id}/feedback"
    assert (await api.get(path))["urls"] == {}
    assert list((await api.get(f"{path}?keys=b&keys=a&keys=b"))["urls"]) == ["b", "a"]


async def test_unknown_run_and_wrong_keys_are_refused(api: Api) -> None:
    thread_id = await api.thread()
    run_id = await run_of(api, thread_id)
    assert (await api.refusal("GET", f"/threads/{thread_id}/runs/{unknown_id()}/feedback"))[0] == 404
    assert (await api.refusal("GET", f"/threads/{unknown_id()}/runs/{run_id}/feedback"))[0] == 404
    assert (await api.refusal("GET", "/runs/nonsense/feedback"))[0] == 422
    assert (await api.refusal("GET", f"/runs/{run_id}/feedback?keys="))[0] == 422
    assert (await api.refusal("GET", f"/runs/{run_id}/feedback?{'&'.join(f'keys={n}' for n in range(101))}"))[0] == 422


async def test_unresponsive_feedback_is_503_and_missing_feedback_empty(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, Silent()) as api:
        run_id = await run_of(api, await api.thread())
        assert (await api.refusal("GET", f"/runs/{run_id}/feedback"))[0] == 503
    async with serving(database_url, tmp_path) as api:
        assert await api.get(f"/runs/{run_id}/feedback?keys=a") == {"feedback": [], "urls": {}}


async def test_assistants_feedback_keys_are_its_runs_default(api: Api) -> None:
    body = {"graph_id": "echo", "metadata": {"feedback_keys": ["liked"]}}
    assistant_id = (await api.post("/assistants", body))["assistant_id"]
    assert await keys_of(api, {"assistant_id": assistant_id}) == ["liked"]
    assert await keys_of(api, {"assistant_id": assistant_id, "feedback_keys": ["other"]}) == ["other"]
    assert await keys_of(api, {"assistant_id": assistant_id, "feedback_keys": []}) == []
    await api.patch(f"/assistants/{assistant_id}", {"metadata": {"feedback_keys": None}})
    assert await keys_of(api, {"assistant_id": assistant_id}) == []


@pytest.mark.parametrize("keys", ["liked", [1], [""], {"liked": 1}])
async def test_assistants_unusable_feedback_keys_are_refused(api: Api, keys: Any) -> None:
    status, message = await api.refusal(
        "POST", "/assistants", {"graph_id": "echo", "metadata": {"feedback_keys": keys}}
    )
    assert status == 422
    assert "metadata.feedback_keys" in message
    body = {"graph_id": "echo", "metadata": {"feedback_keys": ["liked"]}}
    assistant_id = (await api.post("/assistants", body))["assistant_id"]
    patch = {"metadata": {"feedback_keys": keys}}
    assert (await api.refusal("PATCH", f"/assistants/{assistant_id}", patch))[0] == 422


async def test_feedback_urls_may_come_as_a_custom_event(database_url: str, tmp_path: Path) -> None:
    body = {"assistant_id": "echo", "input": {}, "feedback_keys": ["liked"]}
    async with serving(database_url, tmp_path, Feedback(), feedback_custom_event=True, keep_stream_seconds=0.01) as api:
        live = parsed((await api.send("POST", "/runs/stream", body)).content)
        assert names(live)[-2:] == ["custom", "feedback"]
        assert live[-2][1] == {"feedback": live[-1][1]}
        run_id = live[0][1]["run_id"]
        for _ in range(500):
            later = parsed((await api.send("GET", f"/runs/{run_id}/stream")).content)
            if names(later)[0] == "gap":
                break
        assert names(later) == ["gap", "metadata", "values", "custom", "feedback"]
        assert later[-2][1] == {"feedback": later[-1][1]}


class WithCountedTokens(Feedback):
    def token_for_run(self, _run_id: str, _project: str | None) -> str | None:
        self.count += 1
        return f"token-{self.count}"


async def test_new_run_has_one_token(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, WithCountedTokens()) as api:
        for _ in range(3):
            response = await api.send("POST", "/runs/stream", {"assistant_id": "echo", "input": {}})
            assert parsed(response.content)[0][1]["feedback_token"] == response.headers["X-Feedback-Token"]


def test_later_token_of_run_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = RunTokens(WithCountedTokens())
    seen = [tokens.make("run", None), tokens.make("run", None)]
    monkeypatch.setattr(run_feedback, "REUSE_SECONDS", 0)
    assert [*seen, tokens.make("run", None)] == [seen[0], seen[0], "token-2"]


async def test_creating_response_carries_the_feedback_token(database_url: str, tmp_path: Path) -> None:
    feedback = WithTokens()
    async with serving(database_url, tmp_path, feedback) as api:
        thread_id = await api.thread()
        body = {"assistant_id": "echo", "input": {}}
        for base in ("/runs", f"/threads/{thread_id}/runs"):
            for path in (base, f"{base}/stream", f"{base}/wait"):
                response = await api.send("POST", path, body)
                run_id = response.headers["Content-Location"].rpartition("/")[2]
                assert response.headers["X-Feedback-Token"] == f"token-of-{run_id}"
                if path.endswith("stream"):
                    assert parsed(response.content)[0][1]["feedback_token"] == f"token-of-{run_id}"
        feedback.count = -100
        response = await api.send("POST", "/runs/wait", body)
        assert response.status_code == 200
        assert "X-Feedback-Token" not in response.headers
