"""One transaction on a PostgreSQL connection, and what the driver's errors mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from agent_server.database.postgres_statements import StalePlan, Statements
from agent_server.database.protocol import Connection, Row
from agent_server.errors import Conflict, Unavailable

T = TypeVar("T")


class Raw(psycopg.Connection):
    """A connection with its statements."""

    statements: Statements


class Collided(Unavailable):
    """Two transactions conflicted, and PostgreSQL rolled this one back; it can be retried."""


def _convert_error(error: psycopg.Error) -> Exception:
    """Convert the driver's error to this package's; return a programming error unchanged."""
    if isinstance(error, errors.UniqueViolation):
        return Conflict(f"such a row exists already (unique index {error.diag.constraint_name})")
    if isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected)):
        return Collided("the database is busy with the same rows; send the request again")
    if isinstance(error, StalePlan):
        return error
    if isinstance(error, psycopg.OperationalError) or _is_standby(error):
        return Unavailable(f"the database does not respond: {error}")
    return error


def _is_standby(error: psycopg.Error) -> bool:
    """Return whether the server is a standby that a failover has not promoted yet.

    A standby rejects `BEGIN … READ WRITE`. A write in a read-only transaction of ours is a programming error instead.
    """
    return isinstance(error, errors.FeatureNotSupported) and "during recovery" in str(error)


class PostgresConnection:
    """The statements of one transaction on PostgreSQL."""

    skip_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(self, raw: Raw, *, prepares: bool) -> None:
        """`prepares` permits prepared statements."""
        self.raw = raw
        self.failed: Exception | None = None
        self.begun = False
        self._prepares = prepares

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        rows = self.raw.statements.read(self._run(sql, parameters), 1)
        return rows[0] if rows else None

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        result = self._run(sql, parameters)
        return self.raw.statements.read(result, result.ntuples)

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        return self.raw.statements.read_tuples(self._run(sql, parameters))

    def execute(self, sql: str, /, **parameters: object) -> int:
        return self._run(sql, parameters).command_tuples or 0

    def run_alone(self, sql: str, parameters: Mapping[str, object]) -> Row | None:
        """Return the first row of a statement that is a transaction of its own, in PostgreSQL's binary format."""
        self.begun = True  # it may be committed although its result is lost
        try:
            result = self._run(sql, parameters, Format.BINARY)
        except errors.ReadOnlySqlTransaction as error:  # it is in no transaction of ours, so the server is a standby
            raise Unavailable(f"the database does not take writes: {error}") from error
        rows = self.raw.statements.read(result, 1)
        return rows[0] if rows else None

    def _run(self, sql: str, parameters: Mapping[str, object], form: Format = Format.TEXT) -> PGresult:
        try:
            return self.raw.statements.run(sql, parameters, prepares=self._prepares, form=form)
        except psycopg.Error as error:
            self.failed = _convert_error(error)
            if self.failed is error:
                raise
            raise self.failed from error

    def transaction(self, begin: str, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, committed."""
        self.execute(begin)
        self.begun = True
        try:
            value = work(self)
            if self.failed is not None:  # `work` swallowed it: PostgreSQL would turn the COMMIT into a rollback
                raise self.failed
            self.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):  # a broken connection has nothing to roll back
                self.raw.statements.run("ROLLBACK", {}, prepares=False)
            raise
        return value
