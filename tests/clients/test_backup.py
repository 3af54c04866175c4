"""A backup taken while the server works has the server's whole state."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients import fork_server
from tests.clients.conftest import StartServer
from tests.clients.server_process import GRAPHS, ROOT, ServerProcess
from tests.clients.test_crash import (
    Acknowledged,
    all_feedback,
    http_client,
    run_and_get_urls,
    wait_until,
    work_until_the_server_dies,
)

pytestmark = pytest.mark.timeout(150)


def test_restored_copy_has_all_acknowledged_data(start_server: StartServer, tmp_path: Path) -> None:
    server, copied = start_server(), tmp_path / "copied" / "data"
    known = Acknowledged()
    with http_client(server) as http, ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(work_until_the_server_dies, server, known) for _ in range(4)]
        thread_id = http.post("/threads", json={}).json()["thread_id"]
        slow = {"assistant_id": "steps", "input": {"total": 12, "pause": 0.3}}
        run_id = http.post(f"/threads/{thread_id}/runs", json=slow).json()["run_id"]
        http.put("/store/items", json={"namespace": ["a"], "key": "k", "value": {"kept": True}})
        urls = run_and_get_urls(http)
        assert http.post(urls["user_liked"], json={"score": 1, "comment": "before"}).status_code == 200
        wait_until(lambda: len(known.comments) >= 8 and bool(_state(server, thread_id)))
        runs, comments, minted = list(known.runs), list(known.comments), list(known.urls)
        output = back_up(server.data_dir, copied)
        server.kill()
        for client in clients:
            client.result(30)
    assert [Path(line).name for line in output.splitlines()] == ["runs.db", "store.db", "feedback.db"]
    with ServerProcess(GRAPHS, copied.parent) as copy, http_client(copy) as http:
        stored = {feedback["comment"] for feedback in all_feedback(http)}
        assert {"before", *comments} <= stored
        for url in [*urls.values(), *minted]:
            path = url.removeprefix(server.url)
            assert http.post(path, json={"score": 0, "comment": "after"}).status_code == 200
        for thread, run in runs:
            assert http.get(f"/threads/{thread}/runs/{run}/join").json()["done"] == [0]
        assert http.get(f"/threads/{thread_id}/runs/{run_id}/join").json()["done"] == list(range(12))
        item = http.get("/store/items", params={"namespace": "a", "key": "k"}).json()
        assert item["value"] == {"kept": True}


def _state(server: ServerProcess, thread_id: str) -> list[int]:
    """Return the steps that the slow run has written so far."""
    with http_client(server) as http:
        done: list[int] = http.get(f"/threads/{thread_id}/state").json()["values"].get("done", [])
        return done


def test_stopped_server_is_copied_and_targets_never_overwritten(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    with http_client(server) as http:
        run_and_get_urls(http)
    server.stop()
    back_up(server.data_dir, tmp_path / "one")
    assert "is there already" in refused(server.data_dir, tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_copy_of_nothing_and_of_postgresql_is_refused(tmp_path: Path) -> None:
    assert "There is no data" in refused(tmp_path / "none", tmp_path / "copy")
    output = refused(tmp_path / "none", tmp_path / "copy", DATABASE_URL="postgresql://nobody@localhost/nothing")
    assert "pg_dump" in output
    assert not (tmp_path / "copy").exists()


def back_up(data_dir: Path, target: Path) -> str:
    """Run `agent-server backup` and return its output."""
    done = _run(data_dir, target)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(data_dir: Path, target: Path, **environ: str) -> str:
    """Run `agent-server backup` where it must fail and return its error output."""
    done = _run(data_dir, target, **environ)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def _run(data_dir: Path, target: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["backup", "--config", str(GRAPHS), "--data-dir", str(data_dir), str(target)]
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return fork_server.run(command, ROOT, {**inherited, "PYTHONPATH": str(ROOT), **environ})
