"""The database seam: two verbs, and a plain function as the unit of work.

    async def read(work)  -> what work returns      one consistent view
    async def write(work) -> what work returns      atomic, and durable when it returns

`work` is a plain (not async) function that is given a `Connection` and may call it as often as it likes: the whole of
it costs one thread hop, not one a statement. It must have no effect outside the database, since it may be run again
when the database reports a conflict between two transactions. A statement that fails ends the unit: `work` may turn its
error into another, but not go on after it. When the caller of `write` is cancelled, the unit is done as a whole or not
at all.

SQL is written once, for both dialects, with `:name` parameters. Three things make that possible, and both dialects
provide them under one name:

* `now_us()`, the database's clock, in microseconds since 1970 (all times are stored so, as 64-bit integers);
* `json_contains(document, part)`, whether the JSON text `document` has all of the JSON text `part` (PostgreSQL's `@>`);
* `Connection.skip_locked`, the text that a claiming `SELECT` ends with (`FOR UPDATE SKIP LOCKED`, or nothing where
  there is one writer anyway).

JSON is kept as TEXT and reaches Python as `str`; booleans are kept and reach Python as 0 and 1. PostgreSQL has the two
functions once `migrate` has run.

A transaction on PostgreSQL is READ COMMITTED: a unit that reads a row in order to decide must first take it, by
updating it, or leave the decision to a unique index or a compare-and-set `UPDATE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeVar

T = TypeVar("T")
Row = Mapping[str, Any]


class Load(NamedTuple):
    """How much the database is used by this process."""

    connections: int
    idle: int
    waiting: int
    """Units of work that wait for a connection, or for the writer."""


class Connection(Protocol):
    """The statements of one transaction."""

    skip_locked: str

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        """The first row of a query, or nothing."""

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        """All rows of a query."""

    def execute(self, sql: str, /, **parameters: object) -> int:
        """How many rows the statement changed."""


class Database(Protocol):
    """Where rows are kept. Enter it (`async with`) to open it; it is closed when the block is left.

    Errors: `Conflict` where a unique index refuses a row, `Unavailable` where the database does not answer.
    """

    dialect: Literal["sqlite", "postgres"]

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def migrate(self, package: str) -> None:
        """Bring the tables of `package` up to date: its `migrations/<dialect>/NNNN_*.sql`, in order, each once.

        Errors: `Conflict` where a newer version of the package has been at the database already.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, from one consistent view of the committed rows. It must not write."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once all that it wrote is durable; where it raises, nothing of it is kept."""

    async def check(self) -> None:
        """Return where the database can be read and written. Errors: `Unavailable`, which says what is wrong."""

    def load(self) -> Load:
        """How much it is used now."""
