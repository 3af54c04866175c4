"""`agent-server keys`, and the conditions for serving on a network, with server processes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_server.access.key_cache import FRESH_SECONDS
from tests.clients import fork_server
from tests.clients.server_process import ServerProcess

ROOT = Path(__file__).parents[3]
PLAIN = "async def agent(given):\n    yield {'given': given}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.py").write_text(PLAIN)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"agent": "./agent.py:agent"}}')
    return tmp_path


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return fork_server.run(arguments, folder, {**inherited, "PYTHONPATH": str(ROOT), **environ})


def parsed_output(folder: Path, *arguments: str, **environ: str) -> Any:
    done = run(folder, *arguments, "--json", **environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_key_is_made_for_a_project(folder: Path) -> None:
    made = run(folder, "keys", "create", "shop", "--scope", "feedback-mint", "--project", "shop")
    assert (made.returncode, "feedback-mint (feedback of the project shop only)" in made.stderr) == (0, True)
    [listed] = parsed_output(folder, "keys", "list")
    assert (listed["scopes"], listed["project"]) == (["feedback-mint"], "shop")
    refused = run(folder, "keys", "create", "shop", "--project", "My Shop")
    assert (refused.returncode, "no project's name" in refused.stderr) == (2, True)


@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_key_is_made_shown_once_listed_and_revoked(folder: Path, where: str, request: pytest.FixtureRequest) -> None:
    environ = {"DATABASE_URL": request.getfixturevalue("postgres_url")} if where == "postgres" else {}
    made = run(folder, "keys", "create", "web", "--scope", "run", "--days", "30", **environ)
    key = made.stdout.strip()
    assert (made.returncode, key.startswith("as_"), "cannot be shown again" in made.stderr) == (0, True, True)
    listed = run(folder, "keys", "list", **environ).stdout
    assert all(word in listed for word in ("web", key[-4:], "run", "id", "expires"))
    assert key not in listed
    [one] = parsed_output(folder, "keys", "list", **environ)
    assert (one["name"], one["scopes"], one["revoked_at"]) == ("web", ["run"], None)
    assert parsed_output(folder, "keys", "revoke", one["key_id"], **environ)["revoked_at"] is not None
    unknown = run(folder, "keys", "revoke", "nobody", **environ)
    assert (unknown.returncode, "There is no key 'nobody'" in unknown.stderr) == (1, True)


def test_key_changes_take_effect_while_serving(folder: Path, tmp_path: Path) -> None:
    with ServerProcess(folder / "langgraph.json", tmp_path / "server") as server:
        assert httpx.post(f"{server.url}/threads", json={}).status_code == 200
        key = parsed_output(folder, "keys", "--data-dir", str(server.data_dir), "create", "web")["key"]
        until(server, {}, 401)
        until(server, {"x-api-key": key}, 200)
        assert run(folder, "keys", "--data-dir", str(server.data_dir), "revoke", "web").returncode == 0
        until(server, {"x-api-key": key}, 401)
        assert key not in server.log()


def until(server: ServerProcess, headers: dict[str, str], status: int) -> None:
    """Repeat the request until it has the status; the cached keys may be some seconds old."""
    end = time.monotonic() + FRESH_SECONDS + 10
    while time.monotonic() < end:
        if httpx.post(f"{server.url}/threads", json={}, headers=headers).status_code == status:
            return
    raise AssertionError(f"no answer had the status {status}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_network_server_refuses_to_start_without_keys(folder: Path, host: str) -> None:
    done = run(folder, "serve", "--port", "0", "--host", host)
    assert done.returncode == 1
    for way in ("agent-server keys create", "AGENT_SERVER_API_KEYS", "--allow-anyone", "127.0.0.1", "`auth`"):
        assert way in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"AGENT_SERVER_API_KEYS": "a-key-of-sixteen-or-more"}, 401),
        ({"AGENT_SERVER_ALLOW_ANYONE": "true"}, 200),
    ],
)
def test_network_server_starts_with_keys_or_explicit_permission(
    folder: Path, tmp_path: Path, environ: dict[str, str], status: int
) -> None:
    with ServerProcess(
        folder / "langgraph.json", tmp_path / "server", AGENT_SERVER_HOST="0.0.0.0", **environ
    ) as server:
        headers = {"Host": "agents.example"}
        assert httpx.post(f"{server.url}/threads", json={}, headers=headers).status_code == status
        headers["Authorization"] = "Bearer a-key-of-sixteen-or-more"
        assert httpx.post(f"{server.url}/threads", json={}, headers=headers).status_code == 200
        assert "a-key-of-sixteen" not in server.log()
