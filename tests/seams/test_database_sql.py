"""One SQL for every database: its parameters, its two functions, and the types of results."""

from __future__ import annotations

import json
import time

from agent_server.database import Connection, Database


async def test_clock_returns_microseconds_and_never_goes_back(counters: Database) -> None:
    def now(c: Connection) -> int:
        row = c.one("SELECT now_us() AS now")
        assert row is not None
        return int(row["now"])

    first = await counters.read(now)
    assert abs(first - time.time() * 1e6) < 60e6
    assert first <= await counters.write(now) <= await counters.read(now)
    compared = await counters.read(
        lambda c: c.one("SELECT :past < now_us() AS so, now_us() + :hour AS later", past=first, hour=3_600_000_000)
    )
    assert compared is not None
    assert compared["so"] == 1
    assert compared["later"] > first + 3_600_000_000 - 1


CONTAINMENT = [
    ('{"a": 1, "b": 2}', '{"a": 1}', True),
    ('{"a": 1}', '{"a": 1, "b": 2}', False),
    ('{"a": 1}', '{"a": 2}', False),
    ('{"a": 1}', "{}", True),
    ("{}", "{}", True),
    ('{"a": 1}', '{"a": 1.0}', True),
    ('{"a": 1}', '{"a": true}', False),
    ('{"a": 0}', '{"a": false}', False),
    ('{"a": 1}', '{"a": "1"}', False),
    ('{"a": null}', '{"a": null}', True),
    ("{}", '{"a": null}', False),
    ('{"a": {"b": 1, "c": 2}}', '{"a": {"b": 1}}', True),
    ('{"a": {"b": 1}}', '{"b": 1}', False),
    ('{"a": {"b": 1}}', '{"a": {}}', True),
    ('{"a": [1, 2, 3]}', '{"a": [3, 1, 1]}', True),
    ('{"a": [1, 2]}', '{"a": [1, 4]}', False),
    ('{"a": ["x"]}', '{"a": "x"}', False),
    ('{"a": "x"}', '{"a": ["x"]}', False),
    ('{"a": [{"b": 1, "c": 2}]}', '{"a": [{"c": 2}]}', True),
    ('{"a": [[1, 2], 3]}', '{"a": [[2]]}', True),
    ('{"a": [[1, 2], 3]}', '{"a": [2]}', False),
    ("[1, 2]", "[2]", True),
    ("[1, 2]", "2", True),
    ("2", "[2]", False),
    ("[true]", "1", False),
    ("[[1]]", "1", False),
    ("[1]", "{}", False),
    ("{}", "[]", False),
    ("[]", "[]", True),
    ('"x"', '"x"', True),
    ('"x"', '"y"', False),
    ('"x"', "[]", False),
    ("null", "null", True),
    ("true", "1", False),
    ('"grüße 🎉"', '"gr\\u00fc\\u00dfe 🎉"', True),
    (None, "{}", None),
    ("{}", None, None),
]


async def test_json_containment_means_the_same_everywhere(counters: Database) -> None:
    def work(c: Connection) -> list[object]:
        sql = "SELECT json_contains(:document, :part) AS so"
        return [(c.one(sql, document=document, part=part) or {})["so"] for document, part, _ in CONTAINMENT]

    assert await counters.read(work) == [expected for _, _, expected in CONTAINMENT]


async def test_containment_search_leaves_out_null(counters: Database) -> None:
    def work(c: Connection) -> list[str]:
        c.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, body TEXT)")
        for key, body in [("one", {"user": {"id": 1}}), ("two", {"user": {"id": 2}, "tags": ["x"]}), ("none", None)]:
            text = None if body is None else json.dumps(body)
            c.execute("INSERT INTO documents (id, body) VALUES (:id, :body)", id=key, body=text)
        part = json.dumps({"user": {"id": 2}})
        return [row["id"] for row in c.all("SELECT id FROM documents WHERE json_contains(body, :part)", part=part)]

    assert await counters.write(work) == ["two"]


async def test_colons_and_percent_signs_stay_in_sql(counters: Database) -> None:
    sql = """
        SELECT ':name is 100% here, it''s :name' AS text, -- :name 5%
               CAST(:name AS TEXT) AS ":name %s", /* :name % */
               10 % 4 AS rest
        FROM counters WHERE name LIKE 'a%' AND name = :name"""
    expected = {"text": ":name is 100% here, it's :name", ":name %s": "a", "rest": 2}
    assert await counters.read(lambda c: c.one(sql, name="a")) == expected
    assert await counters.read(lambda c: c.one("SELECT ':x %s 100%' AS text")) == {"text": ":x %s 100%"}


async def test_values_come_back_as_they_went(counters: Database) -> None:
    stored = {
        "text": "a 'quote', % and :colon, 🎉",
        "whole": 2**63 - 1,
        "number": 0.1,
        "blob": b"\x00\xff",
        "missing": None,
    }

    def work(c: Connection) -> object:
        blob = "BYTEA" if counters.dialect == "postgres" else "BLOB"
        c.execute(f"CREATE TABLE kept (text TEXT, whole BIGINT, number DOUBLE PRECISION, blob {blob}, missing TEXT)")
        c.execute("INSERT INTO kept VALUES (:text, :whole, :number, :blob, :missing)", **stored)
        return c.one("SELECT * FROM kept")

    assert await counters.write(work) == stored


async def test_booleans_and_sums_have_the_same_type_everywhere(counters: Database) -> None:
    def work(c: Connection) -> object:
        c.execute("UPDATE counters SET n = :flag", flag=True)
        return c.one("SELECT sum(n) AS sum, count(*) AS count, max(n) = 1 AS same, avg(n) AS mean FROM counters")

    row = await counters.write(work)
    assert [(value, type(value)) for value in dict(row).values()] == [(2, int), (2, int), (1, int), (1.0, float)]
