"""The server has a route for every public method of the official clients and knows every parameter that they send.

Other tests check the effects; this one finds parameters that are silently ignored.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIError

from tests.clients.node import node
from tests.clients.server_process import ServerProcess

UNKNOWN = "00000000-0000-4000-8000-000000000000"
PASSED_OVER = {"langsmith_tracer", "strict_resume", "assistantId"}
"""Parameters that the server ignores: sent for traces only, sent because of `/info`, or sent twice in two spellings."""
EVENT_STREAMING = {("threads", "stream")}

CHECKPOINT = {"thread_id": UNKNOWN, "checkpoint_ns": "", "checkpoint_id": UNKNOWN, "checkpoint_map": {}}
VALUES: dict[str, Any] = {
    "thread_id": UNKNOWN, "thread_ids": [UNKNOWN], "run_id": UNKNOWN, "run_ids": [UNKNOWN], "cron_id": UNKNOWN,
    "ids": [UNKNOWN], "checkpoint_id": UNKNOWN, "checkpoint": CHECKPOINT, "before": CHECKPOINT, "last_event_id": "1-1",
    "input": {"total": 1}, "values": {"done": [1]}, "command": {"resume": 1}, "config": {"tags": ["a"]},
    "context": {"a": 1}, "metadata": {"a": 1},
    "supersteps": [{"updates": [{"values": {"done": [1]}, "as_node": "step"}]}],
    "stream_mode": ["values", "updates"], "stream_subgraphs": True, "stream_resumable": True, "durability": "sync",
    "checkpoint_during": True, "interrupt_before": ["step"], "interrupt_after": "*", "feedback_keys": ["a"],
    "webhook": "https://example.org/", "multitask_strategy": "reject", "if_not_exists": "reject", "if_exists": "raise",
    "on_completion": "keep", "on_disconnect": "cancel", "after_seconds": 1, "langsmith_tracing": {"project_name": "p"},
    "on_run_created": lambda _: None, "strict_resume": True, "version": "v1", "raise_error": False,
    "payloads": [{"assistant_id": "steps", "input": {}}], "graph_id": "steps", "name": "n", "description": "d",
    "xray": 1, "recurse": True, "limit": 1, "offset": 0, "sort_order": "asc", "response_format": "object",
    "delete_threads": True, "strategy": "keep_latest", "status": "pending", "wait": True, "action": "interrupt",
    "include": ["ttl"], "subgraphs": True, "as_node": "step", "extract": {"a": "values.a"}, "return_minimal": True,
    "ttl": 5, "schedule": "0 0 1 1 *", "timezone": ZoneInfo("UTC"), "end_time": datetime(2100, 1, 1, tzinfo=UTC),
    "enabled": False, "on_run_completed": "keep", "key": "k", "value": {"a": 1}, "index": ["a"], "refresh_ttl": True,
    "namespace_prefix": ["a"], "filter": {"a": 1}, "query": "q", "prefix": ["a"], "suffix": ["b"], "max_depth": 2,
    "cancel_on_disconnect": True,
}  # fmt: skip
BY_METHOD: dict[tuple[str, str], dict[str, Any]] = {
    ("assistants", "search"): {"sort_by": "name", "select": ["name"]},
    ("threads", "search"): {"sort_by": "updated_at", "select": ["status"], "status": "idle"},
    ("threads", "count"): {"status": "idle"},
    ("threads", "get_state"): {"select": ["values"]},
    ("threads", "get_history"): {"select": ["next"]},
    ("threads", "join_stream"): {"stream_mode": "run_modes"},
    ("runs", "list"): {"select": ["status"]},
    ("crons", "search"): {"sort_by": "next_run_date", "select": ["schedule"]},
    ("store", "put_item"): {"namespace": ["a"]},
    ("store", "get_item"): {"namespace": ["a"]},
    ("store", "delete_item"): {"namespace": ["a"]},
    ("assistants", "get_subgraphs"): {"namespace": "sub"},
}
VARIANTS: dict[tuple[str, str], list[dict[str, Any]]] = {
    **{("runs", name): [{}, {"thread_id": None}] for name in ("create", "stream", "wait")},
    ("threads", "get_state"): [{}, {"checkpoint": None}, {"checkpoint": None, "checkpoint_id": None}],
    ("runs", "cancel_many"): [{"status": None}, {"thread_id": None, "run_ids": None}],
}


def methods() -> Iterator[tuple[str, str]]:
    client = get_client(url="http://127.0.0.1:1", api_key="any")
    for part in ("assistants", "threads", "runs", "crons", "store"):
        for name, _ in inspect.getmembers(getattr(client, part), callable):
            if not name.startswith("_") and (part, name) not in EVENT_STREAMING and name != "http":
                yield part, name


@pytest.fixture
async def sent(client: LangGraphClient) -> list[tuple[httpx.Request, httpx.Response]]:
    """Record the client's requests from now on, with their responses."""
    exchanges: list[tuple[httpx.Request, httpx.Response]] = []

    async def note(response: httpx.Response) -> None:
        exchanges.append((response.request, response))

    client.http.client.event_hooks["response"].append(note)
    return exchanges


