"""EvalGuard's official Python client, unmodified, in its own environment, mints tokens here and spends them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from agent_server.database import open_database
from feedback import FeedbackPlugin
from tests.clients.server_process import ROOT
from tests.feedback.conftest import serving

PYTHON = ROOT / ".venv-evalguard" / "bin" / "python"
KEY = "eg_key"
MINT, SPEND = "/v1/feedback/token", "/v1/feedback/submit"
TRACE = {"resource_type": "trace", "resource_id": "trace 7"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    plugin = FeedbackPlugin(open_database(f"sqlite:///{tmp_path / 'feedback.db'}"), api_keys=[KEY])
    with serving(Litestar(plugins=[plugin])) as address:
        yield address


def call(base: str, *calls: tuple[str, dict[str, Any]], key: str = KEY, **headers: str) -> list[dict[str, Any]]:
    """Make the calls with the client and return how each ended."""
    if not PYTHON.exists():
        pytest.fail(f"EvalGuard's client is not at {PYTHON.parent.parent}: run `make test`, which installs it")
    encoded = json.dumps([[path, body, headers] for path, body in calls])
    script = Path(__file__).parent / "evalguard_calls.py"
    done = subprocess.run([PYTHON, script, base, key, encoded], capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode == 0, done.stderr
    ended: list[dict[str, Any]] = json.loads(done.stdout)
    return ended


@pytest.mark.parametrize("base", ["/api", "/api/v1", "/api/v1/"])
def test_token_is_minted_and_spent_once(url: str, base: str) -> None:
    [minted] = call(url + base, (MINT, TRACE))
    left = datetime.fromisoformat(minted["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    submission = {"token": minted["token"], "score": 1.0, "label": "good", "comment": "Made me laugh."}
    first, second = call(url + base, (SPEND, submission), (SPEND, submission))
    assert first["status"] == "created"
    assert (second["status"], second["code"]) == (410, "token_used")
    [feedback] = httpx.get(f"{url}/feedback", params={"run": "trace 7"}, headers={"x-api-key": KEY}).json()
    stored = [feedback[name] for name in ("key", "score", "value", "comment")]
    assert stored == ["trace", 1.0, "good", "Made me laugh."]


def test_repeated_idempotency_key_is_one_token_and_feedback(url: str) -> None:
    """The client sends each retry with the key of the first attempt."""
    first, again = call(f"{url}/api", (MINT, TRACE), (MINT, TRACE), **{"Idempotency-Key": "k"})
    assert first == again
    submission = {"token": first["token"], "score": 0}
    ended = call(f"{url}/api", (SPEND, submission), (SPEND, submission), **{"Idempotency-Key": "s"})
    assert [one["status"] for one in ended] == ["created", "unchanged"]


def test_client_understands_why_it_is_refused(url: str) -> None:
    wrong = (MINT, {**TRACE, "expires_in_seconds": 86_401})
    unknown = (SPEND, {"token": "AQID" * 20, "score": 1})
    [refused], [late, stray] = call(f"{url}/api", (MINT, TRACE), key="wrong"), call(f"{url}/api", wrong, unknown)
    assert (refused["status"], refused["code"]) == (401, "unauthorized")
    assert (late["status"], stray["status"], stray["code"]) == (400, 404, "token_unknown")
    assert "send 1 to 86400" in late["message"]


def test_annotations_are_kept_and_listed(url: str) -> None:
    arguments = {"project_id": "default", "log_id": "run 7"}
    made, other, listed = call(
        f"{url}/api",
        ("create_annotation", {**arguments, "label": "wrong", "score": 0.25, "notes": "Too long"}),
        ("create_annotation", {**arguments, "label": "right"}),
        ("list_annotations", {"project_id": "default"}),
    )
    assert (made["label"], made["score"], made["notes"], made["logId"]) == ("wrong", 0.25, "Too long", "run 7")
    assert [one["id"] for one in listed] == [other["id"], made["id"]]
    [feedback, _] = httpx.get(f"{url}/feedback", params={"run": "run 7"}, headers={"x-api-key": KEY}).json()
    assert (feedback["key"], feedback["feedback_source"]["type"]) == ("annotation", "app")


def test_scorer_is_calibrated_by_pairs_and_scores(url: str) -> None:
    pairs = [{"human": human, "machine": machine} for human, machine in ((True, True), (False, False)) * 10]
    scored = [{"humanPass": score > 0.6, "machineScore": score} for score in (0.1, 0.3, 0.5, 0.7, 0.9)]
    agreed, found, refused = call(
        f"{url}/api",
        ("calibrate_scorer", {"pairs": pairs}),
        ("calibrate_scorer", {"scored": scored, "scorer_id": "judge", "current_threshold": 0.2}),
        ("calibrate_scorer", {"pairs": [{"human": 1}]}),
    )
    assert (agreed["n"], agreed["agreement"]["kappa"]) == (20, 1.0)
    assert agreed["agreement"]["confusion"]["truePositive"] == 10
    assert agreed["agreement"]["kappaInterval"] == {"low": 1.0, "high": 1.0, "level": 0.95}
    assert found["thresholds"]["best"]["threshold"] == 0.6
    assert found["thresholds"]["current"]["kappa"] < 1
    summary = found["threshold"]  # the shape that EvalGuard's TypeScript client declares, plus `accuracy`
    assert (summary["best"], summary["agreementAtBest"]) == (0.6, 1.0)
    assert summary["improvement"] == pytest.approx(1 - found["thresholds"]["current"]["kappa"])
    assert (agreed["agreement"]["accuracy"], agreed["threshold"]) == (1.0, None)
    assert refused["status"] == 400


def test_scorer_is_calibrated_by_stored_feedback(url: str) -> None:
    headers = {"x-api-key": KEY}
    for number in range(12):
        for source, score in (("model", number / 12), ("app", int(number > 6))):
            body = {"run_id": f"run {number}", "key": "helpful", "score": score, "feedback_source": {"type": source}}
            assert httpx.post(f"{url}/feedback", json=body, headers=headers).status_code == 200
    request_body = {"scorerId": "helpful"}
    found = httpx.post(f"{url}/api/v1/scorers/calibrate", json=request_body, headers=headers).json()
    assert (found["n"], found["agreement"]["kappa"]) == (12, 0.833333)
    assert found["thresholds"]["best"]["kappa"] == 1.0
    unknown = httpx.post(f"{url}/api/v1/scorers/calibrate", json={"scorerId": "nonesuch"}, headers=headers)
    assert (unknown.status_code, unknown.json()["success"]) == (400, False)
    assert "nonesuch" in unknown.json()["error"]["message"]
