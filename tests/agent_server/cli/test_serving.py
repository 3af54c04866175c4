"""The command line as a process: a fault in the settings is reported in one line, without a traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sse_starlette.sse import AppStatus

from agent_server.cli import server as server_module
from agent_server.cli.server import Mode, Server, uvicorn_config
from tests.agent_server.served import config_of, whole_app
from tests.clients import fork_server

ROOT = Path(__file__).parents[2]
PLAIN = "async def agent(given):\n    yield {'given': given}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create a folder with a plain agent and its configuration."""
    (tmp_path / "agent.py").write_text(PLAIN)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"agent": "./agent.py:agent"}}')
    return tmp_path


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agent_server", *arguments]


def _environ(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**inherited, "PYTHONPATH": str(ROOT), **more}


def _failure(folder: Path, *arguments: str, **environ: str) -> str:
    """Return the error output of a command that must not start."""
    done = fork_server.run(arguments, folder, _environ(**environ))
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    return output


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a server on the folder's own data directory."""
    process = subprocess.Popen(
        _command("serve", "--port", "0"), cwd=folder, env=_environ(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any("running on" in line for line in process.stderr)
    yield process
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


@pytest.mark.usefixtures("running")
def test_second_server_on_one_data_directory_is_refused(folder: Path) -> None:
    message = _failure(folder, "serve", "--port", "0")
    assert f"Another agent server uses the data directory {folder}" in message
    assert "--data-dir" in message
    assert "DATABASE_URL" in message


class Ticking(Server):
    """Counts how often its loop wakes."""

    ticks = 0

    async def on_tick(self, counter: int) -> bool:
        self.ticks += 1
        return await super().on_tick(counter)


async def test_signal_ends_the_loop_between_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "TICK_SECONDS", 60.0)
    # A signal sets it for the whole process, where it would end the streams of all later tests.
    monkeypatch.setattr(AppStatus, "should_exit", False)
    config = config_of("sqlite:///", tmp_path)
    built = whole_app(config)
    server = Ticking(uvicorn_config(built, config), built, config, Mode("http://server.test"))
    server.config.load()
    server._loop = asyncio.get_running_loop()
    serving = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0.5)
    assert server.ticks == 1
    server.handle_exit(signal.SIGTERM, None)
    async with asyncio.timeout(20):
        await serving


@pytest.mark.usefixtures("running")
def test_second_server_works_with_its_own_directory(folder: Path) -> None:
    process = subprocess.Popen(
        _command("serve", "--port", "0", "--data-dir", "other"),
        cwd=folder,
        env=_environ(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert any("running on" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert (folder / "other" / "runs.db").exists()


def test_directory_is_free_again_after_a_crash(folder: Path) -> None:
    for _ in range(2):
        process = subprocess.Popen(
            _command("serve", "--port", "0"), cwd=folder, env=_environ(), stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        assert any("running on" in line for line in process.stderr)
        process.kill()
        process.communicate(timeout=20)


def test_missing_configuration_file_is_named(folder: Path) -> None:
    assert "There is no nope.json; name your configuration file with --config" in _failure(
        folder, "serve", "--config", "nope.json"
    )


def test_wrong_configuration_is_refused_with_the_right_form(folder: Path) -> None:
    (folder / "wrong.json").write_text('{"graphs": 5}')
    assert 'graphs is 5; it must be an object like {"agent": "./agent.py:graph"}' in _failure(
        folder, "serve", "--config", "wrong.json"
    )


def test_wrong_setting_is_refused_with_the_right_form(folder: Path) -> None:
    assert "AGENT_SERVER_JOBS is 'x'; it must be a whole number" in _failure(folder, "serve", AGENT_SERVER_JOBS="x")


def test_graph_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "wrong.json").write_text('{"graphs": {"gone": "./gone.py:graph"}}')
    message = _failure(folder, "serve", "--port", "0", "--config", "wrong.json")
    assert f"graph 'gone': there is no file {folder}/gone.py" in message


def test_data_directory_that_cannot_be_made_is_named(folder: Path) -> None:
    message = _failure(folder, "serve", "--port", "0", "--data-dir", "agent.py/data")
    assert f"The data directory {folder}/agent.py/data cannot be used" in message


def test_short_secret_is_refused_with_the_minimum(folder: Path) -> None:
    message = _failure(folder, "serve", "--port", "0", AGENT_SERVER_FEEDBACK_SECRET="hush")
    assert "make it at least 16" in message
    assert "hush" not in message


def test_silent_database_is_reported_without_its_password(folder: Path) -> None:
    message = _failure(folder, "serve", "--port", "0", DATABASE_URL="postgresql://somebody:secret@127.0.0.1:1/x")
    assert "PostgreSQL at 127.0.0.1:1 does not respond" in message
    assert "secret" not in message


def test_help_names_the_commands_and_their_options(folder: Path) -> None:
    for arguments, words in ((["--help"], ("dev", "serve")), (["serve", "--help"], ("--config", "--data-dir"))):
        done = fork_server.run(arguments, folder, _environ())
        assert done.returncode == 0
        assert all(word in done.stdout for word in words)
