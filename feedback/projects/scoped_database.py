"""ProjectDatabase: a database scoped to one project; statements without `:project` are rejected.

Every statement must contain `:project`, which is bound to the project's name, so that none can read, change or count
another project's rows by mistake. Rows that belong to a row just found in the project (by an id that is unique across
projects) are read with the `whole` connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from feedback.database import Connection, Database, Row

T = TypeVar("T")

DEFAULT = "default"
"""The project that always exists, for everything that names none."""


class ProjectConnection:
    """The statements of one transaction, scoped to one project."""

    __slots__ = ("project", "whole")

    def __init__(self, whole: Connection, project: str) -> None:
        self.whole = whole
        self.project = project

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        return self.whole.one(_bind_project(sql), project=self.project, **parameters)

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        return self.whole.all(_bind_project(sql), project=self.project, **parameters)

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        return self.whole.tuples(_bind_project(sql), project=self.project, **parameters)

    def execute(self, sql: str, /, **parameters: object) -> int:
        return self.whole.execute(_bind_project(sql), project=self.project, **parameters)


class ProjectDatabase:
    """A database scoped to one project; `whole` is the unscoped one."""

    def __init__(self, whole: Database, project: str) -> None:
        self.whole = whole
        self.project = project

    async def read(self, work: Callable[[Connection], T]) -> T:
        """As `Database.read`."""
        return await self.whole.read(lambda db: work(ProjectConnection(db, self.project)))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """As `Database.write`."""
        return await self.whole.write(lambda db: work(ProjectConnection(db, self.project)))


def scope_to_project(db: Connection, project: str) -> Connection:
    """Return the connection, scoped to the project."""
    return ProjectConnection(get_unscoped(db), project)


def get_unscoped(db: Connection) -> Connection:
    """Return the unscoped connection, to look up what belongs to a row of the project."""
    return db.whole if isinstance(db, ProjectConnection) else db


def _bind_project(sql: str) -> str:
    if ":project" not in sql:
        raise LookupError(f"a statement of a project lacks `:project`: {sql[:200]}")
    return sql
