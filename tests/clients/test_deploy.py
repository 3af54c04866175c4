"""The files of `examples/deploy`: linted, and their commands run as far as possible without a container engine."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.clients import fork_server
from tests.clients.server_process import EXAMPLE, ROOT, free_port
from tests.clients.test_worker_processes import RoleProcess, until

pytestmark = pytest.mark.timeout(150)
DEPLOY = ROOT / "examples" / "deploy"
TOOLS = ROOT / ".venv-deploy" / "bin"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KEY = "a-key-of-sixteen-or-more"


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        ["kubernetes-validate", "--strict", "kubernetes.yaml"],
        ["caddy", "validate", "--adapter", "caddyfile", "--config", "Caddyfile"],
        ["caddy", "fmt", "--diff", "Caddyfile"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_file_passes_its_linter(command: list[str]) -> None:
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=DEPLOY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def commands() -> Iterator[list[str]]:
    """Yield the arguments of `agent-server` in every file."""
    yield from (service["command"][1:] for service in COMPOSE["services"].values() if "build" in service)
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()):
        if document["kind"] == "Deployment":
            yield from (one["command"][1:] for one in document["spec"]["template"]["spec"]["containers"])
    unit = re.search(r"^ExecStart=(.*)$", (DEPLOY / "agent-server.service").read_text(), re.MULTILINE)
    image = re.search(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert unit
    assert image
    yield shlex.split(unit[1])[1:]
    yield yaml.safe_load(image[1])[1:]


@pytest.mark.parametrize("arguments", sorted({tuple(one) for one in commands()}), ids=" ".join)
def test_every_command_knows_its_options(arguments: tuple[str, ...]) -> None:
    """A wrong setting stops each command after it has read its options and before it serves."""
    options = [str(EXAMPLE) if one.endswith(".json") else one for one in arguments]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AGENT_SERVER_JOBS": "none"}
    done = fork_server.run(options, EXAMPLE.parent, environ)
    assert "AGENT_SERVER_JOBS is 'none'" in done.stderr


@contextmanager
def proxied(upstreams: list[str], directory: Path) -> Iterator[str]:
    """Run Caddy with the example's file in front of these addresses and yield its URL."""
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "SITE_ADDRESS": f"http://127.0.0.1:{port}",
        "UPSTREAMS": " ".join(upstreams),
    }
    command = [TOOLS / "caddy", "run", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"]
    with (directory / "caddy.log").open("wb") as log, subprocess.Popen(command, env=environ, stderr=log) as caddy:
        try:
            until(lambda: _responds(f"http://127.0.0.1:{port}/ok"))
            yield f"http://127.0.0.1:{port}"
        finally:
            caddy.terminate()


def _responds(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def test_services_of_the_compose_file_work_together(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    services: dict[str, Any] = COMPOSE["services"]
    given = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "AGENT_SERVER_API_KEYS": KEY}
    headers = {"x-api-key": KEY}
    with ExitStack() as stack:
        processes = {}
        for name in ("server1", "server2", "worker"):
            written = {name: str(value) for name, value in services[name]["environment"].items() if "$" not in value}
            environ = {**written, **given, "AGENT_TOKEN_SECONDS": "0.01", "AGENT_SERVER_DRAIN_SECONDS": "0"}
            process = RoleProcess(services[name]["command"][1:], tmp_path / name, EXAMPLE, **environ)
            processes[name] = stack.enter_context(process)
        servers = [processes[name].url.removeprefix("http://") for name in ("server1", "server2")]
        url = stack.enter_context(proxied(servers, tmp_path))
        assert httpx.post(f"{url}/runs/stream", json={}).status_code == 401
        body = {"assistant_id": "plain", "input": {"text": "one two"}, "feedback_keys": ["liked"]}
        body["stream_mode"] = "messages-tuple"
        for stopped in ("", "server1"):
            if stopped:
                processes[stopped].stop()
            streamed = until(lambda: _streamed(f"{url}/runs/stream", body, headers))
            assert streamed.count("event: messages") > 2
            assert f'{{"liked":"{url}/' in streamed


def _streamed(url: str, body: dict[str, Any], headers: dict[str, str]) -> str:
    response = httpx.post(url, json=body, headers=headers, timeout=60)
    return response.text if response.is_success else ""


def test_load_example_measures_a_server(tmp_path: Path) -> None:
    with RoleProcess(["serve"], tmp_path, EXAMPLE, AGENT_TOKEN_SECONDS="0") as server:
        for more in ([], ["--threads"]):
            command = [sys.executable, ROOT / "examples" / "load.py", "--url", server.url, "--seconds", "1", *more]
            done = subprocess.run([*command, "--clients", "2"], capture_output=True, text=True, timeout=60)
            assert re.match(r"[1-9]\d* runs in [\d.]+ s: [\d.]+ runs a second\nfirst event +p50", done.stdout), done
            assert done.returncode == 0
        began_at = time.monotonic()
        silent = subprocess.run([*command, "--url", "http://127.0.0.1:1"], capture_output=True, text=True, timeout=60)
        assert (silent.returncode, "does not answer" in silent.stderr) == (2, True)
        assert time.monotonic() - began_at < 60
