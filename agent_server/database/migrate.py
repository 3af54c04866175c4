"""Migrations: numbered SQL files that create and change the tables of a package.

They are in `<package>/migrations/<dialect>/NNNN_name.sql`, or in `migrations/common` if they are the same for every
dialect. All that were not yet applied to a database run in one transaction, in the order of their numbers, and are
recorded in the table `schema_migrations`; a failure leaves the database unchanged. A released file never changes: every
later change is a new file.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files

from agent_server.database.protocol import Connection, Database
from agent_server.errors import Conflict

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    package TEXT NOT NULL, version INTEGER NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (package, version)
)"""
_FILE = re.compile(r"\d{4}_\w+\.sql")


def _do_nothing(connection: Connection) -> None:
    """Do nothing: on SQLite a write transaction excludes other writers from its beginning."""


async def migrate(database: Database, package: str, prepare: Callable[[Connection], None] = _do_nothing) -> None:
    """Bring the tables of `package` up to date; `prepare` runs before, in the same transaction, and excludes others.

    Errors: `Conflict` if a newer version of the package has migrated the database.
    """
    scripts = _scripts(package, database.dialect)
    await database.write(partial(_apply, package=package, scripts=scripts, prepare=prepare))


def _scripts(package: str, dialect: str) -> Mapping[int, list[str]]:
    """Return the statements of the package's files by file number, in order."""
    folders = [files(package) / "migrations" / name for name in (dialect, "common")]
    entries = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    found = sorted((file for file in entries if _FILE.fullmatch(file.name)), key=lambda file: file.name)
    scripts = {int(file.name[:4]): _statements(file.read_text("utf-8"), dialect) for file in found}
    if not scripts or len(scripts) < len(found):
        raise ValueError(
            f"{package} needs files NNNN_name.sql in migrations/{dialect} or migrations/common, "
            "each with a number of its own"
        )
    return scripts


def _apply(
    connection: Connection, *, package: str, scripts: Mapping[int, list[str]], prepare: Callable[[Connection], None]
) -> None:
    prepare(connection)
    connection.execute(_TABLE)
    rows = connection.all("SELECT version FROM schema_migrations WHERE package = :package", package=package)
    done = {row["version"] for row in rows}
    if done - scripts.keys():
        raise Conflict(
            f"the database has version {max(done)} of the tables of {package}, this program knows {max(scripts)}: "
            "start the newer program, or restore the backup that was made before it ran"
        )
    for version, statements in scripts.items():
        if version not in done:
            for statement in statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_migrations (package, version, applied_at) VALUES (:package, :version, now_us())",
                package=package,
                version=version,
            )


def _statements(script: str, dialect: str) -> list[str]:
    """Split a script for the driver: PostgreSQL's takes it whole, SQLite's takes one statement at a time.

    SQLite itself detects the end of a statement, outside comments, strings and triggers. It must be at the end of a
    line.
    """
    if dialect == "postgres":
        return [script]
    statements, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            statements.append(rest)
            rest = ""
    return [*statements, rest] if rest.strip() else statements
