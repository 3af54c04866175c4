"""`agent-server dev`: a busy port, a correct banner, failures that explain themselves."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent_server.cli.dev_process import dev

PLAIN = "async def agent(given):\n    yield {'got': given['text']}\n"
GRAPH = """
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

class State(TypedDict):
    topic: str
    length: int

graph = StateGraph(State).add_node("n", lambda state: {"length": len(state["topic"])}).add_edge(START, "n").compile()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "agent.py").write_text(PLAIN)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"counter": "./agent.py:agent"}, "env": ".env"}')
    (tmp_path / ".env").write_text("")
    return tmp_path


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Yield the default port, occupied by this process unless another has it already."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 2024))
            listener.listen()
        except OSError:
            pass
        yield 2024


def test_taken_default_port_moves_to_the_next(project: Path, taken_port: int) -> None:
    with dev(project, "--no-reload") as server:
        port = int(server.url.rpartition(":")[2])
        assert taken_port < port < taken_port + 50
        assert f"Port {taken_port} is taken, so this is port {port}." in server.output
        assert subprocess.run(_curl(server.until("Paste")), capture_output=True, text=True, timeout=30).returncode == 0


def _curl(output: str) -> list[str]:
    """Return the banner's command, as a shell splits it."""
    command = output.partition("Paste  ")[2].partition("Then  ")[0].replace("\\\n", " ")
    return shlex.split(command)


@pytest.mark.parametrize(
    ("code", "target", "reply"),
    [
        (PLAIN, "agent", '"got":"Hello"'),
        (GRAPH, "graph", '"length":5'),
        ("async def agent(given):\n    yield {'sum': len(given.get('a')) + len(given['b'])}\n", "agent", '"sum":10'),
    ],
)
def test_command_of_the_banner_works(project: Path, code: str, target: str, reply: str) -> None:
    (project / "agent.py").write_text(code)
    (project / "langgraph.json").write_text(f'{{"graphs": {{"counter": "./agent.py:{target}"}}}}')
    with dev(project, "--no-reload", "--port", "0") as server:
        output = server.until("Then   POST")
        assert "Agents: counter" in output
        done = subprocess.run(_curl(output), capture_output=True, text=True, timeout=30, check=True)
        assert reply in done.stdout
        assert "event: feedback" in done.stdout


def test_startup_failure_takes_two_lines_until_fixed(project: Path) -> None:
    (project / "agent.py").write_text("import os\nos.environ['MY_MODEL_KEY']\n" + PLAIN)
    with dev(project, "--port", "0") as server:
        output = server.until("Waiting for a change")
        error = output.partition("Error: ")[2].splitlines()
        assert error[0] == "graph 'counter': agent.py:2: KeyError: 'MY_MODEL_KEY'"
        assert error[1] == f"Set MY_MODEL_KEY in {project}/.env, or in the environment"
        assert "Traceback" not in output
        assert "Agent server on" not in output
        (project / ".env").write_text("MY_MODEL_KEY=one\n")
        server.until("Restarted. Agents: counter")
        (project / "langgraph.json").write_text(
            '{"graphs": {"counter": "./agent.py:agent", "two": "./agent.py:agent"}}'
        )
        server.until("Waiting for a change", 2)
        (project / "agent.py").write_text(PLAIN)
        server.until("Restarted. Agents: counter, two")


def test_broken_configuration_file_waits_for_a_change(project: Path) -> None:
    (project / "langgraph.json").write_text("{")
    with dev(project, "--port", "0") as server:
        assert "cannot be read as JSON" in server.until("Waiting for a change")
        (project / "langgraph.json").write_text('{"graphs": {"counter": "./agent.py:agent"}}')
        server.until("Restarted. Agents: counter")


def test_user_module_named_feedback_does_not_break_start(project: Path) -> None:
    (project / "feedback.py").write_text("raise RuntimeError('the server imported me')\n")
    with dev(project, "--no-reload", "--port", "0") as server:
        assert re.match(r"http://127\.0\.0\.1:\d+$", server.url)


def test_traceback_comes_with_verbose(project: Path) -> None:
    (project / "agent.py").write_text("def inner():\n    raise ValueError('no')\ninner()\n")
    with dev(project, "--port", "0", "--verbose") as server:
        output = server.until("Waiting for a change")
        assert "agent.py:2: ValueError: no" in output
        assert "in inner" in output