@pytest.fixture(scope="module")
def document(graphs: ServerProcess) -> Any:
    return httpx.get(f"{graphs.url}/openapi.json").json()


@pytest.mark.filterwarnings("ignore:`checkpoint_during` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("part", "name"), list(methods()))
async def test_method_is_understood_with_all_its_parameters(
    part: str, name: str, client: LangGraphClient, sent: list[tuple[httpx.Request, httpx.Response]], document: Any
) -> None:
    method = getattr(getattr(client, part), name)
    names = [one for one in inspect.signature(method).parameters if one not in ("headers", "params")]
    assistant = "steps" if part in ("runs", "crons") else str(uuid4())
    known = {**VALUES, "assistant_id": assistant, **BY_METHOD.get((part, name), {})}
    for variant in VARIANTS.get((part, name), [{}]):
        sent.clear()
        given = {one: ({**known, **variant})[one] for one in names}
        with suppress(APIError, httpx.HTTPStatusError):  # most requests name things that do not exist
            await _called(method, given)
        assert sent, "the client sent nothing"
        for request, response in sent:
            _check_known(request, response.status_code, document)


async def test_javascript_client_is_understood_with_all_its_parameters(graphs: ServerProcess, document: Any) -> None:
    *lines, last = (await node("every.mjs", graphs.url)).splitlines()
    received = [json.loads(line) for line in lines]
    assert len(received) == json.loads(last)["calls"]
    for one in received:
        _check_known(httpx.Request(one["method"], one["url"], content=one["body"] or ""), one["status"], document)


async def _called(method: Callable[..., Any], given: dict[str, Any]) -> None:
    signature = inspect.signature(method).parameters
    first = [given.pop(one.name) for one in signature.values() if one.kind is one.POSITIONAL_ONLY]
    result = method(*first, **given)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aiter__"):
        async for _ in result:
            break
        await result.aclose()


def _check_known(request: httpx.Request, status: int, document: Any) -> None:
    """Check that the route exists, and that the server's document has every name in the query and the body."""
    assert status < 500
    assert status != 405
    path = next(one for one in _templates(document) if _fits(one, request.url.path))
    operation = document["paths"][path][request.method.lower()]
    queries = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert set(request.url.params) <= queries, path
    if not request.content:
        return
    body = httpx.Response(200, content=request.content).json()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    properties = _properties(schema, document)
    for one in body if isinstance(body, list) else [body]:
        assert set(one) - PASSED_OVER <= properties, path


def _templates(document: Any) -> list[str]:
    """Return the path templates, those with the fewest parameters first."""
    return sorted(document["paths"], key=lambda path: path.count("{"))


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^/]*\}", "[^/]+", template), path) is not None


def _properties(schema: Any, document: Any) -> set[str]:
    if "$ref" in schema:
        return _properties(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    parts = [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())]
    parts += [schema["items"]] if "items" in schema else []
    return set(schema.get("properties", ())).union(*(_properties(one, document) for one in parts))
