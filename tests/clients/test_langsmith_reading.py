"""LangSmith's unmodified client reads runs, projects and statistics, and stores datasets and annotation queues."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langsmith import Client
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError

from tests.clients.server_process import ServerProcess

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::langsmith.utils.LangSmithWarning"),
]
CONFIG = Path(__file__).parent / "workflowai" / "langgraph.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(CONFIG, tmp_path_factory.mktemp("langsmith")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Client:
    return Client(api_url=f"{server.url}/api/v1", api_key="any")


@pytest.fixture(scope="module")
def run(server: ServerProcess) -> Callable[..., str]:
    """Return a function that runs an agent to its end and returns the run's id."""

    def ran(agent: str = "growing", metadata: dict[str, Any] | None = None, **given: Any) -> str:
        body = {"assistant_id": agent, "input": given, "metadata": metadata, "on_completion": "keep"}
        response = httpx.post(f"{server.url}/runs/wait", json=body, timeout=30)
        return response.headers["content-location"].rsplit("/", 1)[1]

    return ran


@pytest.fixture(scope="module")
def judged(client: Client, run: Callable[..., str]) -> dict[str, str]:
    """Create runs with feedback of all kinds; return their ids by what the feedback says."""
    runs = {name: run(text=f"{name} words", metadata={"from": name}) for name in ("good", "bad", "silent")}
    runs["failed"] = run("broken", text="it")
    client.create_feedback(runs["good"], "stars", score=5, comment="nice", feedback_source_type="api")
    client.create_feedback(runs["good"], "length", score=1)
    client.create_feedback(runs["bad"], "stars", score=1)
    client.create_feedback(runs["bad"], "length", score=5)
    client.create_feedback(runs["failed"], "stars", score=1, value="wrong")
    return runs


def names(judged: dict[str, str], found: Any) -> set[str]:
    known = {run_id: name for name, run_id in judged.items()}
    return {known[str(one.id)] for one in found if str(one.id) in known}


def test_run_of_listed_feedback_is_read(client: Client, judged: dict[str, str]) -> None:
    [feedback] = client.list_feedback(run_ids=[judged["good"]], feedback_key=["stars"])
    read = client.read_run(feedback.run_id)
    assert (read.name, read.inputs, read.outputs) == ("growing", {"text": "good words"}, {"text": "good words"})
    assert (read.status, read.error, read.run_type, read.trace_id) == ("success", None, "chain", read.id)
    assert read.end_time is not None
    assert read.end_time >= read.start_time
    assert read.metadata["from"] == "good"
    assert read.feedback_stats is not None
    assert read.feedback_stats["stars"]["avg"] == 5
    assert read.feedback_stats["stars"]["comments"] == ["nice"]
    failed = client.read_run(judged["failed"])
    assert (failed.status, failed.error) == ("error", "ValueError: no it é")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"good", "bad", "silent", "failed"}),
        ({"error": True}, {"failed"}),
        ({"error": False}, {"good", "bad", "silent"}),
        ({"filter": 'eq(feedback_key, "stars")'}, {"good", "bad", "failed"}),
        ({"filter": 'and(eq(feedback_key, "stars"), eq(feedback_score, 1))'}, {"bad", "failed"}),
        ({"filter": 'and(eq(feedback_key, "stars"), gt(feedback_score, 3))'}, {"good"}),
        ({"trace_filter": 'and(eq(feedback_key, "length"), gte(feedback_score, 5))'}, {"bad"}),
        ({"filter": 'not(eq(feedback_key, "stars"))'}, {"silent"}),
        ({"filter": 'or(eq(feedback_value, "wrong"), eq(feedback_comment, "nice"))'}, {"good", "failed"}),
        ({"filter": 'and(eq(status, "success"), or(lt(feedback_score, 2), gt(latency, 100)))'}, {"good", "bad"}),
        ({"filter": "neq(error, null)"}, {"failed"}),
        ({"filter": 'gt(start_time, "2020-01-01T00:00:00Z")'}, {"good", "bad", "silent", "failed"}),
        ({"filter": 'and(eq(metadata_key, "from"), eq(metadata_value, "bad"))'}, {"bad"}),
        ({"filter": 'has(metadata, \'{"from": "silent"}\')'}, {"silent"}),
        ({"filter": 'search("GOOD words")'}, {"good"}),
        ({"query": "silent"}, {"silent"}),
        ({"is_root": False}, set()),
        ({"run_type": "llm"}, set()),
    ],
)
def test_runs_are_listed_by_filter(
    client: Client, judged: dict[str, str], given: dict[str, Any], expected: set[str]
) -> None:
    assert names(judged, client.list_runs(project_name="default", **given)) == expected
    assert names(judged, client.list_runs(id=list(judged.values()), **given)) == expected


def test_assistant_is_a_project_of_its_runs(client: Client, judged: dict[str, str]) -> None:
    assert names(judged, client.list_runs(project_name="broken")) == {"failed"}
    session = client.read_run(judged["failed"]).session_id
    assert client.read_project(project_id=str(session)).name == "broken"
    project = client.read_project(project_name="growing", include_stats=True)
    assert project.run_count is not None
    assert project.run_count >= 3
    assert project.feedback_stats is not None
    assert project.feedback_stats["stars"]["n"] == 2
    assert {"default", "growing", "broken"} <= {one.name for one in client.list_projects()}
    assert client.has_project("nonesuch") is False


