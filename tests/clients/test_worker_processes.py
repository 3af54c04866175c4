"""Servers and workers as separate processes; a process that stops lets its runs end first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.server_process import GRAPHS, ServerProcess

pytestmark = pytest.mark.timeout(150)
PATIENCE_SECONDS = 60.0


class RoleProcess(ServerProcess):
    """A server process with other arguments than `serve`."""

    def __init__(self, arguments: list[str], directory: Path, config: Path = GRAPHS, **environ: str) -> None:
        super().__init__(config, directory, **environ)
        self._arguments = arguments

    def _command(self) -> list[str]:
        [python, dash_m, module, _, *options] = super()._command()
        return [python, dash_m, module, *self._arguments, *options]


def until(holds: Callable[[], Any]) -> Any:
    """Call `holds` until its result is true and return that."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.05)
    return found


def metrics(server: ServerProcess) -> dict[str, float]:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def post(server: ServerProcess, path: str, body: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = httpx.post(f"{server.url}{path}", json=body, timeout=30).raise_for_status().json()
    return made


def test_workers_execute_what_servers_accept(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    shared = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    with RoleProcess(["serve", "--no-worker"], tmp_path / "server", **shared) as server:
        run = post(server, "/runs", {"assistant_id": "steps", "input": {"total": 2}})
        assert until(lambda: metrics(server)["agent_server_queue_age_seconds"])
        found = metrics(server)
        assert (found["agent_server_queue_depth"], found["lg_api_workers_max"]) == (1, 0)
        with RoleProcess(["worker"], tmp_path / "worker", **shared) as worker:
            events = httpx.get(f"{server.url}/runs/{run['run_id']}/stream", timeout=60).text
            assert "event: metadata" in events
            assert "event: error" not in events
            until(lambda: metrics(worker)['agent_server_runs_ended_total{status="success"}'])
            assert metrics(server)["agent_server_queue_depth"] == 0
            refused = httpx.post(f"{worker.url}/threads", json={})
            assert (refused.status_code, "only executes runs" in refused.json()["detail"]) == (404, True)
            assert httpx.get(f"{worker.url}/ok?check_db=1").status_code == 200


@contextmanager
def streaming(server: ServerProcess, seconds: float) -> Iterator[Iterator[str]]:
    """Start a run of so many seconds on a new thread and yield the lines of its stream."""
    thread = post(server, "/threads", {})["thread_id"]
    body = {"assistant_id": "sleeping", "input": {"seconds": seconds}}
    with httpx.stream("POST", f"{server.url}/threads/{thread}/runs/stream", json=body, timeout=60) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: metadata"
        until(lambda: metrics(server)["lg_api_num_running_runs"])
        yield lines


def test_run_at_work_ends_before_its_server_stops(tmp_path: Path) -> None:
    with ServerProcess(GRAPHS, tmp_path, AGENT_SERVER_DRAIN_SECONDS="60") as server:
        with streaming(server, seconds=6) as lines:
            server.terminate()
            draining = until(lambda: _refusal(server))
            assert "about to stop" in draining["detail"]
            assert any(line.startswith("event: values") for line in lines)
        until(lambda: "Finished server process" in server.log())
        assert '"status": "success"' in server.log()


def _refusal(server: ServerProcess) -> Any:
    response = httpx.get(f"{server.url}/ok")
    return response.json() if response.status_code == 503 else None


def test_run_beyond_the_drain_limit_is_released(tmp_path: Path) -> None:
    with ServerProcess(GRAPHS, tmp_path, AGENT_SERVER_DRAIN_SECONDS="0.5") as server:
        with streaming(server, seconds=600) as lines:
            server.terminate()
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
        until(lambda: "Finished server process" in server.log())
        server.reap()
        server.start()
        until(lambda: metrics(server)["lg_api_num_running_runs"])


def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    with ServerProcess(GRAPHS, tmp_path, AGENT_SERVER_DRAIN_SECONDS="600") as server, streaming(server, seconds=600):
        server.terminate()
        until(lambda: _refusal(server))
        server.stop()
