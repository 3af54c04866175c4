"""ProjectDatabase: one project's part of a database, in which no statement can forget whose rows it is about.

Every statement of its units of work must say `:project`, and is given the project's name there; one that does not is
refused, so that a new one cannot read, change or count another project's rows by mistake. What belongs to a row that
was found in the project just now (by an id that is unique among all projects) is asked of the `whole` connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from feedback.database import Connection, Database, Row

T = TypeVar("T")

DEFAULT = "default"
"""The project that is always there: it has all that names none."""


class ProjectConnection:
    """The statements of one transaction, about one project."""

    __slots__ = ("project", "whole")

    def __init__(self, whole: Connection, project: str) -> None:
        self.whole = whole
        self.project = project

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        return self.whole.one(_bound(sql), project=self.project, **parameters)

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        return self.whole.all(_bound(sql), project=self.project, **parameters)

    def execute(self, sql: str, /, **parameters: object) -> int:
        return self.whole.execute(_bound(sql), project=self.project, **parameters)


class ProjectDatabase:
    """A database as one project sees it; `whole` is all of it."""

    def __init__(self, whole: Database, project: str) -> None:
        self.whole = whole
        self.project = project

    async def read(self, work: Callable[[Connection], T]) -> T:
        """As `Database.read`."""
        return await self.whole.read(lambda db: work(ProjectConnection(db, self.project)))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """As `Database.write`."""
        return await self.whole.write(lambda db: work(ProjectConnection(db, self.project)))


def of_project(db: Connection, project: str) -> Connection:
    """The connection as the project sees it."""
    return ProjectConnection(whole(db), project)


def whole(db: Connection) -> Connection:
    """The connection to all that there is, for what a row of the project's own is looked up by."""
    return db.whole if isinstance(db, ProjectConnection) else db


def _bound(sql: str) -> str:
    if ":project" not in sql:
        raise LookupError(f"a statement of a project says nothing of `:project`: {sql[:200]}")
    return sql
