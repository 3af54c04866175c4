"""A server process, started as a user starts it, which a test may stop, kill and restart."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

from tests.clients.fork_server import ForkedProcess, fork

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "langgraph.json"
GRAPHS = Path(__file__).parent / "langgraph.json"
START_SECONDS = 90.0
FORKABLE = ("AGENT_", "DATABASE_URL", "REDIS_URL")
"""Variables that only the server itself reads, after it has started."""


class ServerProcess:
    """`python -m agent_server serve`, on a port and a data directory that stay the same over restarts."""

    def __init__(self, config: Path, directory: Path, **environ: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = directory / "data"
        self.log_file = directory / "server.log"
        self._config = config
        self._environ = {"PYTHONPATH": str(ROOT), "AGENT_SERVER_DRAIN_SECONDS": "0", **environ}
        self._folder = ROOT
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.reap()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.reap()

    def start(self) -> None:
        """Start a process and wait until it responds."""
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = self._spawn({**inherited, **self._environ}, log.fileno())
        self._wait_until_ok()

    def stop(self) -> int:
        """End the process in good order (SIGTERM) and return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process (SIGKILL), as a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Suspend the process (SIGSTOP); its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the process after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask the process to end, without waiting."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def reap(self) -> None:
        """Kill every process that is left."""
        if self._process is not None:
            self.kill()

    def log(self) -> str:
        """Return everything that its processes have logged."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def _spawn(self, environ: dict[str, str], log: int) -> subprocess.Popen[bytes] | ForkedProcess:
        """Start a process: a fork, unless a library may have read one of the variables at its import."""
        command = self._command()
        given = self._environ.items() - {("PYTHONPATH", str(ROOT))}
        if command[1:3] == ["-m", "agent_server"] and all(name.startswith(FORKABLE) for name, _ in given):
            return fork(command[3:], self._folder, environ, log, log)
        return subprocess.Popen(command, cwd=self._folder, env=environ, stdout=log, stderr=log)

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "agent_server", "serve", "--config", str(self._config)]
        return [*command, "--data-dir", str(self.data_dir), "--port", str(self.port)]

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
            raise AssertionError(f"The server did not end within 20 s of {how.name}:\n{self.log()}") from None

    def _wait_until_ok(self) -> None:
        assert self._process is not None
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            if self._process.poll() is not None:
                raise AssertionError(f"The server ended at its start:\n{self.log()}")
            try:
                if httpx.get(f"{self.url}/ok", timeout=5).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"The server did not answer within {START_SECONDS:.0f} s:\n{self.log()}")


def free_port() -> int:
    """Return a free port outside the range of outgoing connections, so that it stays free over a restart."""
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
