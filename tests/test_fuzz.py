"""Random requests to every operation of the OpenAPI document, over both databases, cause no server error.

Empty and odd parameters, bodies around their schemas, odd `Host` and other headers. The fixed seed makes failures
repeatable; `-m long` sends 10,000 requests to each database.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from litestar import Litestar

from tests.agent_server.served import config_of, whole_app

Case = tuple[str, str, str, list[tuple[str, str]], bytes]
METHODS = ("get", "post", "put", "patch", "delete")
ENDLESS = {("get", "/threads/{thread_id}/stream"), ("post", "/threads/{thread_id}/stream/events")}
SECONDS = 5.0
"""How long a response may take to begin; a request that waits for a delayed run is given up then."""
ODD = [
    *("", " ", "0", "-1", "1", "1.5", "NaN", "Infinity", "1e400", "true", "null", "[]", "{}", '""', "a", "a" * 3000),
    *("9" * 30, "-9223372036854775809", "2020-01-01", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "24:00"),
    *(
        "\0",
        "\x7f",
        "ä",
        "😀",
        "\u202e",
        "%",
        "%00",
        "%ff",
        "' OR 1=1 --",
        "../../x",
        "a.b",
        "a,b",
        "*",
        "$",
        "|",
        "\n",
    ),
]
RAW = ["%ff", "%c3%28", "%", "%zz", "+", "%00", "&", "=", "%ed%a0%80", "a%0d%0ab"]
HOSTS = [
    "localhost",
    "localhost:2024",
    "[::1]:1",
    "",
    "localhost:x",
    "user@localhost",
    "a b",
    "evil.example",
    "[",
    "-",
    "%",
]
HEADERS = {
    "accept": ["*/*", "", "text/html", "application/json", "text/html;q=x", "a" * 500, "application/json;q=0"],
    "content-type": ["application/json", "text/plain", "", "multipart/form-data", "x; charset=\\"],
    "origin": ["null", "", "https://evil.example", "http://localhost:3000", "x"],
    "last-event-id": ["", "0", "-1", "-", "1-42", "x", "9" * 40],
    "x-api-key": ["", "x", "as_wrong"],
    "authorization": ["", "Bearer", "Bearer x", "Basic eDp5", "x"],
    "x-tenant-id": ["", "default", "x", "\xff"],
    "x-forwarded-for": ["", "x", "127.0.0.1", "1.2.3.4, x"],
    "idempotency-key": ["", "x", "a" * 300],
    "sec-fetch-mode": ["navigate", "cors", "x"],
    "content-encoding": ["gzip", "identity", "x"],
    "traceparent": ["", "x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
}


class Fuzzer:
    """Makes requests from an OpenAPI document."""

    def __init__(self, document: dict[str, Any], seed: int, known: dict[str, str]) -> None:
        self._document = document
        self._known = known
        self._random = random.Random(seed)
        self._operations = [
            (method, path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in METHODS and (method, path) not in ENDLESS
        ]

    def case(self) -> Case:
        """Return method, path, query, headers and body of a request."""
        pick = self._random
        method, path, operation = pick.choice(self._operations)
        parameters = operation.get("parameters", [])
        for name in [one["name"] for one in parameters if one["in"] == "path"]:
            known = self._known.get(name, str(uuid.uuid4()))
            value = pick.choice([known, known, known, str(uuid.uuid4()), pick.choice(ODD)])
            path = path.replace(f"{{{name}}}", quote(value, safe="") or "x")
        query = [one["name"] for one in parameters if one["in"] == "query" and pick.random() < 0.4]
        parts = [f"{quote(name)}={self._query_value(name)}" for name in query]
        body = self._body(operation) if "requestBody" in operation or pick.random() < 0.05 else b""
        return method.upper(), path, "&".join(parts), self._headers(), body

    def _query_value(self, name: str) -> str:
        if self._random.random() < 0.1:
            return self._random.choice(RAW)
        return quote(self._random.choice([*ODD, *self._known.values(), self._known.get(name, "")]), safe="")

    def _headers(self) -> list[tuple[str, str]]:
        pick = self._random
        host = pick.choice(HOSTS) if pick.random() < 0.1 else "localhost"
        chosen = [(name, pick.choice(values)) for name, values in HEADERS.items() if pick.random() < 0.06]
        return [("host", host), *chosen]

    def _body(self, operation: dict[str, Any]) -> bytes:
        pick = self._random
        if pick.random() < 0.05:
            return pick.choice(
                [b"", b"{", b"[]", b"null", b"\xff", b'"\\ud800"', b"1e999", b"{}", b"[{}]", b"a=1&score=1"]
            )
        schemas = [media.get("schema", {}) for media in operation.get("requestBody", {}).get("content", {}).values()]
        return json.dumps(self._value(pick.choice(schemas) if schemas else {}, 0)).encode()

    def _value(self, schema: dict[str, Any], depth: int) -> Any:
        pick = self._random
        if pick.random() < 0.06 or depth > 6:
            return self._odd()
        if "$ref" in schema:
            return self._value(self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
        for name in ("anyOf", "oneOf", "allOf"):
            if schema.get(name):
                return self._value(pick.choice(schema[name]), depth + 1)
        if "enum" in schema or "const" in schema:
            return pick.choice(schema.get("enum") or [schema["const"]])
        kind = schema.get("type")
        return self._of_type(pick.choice(kind) if isinstance(kind, list) else kind, schema, depth)

    def _of_type(self, kind: str | None, schema: dict[str, Any], depth: int) -> Any:
        pick = self._random
        if kind == "object" or "properties" in schema:
            needed = schema.get("required", [])
            properties = schema.get("properties", {})
            chosen = [name for name in properties if name in needed or pick.random() < 0.3]
            found = {name: self._known_or(name, properties[name], depth + 1) for name in chosen}
            return found | ({"x": self._odd()} if not properties or pick.random() < 0.05 else {})
        if kind == "array":
            return [self._value(schema.get("items", {}), depth + 1) for _ in range(pick.randrange(3))]
        plain: dict[str | None, list[Any]] = {
            "string": [*ODD, *self._known.values()],
            "integer": [0, 1, -1, 10, 2**31, 2**63, -(2**63)],
            "number": [0, 1, -1, 0.5, 1e308, 2**70],
            "boolean": [True, False],
            "null": [None],
        }
        return pick.choice(plain[kind]) if kind in plain else self._odd()

    def _known_or(self, name: str, schema: dict[str, Any], depth: int) -> Any:
        if name == "after_seconds":
            return 0
        if name in self._known and self._random.random() < 0.7:
            return self._known[name]
        return self._value(schema, depth)

    def _odd(self) -> Any:
        return self._random.choice([None, True, 0, -1, 1.5, 2**64, "", {}, [], {"a": {}}, [[]], {"": ""}, *ODD])


@asynccontextmanager
async def started(database_url: str, folder: Path) -> AsyncIterator[Litestar]:
    app = whole_app(config_of(database_url, folder))
    async with app.lifespan():
        yield app


async def status_of(app: Any, case: Case, seconds: float = SECONDS) -> tuple[int, bytes]:
    """Return the status and the body of the response; the status is 0 if none arrives in time."""
    method, path, query, headers, body = case
    status, content, ended = 0, b"", asyncio.Event()
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, content
        status = message.get("status", status)
        content += message.get("body", b"")
        if message["type"] == "http.response.body":
            ended.set()

    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    lengths = [(b"content-length", str(len(body)).encode())] if body else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [*raw, *lengths],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 2024),
        "state": {},
    }
    with suppress(TimeoutError):
        await asyncio.wait_for(app(scope, receive, send), seconds)
    return status, content


async def known_ids(app: Litestar) -> dict[str, str]:
    """Create one resource of every kind and return their ids, so that requests get further than a 404."""
    host = [("host", "localhost")]

    async def made(path: str, body: dict[str, Any]) -> Any:
        status, content = await status_of(app, ("POST", path, "", host, json.dumps(body).encode()))
        assert status == 200, content
        return json.loads(content)

    thread = (await made("/threads", {}))["thread_id"]
    run = await made(f"/threads/{thread}/runs", {"assistant_id": "agent", "input": 1, "feedback_keys": ["k"]})
    cron = await made("/runs/crons", {"assistant_id": "agent", "schedule": "0 0 1 1 *"})
    feedback = await made("/api/v1/feedback", {"run_id": run["run_id"], "key": "k", "score": 1})
    token = await made("/api/v1/feedback/tokens", {"run_id": run["run_id"], "feedback_key": "k"})
    return {
        "thread_id": thread,
        "run_id": run["run_id"],
        "assistant_id": run["assistant_id"],
        "cron_id": cron["cron_id"],
        "feedback_id": feedback["id"],
        "token": token["id"],
        "feedback_key": "k",
        "key": "k",
        "name": "default",
        "tenant": "_",
        "agent": "agent",
        "agent_id": "agent",
        "schema_id": "1",
        "schedule": "0 0 1 1 *",
    }


async def failures(app: Litestar, count: int, seed: int) -> list[str]:
    """Send so many requests and return those with a server error, each kind once."""
    known = await known_ids(app)
    # The first request generates the document, which takes seconds on a busy machine.
    status, content = await status_of(app, ("GET", "/openapi.json", "", [("host", "localhost")], b""), seconds=30)
    assert status == 200
    fuzzer, found = Fuzzer(json.loads(content), seed, known), {}
    for number in range(count):
        case = fuzzer.case()
        status, content = await status_of(app, case)
        if status >= 500:
            found.setdefault(
                (case[0], case[1].split("/")[1:3].__str__(), content[:40]), f"{number}: {case} {content[:300]!r}"
            )
    return list(found.values())


async def test_no_random_request_is_a_server_error(database_url: str, tmp_path: Path) -> None:
    async with started(database_url, tmp_path) as app:
        assert "\n\n".join(await failures(app, 300, seed=1)) == ""


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_ten_thousand_random_requests_are_answered(database_url: str, tmp_path: Path) -> None:
    async with started(database_url, tmp_path) as app:
        assert "\n\n".join(await failures(app, 10_000, seed=2)) == ""
