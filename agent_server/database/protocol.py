"""The database interface: two methods, and a plain function as the unit of work.

    async def read(work)  -> what work returns      one consistent view
    async def write(work) -> what work returns      atomic, and durable when it returns

`work` is a plain (not async) function that gets a `Connection` and may call it any number of times: the whole unit
costs one thread hop, instead of one per statement. It must have no effect outside the database, since it may run again
if the database reports a conflict between two transactions. A failed statement ends the unit: `work` may convert its
error, but not continue after it. If the caller of `write` is cancelled, the unit takes effect completely or not at all.

SQL is written once, for both dialects, with `:name` parameters. Three things make that possible, and both dialects
provide them under one name:

* `now_us()`, the database's clock, in microseconds since 1970 (all times are stored so, as 64-bit integers);
* `json_contains(document, part)`, whether the JSON text `document` contains the JSON text `part` (PostgreSQL's `@>`);
* `Connection.skip_locked`, the end of a claiming `SELECT` (`FOR UPDATE SKIP LOCKED`; empty if there is only one
  writer).

JSON is stored as TEXT and read as `str`; booleans are stored and read as 0 and 1. PostgreSQL has the two functions once
`migrate` has run.

A transaction on PostgreSQL is READ COMMITTED: a unit that decides by a row's content must first lock it, by updating
it, or leave the decision to a unique index or a compare-and-set `UPDATE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeVar

T = TypeVar("T")
Row = Mapping[str, Any]


class Load(NamedTuple):
    """This process's use of the database."""

    connections: int
    idle: int
    waiting: int
    """Units of work that wait for a connection, or for the writer."""


class Connection(Protocol):
    """The statements of one transaction."""

    skip_locked: str

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        """Return the first row of a query, or None."""

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        """Return all rows of a query."""

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query as tuples, in the order of its columns: faster than `all` for many rows."""

    def execute(self, sql: str, /, **parameters: object) -> int:
        """Execute the statement; return how many rows it changed."""


class Database(Protocol):
    """A database. `async with` opens it and closes it at the end of the block.

    Errors: `Conflict` if a unique index refuses a row, `Unavailable` if the database does not respond.
    """

    dialect: Literal["sqlite", "postgres"]

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def migrate(self, package: str) -> None:
        """Bring the tables of `package` up to date: apply its `migrations/<dialect or common>/NNNN_*.sql`.

        Errors: `Conflict` if a newer version of the package has migrated the database.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, from one consistent view of the committed rows. It must not write."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, once all its writes are durable; if it raises, none of them is kept."""

    async def check(self) -> None:
        """Check that the database can be read and written. Errors: `Unavailable`, which states the reason."""

    def load(self) -> Load:
        """Return the current use."""
