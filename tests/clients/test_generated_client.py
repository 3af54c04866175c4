"""A client that openapi-python-client generates from the document starts a run and submits feedback."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.timeout(180)  # the generator is slow on a busy machine
GENERATOR = Path(sys.executable).with_name("openapi-python-client")
PACKAGE = "generated_agent_server"


@pytest.fixture(scope="module")
def generated(graphs: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Generate the package and import it; its `WARNINGS` has the generator's warnings."""
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_bytes(httpx.get(f"{graphs.url}/openapi.json").content)
    (folder / "config.yml").write_text("post_hooks: []\n")  # formatting would take ten times as long
    options = ["--path", str(document), "--output-path", str(folder / PACKAGE), "--meta", "none"]
    options += ["--config", str(folder / "config.yml")]
    command = [str(GENERATOR), "generate", *options]
    path = {"PATH": str(GENERATOR.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=folder, env=path)
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        package = importlib.import_module(PACKAGE)
        package.WARNINGS = done.stdout + done.stderr  # type: ignore[attr-defined]
        yield package


def call(name: str) -> Any:
    """Return the synchronous function of an operation."""
    return importlib.import_module(f"{PACKAGE}.api.{name}").sync


def model(name: str) -> Any:
    return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


def test_every_operation_is_generated(generated: ModuleType) -> None:
    assert "Endpoint will not be generated" not in generated.WARNINGS
    assert "Unable to process schema" not in generated.WARNINGS


def test_generated_client_runs_and_submits_feedback(generated: ModuleType, graphs: ServerProcess) -> None:
    with generated.Client(base_url=graphs.url) as client:
        thread = call("threads.threads_create_thread")(client=client, body=model("ThreadCreate")())
        config = model("RunConfig")(recursion_limit=9)
        body = model("RunCreate")("steps", input_={"total": 1}, feedback_keys=["stars"], config=config)
        assert body.multitask_strategy.value == "enqueue"
        assert body.durability.value == "async"
        assert body.to_dict()["if_not_exists"] == "reject"
        run = call("runs.threads_thread_id_runs_create_run")(thread.thread_id, client=client, body=body)
        assert (run.assistant_id, run.multitask_strategy.value) == (run.assistant_id, "enqueue")
        joined = httpx.get(f"{graphs.url}/threads/{thread.thread_id}/runs/{run.run_id}/join").json()
        token = urlsplit(joined["__feedback__"]["stars"]).path.rsplit("/", 1)[1]
        submit = call("presigned_feedback.api_v1_feedback_tokens_submit")
        stored = submit(token, client=client, body=model("FeedbackSubmission")(score=5, comment="good"))
        assert stored.status == "created"
        [read] = call("feedback.api_v1_feedback_list_feedback")(client=client, run=[run.run_id])
        assert (read.key, read.score, read.comment) == ("stars", 5, "good")


def test_generated_client_reads_shapes_and_errors(generated: ModuleType, graphs: ServerProcess) -> None:
    with generated.Client(base_url=graphs.url) as client:
        thread = call("threads.threads_create_thread")(client=client, body=model("ThreadCreate")())
        body = {"assistant_id": "asking", "input": {"question": "why?"}}
        waited = httpx.post(f"{graphs.url}/threads/{thread.thread_id}/runs/wait", json=body)
        assert waited.status_code == 200
        state = call("threads.threads_thread_id_state_get_state")(thread.thread_id, client=client)
        [task] = state.tasks
        assert (task.name, task.interrupts[0].value) == ("ask", {"question": "why?"})
        missing = call("assistants.assistants_assistant_id_get_assistant")(
            "00000000-0000-4000-8000-000000000000", client=client
        )
        assert "not found" in missing.detail
