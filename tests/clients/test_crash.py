"""Nothing acknowledged is lost: the server is killed (SIGKILL) and restarted on the same data directory."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import StartServer
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.timeout(150)
KEYS = ["user_liked", "user_disliked"]


def test_acknowledged_feedback_survives_a_kill(start_server: StartServer) -> None:
    server = start_server()
    with http_client(server) as http:
        url = run_and_get_urls(http)["user_liked"]
        response = http.post(url, json={"score": 1, "comment": "kept?"})
        server.kill()
    assert response.status_code == 200
    server.start()
    with http_client(server) as http:
        [feedback] = http.get("/feedback").json()
    assert (feedback["key"], feedback["score"], feedback["comment"]) == ("user_liked", 1, "kept?")


def test_acknowledged_run_survives_a_kill(start_server: StartServer) -> None:
    server = start_server()
    with http_client(server) as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "steps", "input": {"total": 3}}
        response = http.post(f"/threads/{thread_id}/runs", json=body)
        server.kill()
    assert response.status_code == 200
    server.start()
    with http_client(server) as http:
        run = response.json()
        assert http.get(f"/threads/{thread_id}/runs/{run['run_id']}/join").json()["done"] == [0, 1, 2]
        assert http.get(f"/threads/{thread_id}/runs/{run['run_id']}").json()["status"] == "success"


def test_thread_and_its_queue_are_kept(start_server: StartServer) -> None:
    server = start_server()
    with http_client(server) as http:
        thread_id = http.post("/threads", json={"metadata": {"mine": True}}).json()["thread_id"]
        slow = {"assistant_id": "steps", "input": {"total": 2, "pause": 0.3}}
        runs = [http.post(f"/threads/{thread_id}/runs", json=slow).json()["run_id"] for _ in range(3)]
        server.kill()
    server.start()
    with http_client(server) as http:
        assert http.get(f"/threads/{thread_id}").json()["metadata"]["mine"] is True
        for number, run_id in enumerate(runs, 1):
            steps = http.get(f"/threads/{thread_id}/runs/{run_id}/join").json()["done"]
            assert steps == list(range(number + 1))  # the first run takes two steps, each other one
        listed = http.get(f"/threads/{thread_id}/runs").json()
        assert [(run["run_id"], run["status"]) for run in listed] == [(run, "success") for run in reversed(runs)]


@pytest.mark.parametrize("durability", ["async", "sync"])
def test_run_goes_on_from_its_last_checkpoint(start_server: StartServer, tmp_path: Path, durability: str) -> None:
    server, journal = start_server(), tmp_path / "journal"
    total = 15
    with http_client(server) as http:
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        given = {"total": total, "pause": 0.15, "journal": str(journal)}
        body = {"assistant_id": "steps", "input": given, "durability": durability, "feedback_keys": KEYS}
        run_id = http.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]
        wait_until(lambda: len(steps_of(journal)) >= 6)
        checkpointed = http.get(f"/threads/{thread_id}/state").json()["values"]["done"]
        server.kill()
    assert checkpointed == list(range(len(checkpointed)))
    assert 3 <= len(checkpointed) < total
    server.start()
    with http_client(server) as http:
        values = http.get(f"/threads/{thread_id}/runs/{run_id}/join").json()
        assert values["done"] == list(range(total))
        for url in values["__feedback__"].values():
            assert http.post(url, json={"score": 1}).status_code == 200
        assert http.get(f"/threads/{thread_id}/runs/{run_id}").json()["status"] == "success"
    times = Counter(steps_of(journal))
    assert set(times) == set(range(total))
    assert [times[number] for number in checkpointed] == [1] * len(checkpointed)
    assert sum(times.values()) <= total + 2  # the running step may repeat, and one whose checkpoint was being written


def test_delivered_urls_still_accept_feedback(start_server: StartServer) -> None:
    server = start_server()
    with http_client(server) as http:
        urls = [url for _ in range(5) for url in run_and_get_urls(http).values()]
        server.kill()
    server.start()
    with http_client(server) as http:
        for url in urls:
            assert http.post(url, json={"score": 1}).status_code == 200
        assert len(http.get("/feedback", params={"limit": 100}).json()) == len(urls)


def test_kill_under_load_loses_and_doubles_nothing(start_server: StartServer) -> None:
    server = start_server()
    known = Acknowledged()
    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(work_until_the_server_dies, server, known) for _ in range(8)]
        wait_until(lambda: len(known.comments) >= 60)
        server.kill()
        for client in clients:
            client.result(30)
    server.start()
    with http_client(server) as http:
        for thread_id, run_id in known.runs:
            assert http.get(f"/threads/{thread_id}/runs/{run_id}/join").json()["done"] == [0]
        for url in known.urls:
            assert http.post(url, json={"score": 1, "comment": "later"}).status_code == 200
        stored = Counter(feedback["comment"] for feedback in all_feedback(http))
    assert [stored[comment] for comment in known.comments] == [1] * len(known.comments)
    assert stored["later"] == len(known.urls)
    unsure = set(stored) - set(known.comments) - {"later"}
    assert len(unsure) <= 8  # stored before the kill, acknowledged to no client: at most one for each client


@dataclass
class Acknowledged:
    """What the server acknowledged to the clients with a 200."""

    runs: list[tuple[str, str]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def work_until_the_server_dies(server: ServerProcess, known: Acknowledged) -> None:
    """Start runs, get URLs, submit feedback, and record what is acknowledged, until the server dies."""
    with suppress(httpx.TransportError), http_client(server) as http:
        while True:
            thread_id = http.post("/threads", json={}).json()["thread_id"]
            body = {"assistant_id": "steps", "input": {"total": 1}}
            run_id = http.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"]
            known.runs.append((thread_id, run_id))
            urls = run_and_get_urls(http)
            known.urls += urls.values()
            comment = uuid.uuid4().hex
            if http.post(urls["user_liked"], json={"score": 1, "comment": comment}).status_code == 200:
                known.comments.append(comment)


@contextmanager
def http_client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=40) as http:
        yield http


def run_and_get_urls(http: httpx.Client) -> dict[str, str]:
    """Wait for a run and return its feedback URLs."""
    body = {"assistant_id": "steps", "input": {"total": 1}, "feedback_keys": KEYS}
    urls: dict[str, str] = http.post("/runs/wait", json=body).json()["__feedback__"]
    return urls


def all_feedback(http: httpx.Client) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    while page := http.get("/feedback", params={"limit": 100, "offset": len(listed)}).json():
        listed += page
    return listed


def steps_of(journal: Path) -> list[int]:
    """Return the steps that ran, in their order."""
    return [int(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def wait_until(true: Callable[[], bool], seconds: float = 40) -> None:
    give_up_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_at, "it did not come to pass in time"
        time.sleep(0.02)
