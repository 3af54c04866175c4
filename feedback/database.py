"""The database seam: the two verbs that feedback needs of a database.

`work` is a plain function that is given a `Connection`; the whole of it is one unit, and may be run again on a
conflict. SQL is written once, for SQLite and PostgreSQL, with `:name` parameters; both provide `now_us()`, their
clock in microseconds since 1970. JSON is kept as TEXT, times as 64-bit integers. Any such object will do.
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
        """The first row of a query, or nothing."""

    def all(self, sql: str, /, **parameters: object) -> list[Row]:
        """All rows of a query."""

    def execute(self, sql: str, /, **parameters: object) -> int:
        """How many rows the statement changed."""


class Database(Protocol):
    """Where rows are kept. Entered to open it; closed when the block is left.

    Errors carry a `status_code` (503 where the database does not answer), which the routes answer with.
    """

    dialect: Literal["sqlite", "postgres"]

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def migrate(self, package: str) -> None:
        """Bring the tables of `package` up to date: its `migrations/<dialect>/NNNN_*.sql`, in order, each once."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, from the committed rows. It must not write."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once all that it wrote is durable; where it raises, nothing of it is kept."""


def listed(name: str, values: Iterable[object]) -> tuple[str, dict[str, Any]]:
    """Return the list of an `IN`, `(:name_0, :name_1)`, and its parameters; for no values, one that nothing is in."""
    parameters = {f"{name}_{at}": value for at, value in enumerate(values)}
    return f"({', '.join(f':{one}' for one in parameters) or 'NULL'})", parameters


def containing(text: str) -> str:
    """Return the pattern of `LOWER(column) LIKE :pattern ESCAPE '!'` for what contains the text, in any case."""
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
