"""Server processes that start in a moment: forks of a process that has imported the server and LangGraph already.

    test process -- socket: command, environment, output --> fork server -- fork --> supervisor -- fork --> server
    test process <-- pipe: process id, then exit status ---------------------------- supervisor

A server process is like one that was started from the shell: an address space, signals, files and a port of its own.
Importing takes most of the CPU time of a start, and dozens of tests start, kill and restart servers.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
MAX_REQUEST = 65_536
RUN_SECONDS = 50


class ForkedProcess:
    """A process that the fork server started, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, status: int) -> None:
        self._status = os.fdopen(status, "rb", buffering=0)
        self.pid = int(self._line())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.returncode = int(self._line())
            self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended. Errors: `subprocess.TimeoutExpired`."""
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("agent-server", timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, signum: signal.Signals) -> None:
        """Send the signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self) -> bytes:
        return self._status.readline()


def run(command: Sequence[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `python -m agent_server` with these arguments as a fork, and return its exit status and output."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = fork(command, folder, environ, out.fileno(), err.fileno())
        try:
            process.wait(RUN_SECONDS)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, process.wait(), out.read(), err.read())


def fork(command: Sequence[str], folder: Path, environ: dict[str, str], out: int, err: int) -> ForkedProcess:
    """Start `python -m agent_server` with these arguments as a fork; its output goes to the descriptors."""
    status, written = os.pipe()
    request = json.dumps({"command": list(command), "folder": str(folder), "environ": environ}).encode()
    assert len(request) < MAX_REQUEST
    socket.send_fds(_fork_server(), [request], [out, err, written])
    os.close(written)
    return ForkedProcess(status)


@cache
def _fork_server() -> socket.socket:
    """Start the fork server of this test process, which ends with it, since its socket is then closed."""
    own_socket, child_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    command = [sys.executable, "-m", "tests.clients.fork_server", str(child_socket.fileno())]
    environ = {**inherited, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=[child_socket.fileno()])
    child_socket.close()
    atexit.register(process.wait)
    atexit.register(own_socket.close)
    return own_socket


def _prepare() -> None:
    """Import what a server of LangGraph's graphs needs, and create an app, so that forks have that behind them."""
    import httptools  # noqa: F401
    import langgraph.checkpoint.sqlite.aio
    import langgraph.prebuilt
    import langgraph.store.sqlite.aio  # noqa: F401
    import uvicorn.protocols.websockets.websockets_sansio_impl  # noqa: F401
    import uvloop  # noqa: F401

    import agent_server.cli.serving
    import agent_server.cli.settings  # noqa: F401
    from tests.agent_server.served import config_of, whole_app
    from tests.registration import cache_registration

    cache_registration()
    with tempfile.TemporaryDirectory() as folder:
        whole_app(config_of("sqlite:///", Path(folder)))
    assert threading.active_count() == 1, "a fork would lack the other threads"
    gc.collect()
    gc.freeze()  # forks then share these objects' memory


def _next_request(requests: socket.socket) -> dict[str, Any]:
    """Wait for requests, and return one in each forked process; in the fork server itself this never returns."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, MAX_REQUEST, 3)
        if not request:
            sys.exit()
        out, err, status = descriptors
        if os.fork() == 0:
            requests.close()
            _supervise(status)
            os.dup2(out, 1)
            os.dup2(err, 2)
            _close(descriptors)
            found: dict[str, Any] = json.loads(request)
            return found
        _close(descriptors)


def _close(descriptors: Iterable[int]) -> None:
    for one in descriptors:
        os.close(one)


def _supervise(status: int) -> None:
    """Fork, and return in the new process; in the old one, report its id and its exit status, and exit."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if not (child := os.fork()):
        return
    os.write(status, b"%d\n" % child)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(status, b"%d\n" % ended)
    os._exit(0)


def _become(command: list[str], folder: str, environ: dict[str, str]) -> NoReturn:
    """Run `python -m agent_server` in this process."""
    from langsmith.utils import get_env_var

    os.environ.clear()
    os.environ.update(environ)
    get_env_var.cache_clear()
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = ["agent_server", *command]
    runpy.run_module("agent_server", run_name="__main__", alter_sys=True)
    sys.exit()


def _serve_forks() -> None:
    """Serve the test process whose socket's descriptor is the argument."""
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        _prepare()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then reaps the supervisors
        request = _next_request(requests)
    _become(**request)


if __name__ == "__main__":
    _serve_forks()
