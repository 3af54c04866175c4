"""The database interface: the two methods that feedback needs of a database.

`work` is a plain function that takes a `Connection`. It runs as one transaction, and may run again after a conflict.
SQL is written once, for SQLite and PostgreSQL, with `:name` parameters; both provide `now_us()`, their clock in
microseconds since 1970. JSON is stored as TEXT, times as 64-bit integers. Any object with these methods will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar

T = TypeVar("T")
Row = Mapping[str, Any]


class Connection(Protocol):
    """The statements of one transaction (READ COMMITTED or stricter)."""

    def one(self, sql: str, /, **parameters: object) -> Row | None:
        """Return the first row of a query, or None."""

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        """Return all rows of a query."""

    def tuples(self, sql: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query as tuples, in the order of its columns: faster than `all` for many rows."""

    def execute(self, sql: str, /, **parameters: object) -> int:
        """Return how many rows the statement changed."""


class Database(Protocol):
    """A database. Entering the context opens it; leaving it closes it.

    Errors carry a `status_code` (503 if the database does not respond), which the routes send.
    """

    dialect: Literal["sqlite", "postgres"]

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def migrate(self, package: str) -> None:
        """Apply the migrations of `package`: its `migrations/<dialect or common>/NNNN_*.sql`, in order."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return the result of `work`, which reads committed rows and must not write."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return the result of `work` once its writes are durable; if it raises, none of them is kept."""


def build_in_list(name: str, values: Iterable[object]) -> tuple[str, dict[str, Any]]:
    """Return the list of an `IN`, `(:name_0, :name_1)`, and its parameters; without values it matches nothing."""
    parameters = {f"{name}_{at}": value for at, value in enumerate(values)}
    return f"({', '.join(f':{one}' for one in parameters) or 'NULL'})", parameters


def build_like_pattern(text: str) -> str:
    """Return the pattern of `LOWER(column) LIKE :pattern ESCAPE '!'` that matches texts with `text` in any case."""
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
