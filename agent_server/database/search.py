"""Search one table: optional conditions, a page of rows, and the total count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from agent_server.database import Connection, Row
from agent_server.schema import JsonObject

T = TypeVar("T")


class Found(Struct, Generic[T]):
    """A page of results."""

    items: list[T]
    total: int
    """The number of results on all pages."""
    next_offset: int | None
    """The offset of the next page, if there is one."""


class Page(Struct):
    """The rows to return: the columns and the order (both SQL), offset and limit."""

    columns: str
    order: str
    limit: int
    offset: int


class Rows(Struct):
    """The rows of a page, and the number of rows on all pages."""

    rows: list[Row]
    total: int
    page: Page


class Search:
    """The rows of a table that meet all conditions. A condition on None is ignored."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._conditions: list[str] = []
        self._parameters: dict[str, Any] = {}

    def where(self, condition: str, **parameters: Any) -> None:
        """Keep only rows that meet the SQL `condition`."""
        self._conditions.append(condition)
        self._parameters |= parameters

    def equals(self, column: str, value: str | None) -> None:
        """Keep only rows with `value` in the column."""
        if value is not None:
            self.where(f"{column} = :{column}", **{column: value})

    def contains(self, column: str, part: JsonObject | None) -> None:
        """Keep only rows whose JSON column contains `part`."""
        if part:
            self.where(f"json_contains({column}, :{column})", **{column: msgspec.json.encode(part).decode()})

    def has_text(self, column: str, part: str | None) -> None:
        """Keep only rows whose column's text contains `part`, ignoring case."""
        if part:
            escaped = part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
            self.where(f"lower({column}) LIKE lower(:{column}) ESCAPE '!'", **{column: f"%{escaped}%"})

    def where_in(self, column: str, values: Sequence[str]) -> None:
        """Keep only rows with one of `values`, which must not be empty, in the column."""
        names = {f"{column}_{number}": value for number, value in enumerate(values)}
        self.where(f"{column} IN ({', '.join(':' + name for name in names)})", **names)

    def rows(self, connection: Connection, page: Page) -> list[Row]:
        """Return the rows of a page."""
        return connection.all(
            f"SELECT {page.columns} {self._build_from()} ORDER BY {page.order} LIMIT :page_limit OFFSET :page_offset",
            **self._parameters,
            page_limit=page.limit,
            page_offset=page.offset,
        )

    def count(self, connection: Connection) -> int:
        """Return the number of rows."""
        row = connection.one(f"SELECT count(*) AS n {self._build_from()}", **self._parameters)
        return int(row["n"]) if row else 0

    def page(self, connection: Connection, page: Page) -> Rows:
        """Return the rows of a page, and the number of rows on all pages."""
        rows = self.rows(connection, page)
        if rows and len(rows) < page.limit:  # the last page; no need to count
            return Rows(rows, page.offset + len(rows), page)
        return Rows(rows, self.count(connection), page)

    def _build_from(self) -> str:
        return f"FROM {self._table}" + (f" WHERE {' AND '.join(self._conditions)}" if self._conditions else "")


def convert_page(rows: Rows, made: Callable[[Row], T]) -> Found[T]:
    """Return the page, with each row converted."""
    end = rows.page.offset + len(rows.rows)
    return Found([made(row) for row in rows.rows], rows.total, end if rows.rows and end < rows.total else None)
