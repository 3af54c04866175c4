"""Database files and servers for tests: in memory where possible, with the tables of both packages."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from agent_server.database import open_database

MEMORY = Path("/dev/shm")
NEEDED_BYTES = 4 * 1024**3
PACKAGES = ("agent_server", "feedback")
TEMPLATE = "template_with_tables"


def memory_folder() -> str | None:
    """Return a folder in memory for test files, or None if none is large enough.

    Nothing in the suite simulates a power failure, so the tests need no disk; fsync costs nothing in memory.
    """
    usable = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
    return str(MEMORY) if usable else None


@contextmanager
def postgres_folder() -> Iterator[str]:
    """Create a folder for a PostgreSQL server. Pytest's folders are closed to the user that the server runs as."""
    with tempfile.TemporaryDirectory(prefix="postgres-", dir=memory_folder(), ignore_cleanup_errors=True) as folder:
        yield folder


async def create_tables(url: str) -> None:
    """Run the migrations of both packages."""
    async with open_database(url) as database:
        for package in PACKAGES:
            await database.migrate(package)


def make_postgres_template(server_url: str, template_url: str) -> None:
    """Create the database that `CREATE DATABASE … TEMPLATE` copies: the migrations then run once a session."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE} STRATEGY file_copy")
    with ThreadPoolExecutor(1) as own_thread:  # Playwright may run its event loop in this thread
        own_thread.submit(asyncio.run, create_tables(template_url)).result()


def make_sqlite_template(file: Path) -> None:
    """Create the SQLite file that `copy_sqlite_template` copies, without a write-ahead log beside it."""
    asyncio.run(create_tables(f"sqlite:///{file}"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copy_sqlite_template(template: Path, file: Path) -> None:
    """Copy the template to `file`, whose folder is created."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, file)
