"""The measured processes: servers as users start them, and a process that runs graphs without a server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
RESPONSE_SECONDS = 300


OFFICIAL = ROOT / ".venv-official" / "bin" / "langgraph"


class Server:
    """A server process on its own port."""

    def __init__(self, process: Process, port: int) -> None:
        self.port = port
        self.pid = process.pid
        self._clock = ~process.pid << 3 | 2  # clock_getcpuclockid(3) on Linux: all threads of a process, in nanoseconds

    def cpu(self) -> float:
        """Return the seconds of CPU, user and system, that the process has used since its start."""
        return time.clock_gettime(self._clock)


@asynccontextmanager
async def agent_server(
    directory: Path, database_url: str | None = None, redis_url: str | None = None
) -> AsyncIterator[Server]:
    """Run `agent-server serve` with the measured graphs, on SQLite files in `directory` or on these databases."""
    port = _free_port()
    where = ["--config", str(_config(directory)), "--data-dir", str(directory / "data"), "--port", str(port)]
    urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    given = {name: url for name, url in urls.items() if url}
    async with _running("agent_server", "serve", *where, environment=given) as process:
        yield await _listening(process, port)


@asynccontextmanager
async def official_server(directory: Path) -> AsyncIterator[Server]:
    """Run the official server with the measured graphs, in its own environment; its state is in memory."""
    port = _free_port()
    options = ["--no-browser", "--no-reload", "--n-jobs-per-worker", "10"]
    command = [str(OFFICIAL), "dev", "--config", str(_config(directory)), "--port", str(port), *options]
    given = {"PYDANTIC_DISABLE_PLUGINS": "1", "LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    async with _started(command, directory, given) as process:
        yield await _listening(process, port)


def _config(directory: Path) -> Path:
    config = directory / "langgraph.json"
    graphs = {name: f"{ROOT / 'tests/benchmarks/graphs.py'}:{name}" for name in ("tiny", "chat")}
    config.write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    return config


@asynccontextmanager
async def nothing_server() -> AsyncIterator[Server]:
    """Run the handler that does nothing, in the same kind of process."""
    port = _free_port()
    options = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    async with _running("uvicorn", "tests.benchmarks.nothing:app", *options) as process:
        yield await _listening(process, port)


class InProcess:
    """A process that runs a named measurement and returns its cost."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._commands, self._replies = process.stdin, process.stdout

    async def run(self, what: str, times: int) -> dict[str, float]:
        """Run `what` so many `times` and return its figures."""
        self._commands.write(json.dumps([what, times]).encode() + b"\n")
        async with asyncio.timeout(RESPONSE_SECONDS):
            line = await self._replies.readline()
        if not line:
            raise RuntimeError(f"the process that measures {what!r} has ended; see what it wrote to standard error")
        figures: dict[str, float] = json.loads(line)
        return figures


@asynccontextmanager
async def in_process(directory: Path) -> AsyncIterator[InProcess]:
    """Start a process for lower bounds, with its files in `directory`."""
    async with _running("tests.benchmarks.in_process", str(directory), stdin=PIPE, stdout=PIPE) as process:
        yield InProcess(process)


@asynccontextmanager
async def _running(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: int = DEVNULL,
    stdout: int = DEVNULL,
) -> AsyncIterator[Process]:
    """Run a module in a Python process until the block is left."""
    given = {"PYTHONPATH": str(ROOT), "AGENT_SERVER_LOG_LEVEL": "info", **UNREACHED_LIMITS, **(environment or {})}
    async with _started([sys.executable, "-m", module, *arguments], ROOT, given, stdin, stdout) as process:
        yield process


@asynccontextmanager
async def _started(
    command: list[str], directory: Path, given: Mapping[str, str], stdin: int = DEVNULL, stdout: int = DEVNULL
) -> AsyncIterator[Process]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        *command, env={**inherited, **given}, cwd=directory, stdin=stdin, stdout=stdout, stderr=_log()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


OURS = ("AGENT_SERVER_", "DATABASE_URL", "REDIS_URL")
# One machine sends more than the limits allow. The limits stay on, since their cost belongs to a submission.
UNREACHED_LIMITS = {
    "AGENT_SERVER_FEEDBACK_TOKEN_LIMIT": "1000000/1",
    "AGENT_SERVER_FEEDBACK_ADDRESS_LIMIT": "1000000/1",
}


def _log() -> int | None:
    """Return where a server's log goes: nowhere. It is written all the same, as its cost belongs to a run."""
    return None if os.environ.get("BENCH_LOGS") else DEVNULL


async def _listening(process: Process, port: int) -> Server:
    async with asyncio.timeout(START_SECONDS):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return Server(process, port)
    raise RuntimeError("the server ended at its start; set BENCH_LOGS=1 to see why")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "python": sys.version.split()[0],
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
    }
