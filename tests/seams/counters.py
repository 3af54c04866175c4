"""The rows that the database suites write and count."""

from __future__ import annotations

from collections.abc import Callable

from agent_server.database import Connection

Package = Callable[[dict[str, str]], str]
"""Makes an importable package with these migrations (file name: SQL) in both dialects and returns its name.

Called again within a test, it adds to the same package.
"""

COUNTERS = """
CREATE TABLE counters (name TEXT PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO counters (name, n) VALUES ('a', 0), ('b', 0);
"""


def add(name: str, n: int = 1) -> Callable[[Connection], int]:
    return lambda c: c.execute("UPDATE counters SET n = n + :n WHERE name = :name", n=n, name=name)


def insert(name: str, n: int = 0) -> Callable[[Connection], int]:
    return lambda c: c.execute("INSERT INTO counters (name, n) VALUES (:name, :n)", name=name, n=n)


def values(c: Connection) -> dict[str, int]:
    return {row["name"]: row["n"] for row in c.all("SELECT name, n FROM counters ORDER BY name")}
