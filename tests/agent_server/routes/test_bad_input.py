"""Bad requests get the right status and a message that says what would be right, never a 500."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
from litestar.routes import HTTPRoute

from tests.agent_server.served import config_of, served, whole_app

ENTRIES = (
    "/runs",
    "/runs/stream",
    "/runs/wait",
    "/threads/{thread}/runs",
    "/threads/{thread}/runs/stream",
    "/threads/{thread}/runs/wait",
)
LIMIT = 20_000
UNKNOWN = str(uuid4())

BODIES: dict[str, tuple[Any, int, tuple[str, ...]]] = {
    "not JSON": (b"hello", 422, ("Invalid JSON", "byte 0")),
    "a form": (b"assistant_id=agent", 422, ("Invalid JSON",)),
    "cut": (b'{"assistant_id":"agent"', 422, ("ends in the middle", "close")),
    "empty": (b"", 422, ("no body", "JSON object")),
    "a list": (b"[1]", 422, ("Expected `object`", "got `array`")),
    "null": (b"null", 422, ("Expected `object`", "null")),
    "without assistant": ({}, 422, ("assistant_id",)),
    "assistant of the wrong type": ({"assistant_id": 5}, 422, ("assistant_id", "str", "int")),
    "unknown graph": ({"assistant_id": "nope"}, 422, ("'nope'", "valid assistant UUID", "agent")),
    "unknown assistant": ({"assistant_id": UNKNOWN}, 404, (UNKNOWN, "not found", "/assistants/search")),
    "unknown stream mode": (
        {"assistant_id": "agent", "stream_mode": "nope"},
        422,
        ("stream_mode", "nope", "values, messages", "custom"),
    ),
    "unknown stream modes": (
        {"assistant_id": "agent", "stream_mode": ["values", "nope"]},
        422,
        ("stream_mode", "nope", "values, messages"),
    ),
    "stream mode of the wrong type": ({"assistant_id": "agent", "stream_mode": 5}, 422, ("stream_mode", "int")),
    "unknown on_disconnect": (
        {"assistant_id": "agent", "on_disconnect": "nope"},
        422,
        ("on_disconnect", "nope", "cancel, continue"),
    ),
    "unknown on_completion": ({"assistant_id": "agent", "on_completion": "x"}, 422, ("on_completion", "delete, keep")),
    "unknown if_not_exists": (
        {"assistant_id": "agent", "if_not_exists": "x"},
        422,
        ("if_not_exists", "create, reject"),
    ),
    "unknown strategy": (
        {"assistant_id": "agent", "multitask_strategy": "x"},
        422,
        ("multitask_strategy", "reject, enqueue, interrupt, rollback"),
    ),
    "unknown durability": ({"assistant_id": "agent", "durability": "x"}, 422, ("durability", "sync, async, exit")),
    "negative delay": ({"assistant_id": "agent", "after_seconds": -1}, 422, ("after_seconds", ">= 0")),
    "endless delay": ({"assistant_id": "agent", "after_seconds": 1e300}, 422, ("after_seconds", "<=")),
    "too many keys": ({"assistant_id": "agent", "feedback_keys": ["k"] * 101}, 422, ("feedback_keys", "<= 100")),
    "empty key": ({"assistant_id": "agent", "feedback_keys": [""]}, 422, ("feedback_keys[0]", ">= 1")),
    "keys of the wrong type": ({"assistant_id": "agent", "feedback_keys": "k"}, 422, ("feedback_keys", "array")),
    "config of the wrong type": ({"assistant_id": "agent", "config": [1]}, 422, ("config", "object")),
    "metadata of the wrong type": ({"assistant_id": "agent", "metadata": "x"}, 422, ("metadata", "object")),
    "configurable of the wrong type": (
        {"assistant_id": "agent", "config": {"configurable": 5}},
        400,
        ("configurable", "object"),
    ),
    "context beside configurable": (
        {"assistant_id": "agent", "config": {"configurable": {"a": 1}}, "context": {"b": 1}},
        400,
        ("configurable and context",),
    ),
    "too large": (
        b'{"assistant_id":"agent","input":"' + b"x" * LIMIT + b'"}',
        413,
        ("too large", "at most 20,000 bytes"),
    ),
    "too deep": (b'{"assistant_id":"agent","input":' + b"[" * 200 + b"]" * 200 + b"}", 422, ("128 levels", "flatter")),
    "far too deep": (b"[" * 9_000 + b"]" * 9_000, 422, ("128 levels",)),
    "NUL": (rb'{"assistant_id":"agent","input":"a\u0000b"}', 422, ("NUL", "leave it out")),
    "NUL in the assistant": (rb'{"assistant_id":"a\u0000b"}', 422, ("NUL",)),
    "raw NUL": (b'{"assistant_id":"agent","input":"a\x00b"}', 422, ("Invalid JSON",)),
    "lone surrogate": (rb'{"assistant_id":"agent","input":"\ud800"}', 422, (r"\ud800", "surrogate", "both halves")),
    "encoded surrogate": (b'{"assistant_id":"agent","input":"\xed\xa0\x80"}', 422, ("not UTF-8", "byte")),
    "NaN": (b'{"assistant_id":"agent","input":NaN}', 422, ("NaN", "send null")),
    "Infinity": (b'{"assistant_id":"agent","input":-Infinity}', 422, ("Infinity", "send null")),
    "too big a float": (b'{"assistant_id":"agent","input":1e999}', 422, ("out of range",)),
    "not UTF-8": (b'{"assistant_id":"agent","input":"\xff"}', 422, ("not UTF-8", "byte 33")),
    "UTF-16": ('{"assistant_id":"agent"}'.encode("utf-16"), 422, ("not UTF-8",)),
}


def _sent(body: Any) -> dict[str, Any]:
    return (
        {"content": body, "headers": {"content-type": "application/json"}}
        if isinstance(body, bytes)
        else {"json": body}
    )


@pytest.mark.parametrize("path", ENTRIES)
async def test_every_wrong_body_is_refused_with_the_fix(database_url: str, tmp_path: Path, path: str) -> None:
    wrong: list[str] = []
    async with served(whole_app(config_of(database_url, tmp_path, max_body_bytes=LIMIT))) as client:
        thread_id = (await client.post("/threads", json={})).json()["thread_id"]
        for name, (body, status, words) in BODIES.items():
            response = await client.post(path.format(thread=thread_id), **_sent(body))
            detail = response.json().get("detail") if response.status_code != 200 else "accepted"
            if response.status_code != status or not all(word in detail for word in words):
                wrong.append(f"{name}: {response.status_code} {detail}")
        assert "\n".join(wrong) == ""
        assert (await client.get(f"/threads/{thread_id}/runs")).json() == []
        good = await client.post(path.format(thread=thread_id), json={"assistant_id": "agent", "input": 1})
        assert good.status_code == 200


REQUESTS: dict[str, tuple[str, str, Any, int, tuple[str, ...]]] = {
    "run on an unknown thread": (
        "POST",
        f"/threads/{UNKNOWN}/runs",
        {"assistant_id": "agent"},
        404,
        (UNKNOWN, "not found"),
    ),
    "stream on an unknown thread": (
        "POST",
        f"/threads/{UNKNOWN}/runs/stream",
        {"assistant_id": "agent"},
        404,
        (UNKNOWN, "not found"),
    ),
    "wait on an unknown thread": (
        "POST",
        f"/threads/{UNKNOWN}/runs/wait",
        {"assistant_id": "agent"},
        404,
        (UNKNOWN, "not found"),
    ),
    "run on a malformed thread": ("POST", "/threads/nope/runs", {"assistant_id": "agent"}, 422, ("thread ID", "UUID")),
    "unknown thread": ("GET", f"/threads/{UNKNOWN}", None, 404, (UNKNOWN, "not found")),
    "malformed thread": ("GET", "/threads/nope", None, 422, ("thread ID", "must be a UUID, such as")),
    "state of an unknown thread": ("GET", f"/threads/{UNKNOWN}/state", None, 404, (UNKNOWN, "not found")),
    "runs of an unknown thread": ("GET", f"/threads/{UNKNOWN}/runs", None, 404, (UNKNOWN, "not found")),
    "unknown assistant": ("GET", f"/assistants/{UNKNOWN}", None, 404, (UNKNOWN, "not found")),
    "malformed assistant": ("GET", "/assistants/nope", None, 422, ("assistant ID", "UUID")),
    "unknown run": ("GET", f"/threads/{{thread}}/runs/{UNKNOWN}", None, 404, (UNKNOWN, "not found")),
    "malformed run": ("GET", "/threads/{thread}/runs/nope", None, 422, ("run ID", "UUID")),
    "unknown run, joined": ("GET", f"/threads/{{thread}}/runs/{UNKNOWN}/join", None, 404, (UNKNOWN,)),
    "unknown run, streamed": ("GET", f"/threads/{{thread}}/runs/{UNKNOWN}/stream", None, 404, (UNKNOWN,)),
    "unknown stateless run, joined": ("GET", f"/runs/{UNKNOWN}/join", None, 404, (UNKNOWN,)),
    "unknown stateless run, streamed": ("GET", f"/runs/{UNKNOWN}/stream", None, 404, (UNKNOWN,)),
    "unknown run, cancelled": ("POST", f"/threads/{{thread}}/runs/{UNKNOWN}/cancel", None, 404, (UNKNOWN,)),
    "unknown run, deleted": ("DELETE", f"/threads/{{thread}}/runs/{UNKNOWN}", None, 404, (UNKNOWN,)),
    "unknown action": (
        "POST",
        "/threads/{thread}/runs/{run}/cancel?action=nope",
        None,
        422,
        ("action", "nope", "interrupt, rollback"),
    ),
    "limit that is no number": ("GET", "/threads/{thread}/runs?limit=x", None, 422, ("limit", "int")),
    "limit of zero": ("GET", "/threads/{thread}/runs?limit=0", None, 422, ("limit", ">= 1")),
    "endless limit": ("GET", "/threads/{thread}/runs?limit=99999999999999999999", None, 422, ("limit", "<= 1000")),
    "negative offset": ("GET", "/threads/{thread}/runs?offset=-1", None, 422, ("offset", ">= 0")),
    "endless offset": ("GET", "/threads/{thread}/runs?offset=99999999999999999999", None, 422, ("offset", "<=")),
    "unknown status": ("GET", "/threads/{thread}/runs?status=nope", None, 422, ("status", "nope", "pending, running")),
    "event id that is none": ("GET", "/threads/{thread}/runs/{run}/stream", "x", 422, ("Last-Event-ID", "1-42", "-1")),
    "huge numbers in a search": ("POST", "/threads/search", {"offset": 10**30}, 422, ("offset",)),
    "unknown route": ("GET", "/nope", None, 404, ("Not Found",)),
    "unknown method": ("PUT", "/threads", {}, 405, ("Method Not Allowed",)),
}


async def test_other_wrong_input_is_refused_with_the_fix(database_url: str, tmp_path: Path) -> None:
    wrong: list[str] = []
    async with served(whole_app(config_of(database_url, tmp_path))) as client:
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "agent", "input": 1, "after_seconds": 3600}
        run = (await client.post(f"/threads/{thread}/runs", json=body)).json()["run_id"]
        for name, (method, path, given, status, words) in REQUESTS.items():
            more = {"headers": {"Last-Event-ID": given}} if isinstance(given, str) else {"json": given}
            response = await client.request(method, path.format(thread=thread, run=run), **more)
            if response.status_code != status or not all(word in response.json()["detail"] for word in words):
                wrong.append(f"{name}: {response.status_code} {response.text}")
    assert "\n".join(wrong) == ""


async def test_no_dependency_shares_a_body_fields_name(sqlite_url: str, tmp_path: Path) -> None:
    app = whole_app(config_of(sqlite_url, tmp_path))  # Litestar would report the field's fault as the server's
    handlers = [handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    clashes = [
        (handler.handler_name, name)
        for handler in handlers
        if (data := handler.parsed_data_field) and isinstance(data.annotation, type)
        for name in get_type_hints(data.annotation)
        if name in handler.resolve_dependencies()
    ]
    assert clashes == []


@pytest.mark.parametrize("number", [2**53, 2**63 - 1, 2**64, 10**30])
async def test_huge_integers_are_kept_as_they_are(database_url: str, tmp_path: Path, number: int) -> None:
    async with served(whole_app(config_of(database_url, tmp_path))) as client:
        body = {"assistant_id": "agent", "input": {"n": number}, "metadata": {"n": number}}
        run = (await client.post("/runs", json=body)).json()
        assert (run["metadata"]["n"], run["kwargs"]["input"]["n"]) == (number, number)