def test_statistics_of_runs_are_counted(client: Client, judged: dict[str, str]) -> None:
    stats = client.get_run_stats(project_names=["default"], id=[uuid.UUID(one) for one in judged.values()])
    assert (stats["run_count"], stats["error_rate"]) == (4, 0.25)
    assert stats["feedback_stats"]["stars"]["n"] == 3
    assert stats["latency_p50"] <= stats["latency_p99"]


def test_more_runs_than_a_page_come_by_cursor(client: Client, server: ServerProcess) -> None:
    bodies = [{"assistant_id": "growing", "input": {"text": ""}, "metadata": {"batch": "1"}}] * 130
    httpx.post(f"{server.url}/runs/batch", json=bodies, timeout=30).raise_for_status()
    wanted = 'and(eq(metadata_key, "batch"), eq(metadata_value, "1"))'
    assert len({one.id for one in client.list_runs(project_name="growing", filter=wanted)}) == 130
    assert len(list(client.list_runs(project_name="growing", filter=wanted, limit=7))) == 7


def test_dataset_is_made_of_judged_runs(client: Client, judged: dict[str, str]) -> None:
    name = f"judged {uuid.uuid4()}"
    dataset = client.create_dataset(name, description="of runs", metadata={"team": "a"})
    with pytest.raises(LangSmithConflictError):
        client.create_dataset(name)
    example = client.create_example_from_run(client.read_run(judged["good"]), dataset_id=dataset.id)
    assert (example.inputs, example.outputs) == ({"text": "good words"}, {"text": "good words"})
    copied = client.create_example(source_run_id=judged["bad"], use_source_run_io=True, dataset_id=dataset.id)
    assert (copied.inputs, str(copied.source_run_id)) == ({"text": "bad words"}, judged["bad"])
    client.create_examples(
        dataset_name=name,
        inputs=[{"n": 1}, {"n": 2}],
        reference_outputs=[{"m": 1}, {"m": 2}],
        metadata=[{"from": "a"}, {"from": "b"}],
        splits=["train", "test"],
    )
    assert [one.inputs.get("n") for one in client.list_examples(dataset_id=dataset.id) if one.inputs][2:] == [1, 2]
    assert [one.outputs for one in client.list_examples(dataset_name=name, metadata={"from": "b"})] == [{"m": 2}]
    assert [one.inputs for one in client.list_examples(dataset_name=name, splits=["train"])] == [{"n": 1}]
    client.update_example(example.id, outputs={"text": "better"})
    assert client.read_example(example.id).outputs == {"text": "better"}
    client.delete_example(example.id)
    assert client.read_dataset(dataset_name=name).example_count == 3
    assert [one.name for one in client.list_datasets(dataset_name_contains=name[-8:])] == [name]
    client.delete_dataset(dataset_id=dataset.id)
    assert client.has_dataset(dataset_name=name) is False


def test_annotation_queue_gives_its_runs_in_order(client: Client, judged: dict[str, str]) -> None:
    queue = client.create_annotation_queue(name=f"todo {uuid.uuid4()}", rubric_instructions="Is it right?")
    order = [judged[name] for name in ("bad", "good", "failed")]
    client.add_runs_to_annotation_queue(queue.id, run_ids=order)
    client.add_runs_to_annotation_queue(queue.id, run_ids=order[:1])
    assert [str(one.id) for one in client.list_runs_from_annotation_queue(queue.id)] == order
    assert str(client.get_run_from_annotation_queue(queue.id, index=0).id) == order[0]
    client.delete_run_from_annotation_queue(queue.id, run_id=order[0])
    assert str(client.get_run_from_annotation_queue(queue.id, index=0).id) == order[1]
    with pytest.raises(LangSmithNotFoundError):
        client.get_run_from_annotation_queue(queue.id, index=2)
    client.update_annotation_queue(queue.id, name=f"done {queue.id}")
    assert client.read_annotation_queue(queue.id).rubric_instructions == "Is it right?"
    assert [one.id for one in client.list_annotation_queues(name=f"done {queue.id}")] == [queue.id]
    client.delete_annotation_queue(queue.id)
    assert list(client.list_annotation_queues(queue_ids=[queue.id])) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("eq(shoe_size, 1)", "shoe_size"),
        ("eq(name", "ends where"),
        ("drop(name, 1)", "drop"),
        ("eq(name, agent)", "quotes"),
        ("and(1, 2)", "comparisons"),
        ("eq(name, 1) eq(name, 2)", "one call"),
        ("(" * 200, "not readable"),
        ("not(" * 60 + "eq(name, 1)" + ")" * 60, "nested"),
    ],
)
def test_wrong_filter_is_refused_in_words(client: Client, text: str, words: str) -> None:
    with pytest.raises(LangSmithError, match=words):
        list(client.list_runs(project_name="default", filter=text))


def test_unserved_call_says_so(client: Client, server: ServerProcess) -> None:
    with pytest.raises(LangSmithNotFoundError, match="is not served here"):
        client.share_run(uuid.uuid4())
    with pytest.raises(LangSmithNotFoundError, match="runs of other servers"):
        client.read_run(uuid.uuid4())
    posted = httpx.post(f"{server.url}/api/v1/runs", json={})
    assert posted.status_code in (404, 405)
    assert "is not served here" in json.loads(posted.text)["detail"]
