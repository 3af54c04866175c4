"""`agent-server dev`, started as a user starts it in a project."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 45.0


def environ(**more: str) -> dict[str, str]:
    """Return the environment for a command, without this machine's settings."""
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


class DevProcess:
    """A running `dev`; `output` is everything that it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.output = ""
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, text: str, times: int = 1) -> str:
        """Wait until the output has the text so many times, and return the output."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self.output.count(text) < times:
            assert time.monotonic() < give_up_at, f"{text!r} did not come {times} times:\n{self.output}"
            assert self._process.poll() is None or self._reader.is_alive(), f"it ended:\n{self.output}"
            time.sleep(0.05)
        return self.output

    @property
    def url(self) -> str:
        """Return the address in the banner."""
        found = re.search(r"Agent server on (\S+)", self.until("Agent server on "))
        assert found
        return found[1]

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self.output += line

    def close(self) -> None:
        """Wait until all output is read."""
        self._reader.join()


@contextmanager
def dev(project: Path, *options: str, program: list[str] | None = None, **more: str) -> Iterator[DevProcess]:
    """Run `dev`, or another program, in the project until the block is left."""
    process = subprocess.Popen(
        program or [sys.executable, "-m", "agent_server", "dev", *options],
        cwd=project,
        env=environ(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = DevProcess(process)
    try:
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(15)
        running.close()
