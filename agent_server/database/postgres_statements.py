"""The statements of one PostgreSQL connection, sent by libpq without psycopg's cursors, and prepared where they recur.

psycopg converts parameters and rows (`Transformer`). Its cursors' Python code takes 50 us of CPU a statement, all of
this 15; preparing saves PostgreSQL two thirds of its CPU for a short statement.

A prepared statement's name is a hash of its text and types. So behind a PgBouncer that does not know of prepared
statements, a name never stands for another statement: it is only missing, or taken (`StalePlan`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8Dumper

from agent_server.database.postgres_arrays import DUMPERS
from agent_server.database.protocol import Row

T = TypeVar("T")

PREPARED_AFTER = 3
"""How often a connection runs a statement before it prepares it."""
MOST_PREPARED = 200
"""The maximum number of prepared statements of a connection: each takes memory in the server's process."""
MOST_COUNTED = 2000

_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*'                # text
    | "[^"]*"                       # a quoted name
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | --[^\n]* | /\*.*?\*/
    | ::
    | :(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)


class StalePlan(psycopg.OperationalError):
    """A prepared statement is lost or out of date; the unit can be repeated without prepared statements."""

    def __init__(self, message: str, *, is_lost: bool) -> None:
        """`is_lost` means that a pooler has exchanged the server's session for one with other prepared statements."""
        super().__init__(message)
        self.is_lost = is_lost


class _PlainNumber(Loader):
    """Loads PostgreSQL's `numeric` (a sum of integers, an average) as an int or float, as SQLite does."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


class _PlainBoolean(Loader):
    """Loads PostgreSQL's `boolean` (a comparison) as 1 or 0."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


@lru_cache(maxsize=1024)
def _translate(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """Convert this package's SQL to PostgreSQL's, `:name` to `$1`; return it with the names of its parameters."""
    numbers: dict[str, int] = {}

    def convert(token: re.Match[str]) -> str:
        name = token["name"]
        return f"${numbers.setdefault(name, len(numbers) + 1)}" if name else token[0]

    return _TOKEN.sub(convert, sql).encode(), tuple(numbers)


def name_statement(sql: bytes, types: Sequence[int]) -> bytes:
    """Return the name under which the statement is prepared for parameters of these types."""
    return b"agent_" + blake2b(b"%a %b" % (tuple(types), sql), digest_size=12).hexdigest().encode()


class Statements:
    """The statements of one connection."""

    def __init__(self, raw: psycopg.Connection) -> None:
        """Make values convert as with SQLite: integers have 64 bits, booleans are 1 and 0."""
        raw.adapters.register_dumper(int, Int8Dumper)
        raw.adapters.register_dumper(bool, Int8Dumper)
        for kind, dumper in DUMPERS.items():
            raw.adapters.register_dumper(kind, dumper)
        raw.adapters.register_loader("numeric", _PlainNumber)
        raw.adapters.register_loader("bool", _PlainBoolean)
        self._libpq = raw.pgconn
        self._transformer = Transformer(raw)
        self._uses: dict[tuple[bytes, tuple[int, ...]], int] = {}
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}

    def run(self, sql: str, parameters: Mapping[str, Any], *, prepares: bool, form: Format = Format.TEXT) -> PGresult:
        """Return the result of a statement, or of a script without parameters. Errors: psycopg's, `StalePlan`."""
        if not parameters:
            return _check(self._libpq.exec_(sql.encode()))
        statement, names = _translate(sql)
        transformer = self._transformer
        values = transformer.dump_sequence([parameters[name] for name in names], [PyFormat.AUTO] * len(names))
        types, formats = transformer.types or (), transformer.formats
        name = self._prepare(statement, types) if prepares else None
        if name is None:
            return _check(self._libpq.exec_params(statement, values, types, formats, form))
        return _check_prepared(self._libpq.exec_prepared(name, values, formats, form))  # type: ignore[arg-type]  # lacks None

    def read(self, result: PGresult, count: int) -> list[Row]:
        """Return the result's first `count` rows."""
        names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
        return self._load(result, count, lambda row: dict(zip(names, row, strict=True)))

    def read_tuples(self, result: PGresult) -> list[tuple[Any, ...]]:
        """Return all rows of the result as tuples."""
        return self._load(result, result.ntuples, tuple)

    def _load(self, result: PGresult, count: int, make_row: Callable[[Sequence[Any]], T]) -> list[T]:
        if result.status != ExecStatus.TUPLES_OK:
            return []
        transformer = self._transformer
        transformer.set_pgresult(result)
        try:
            return transformer.load_rows(0, min(count, result.ntuples), make_row)
        finally:
            transformer.set_pgresult(None)

    def forget_prepared(self) -> None:
        """Discard all prepared statements."""
        self._uses.clear()
        self._prepared.clear()
        _check(self._libpq.exec_(b"DEALLOCATE ALL"))

    def _prepare(self, sql: bytes, types: tuple[int, ...]) -> bytes | None:
        """Return the name of the prepared statement, or None where it has not been used often enough."""
        key = (sql, types)
        if (name := self._prepared.get(key)) is not None:
            return name
        uses = self._uses[key] = self._uses.get(key, 0) + 1
        if uses < PREPARED_AFTER or len(self._prepared) >= MOST_PREPARED:
            if len(self._uses) > MOST_COUNTED:
                self._uses.clear()
            return None
        name = name_statement(sql, types)
        _check_prepared(self._libpq.prepare(name, sql, types))
        del self._uses[key]
        self._prepared[key] = name
        return name


def _check(result: PGresult) -> PGresult:
    if result.status in _GOOD:
        return result
    error = error_from_result(result)
    if error.sqlstate is None:  # not PostgreSQL's, but libpq's: the connection is lost
        raise psycopg.OperationalError(str(error)) from error
    raise error


def _check_prepared(result: PGresult) -> PGresult:
    try:
        return _check(result)
    except (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement) as error:
        raise StalePlan(str(error), is_lost=True) from error
    except errors.FeatureNotSupported as error:  # the result has other columns since another process migrated the table
        raise StalePlan(str(error), is_lost=False) from error
