"""What `@auth.on` handlers receive about a request: the SDK's names and types, with omitted fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from agent_server.assistants.assistants import SYSTEM_NAMESPACE
from agent_server.config import AuthSettings
from agent_server.routes.auth_rules import QUESTIONS, build_value
from tests.agent_server.api import serving

KEY = "018f0000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("route", "body", "path", "received"),
    [
        ("get_thread", {}, {"thread_id": KEY}, {"thread_id": UUID(KEY)}),
        ("get_run", {}, {"thread_id": KEY, "run_id": KEY}, {"thread_id": UUID(KEY), "run_id": UUID(KEY)}),
        ("search_threads", {}, {}, {"metadata": {}, "values": {}, "status": None, "limit": 10, "offset": 0}),
        ("search_threads", {"limit": 3, "status": "idle"}, {}, {"limit": 3, "status": "idle", "offset": 0}),
        ("search_assistants", {"graph_id": "a"}, {}, {"metadata": {}, "graph_id": "a", "limit": 10, "offset": 0}),
        (
            "patch_assistant",
            {"name": "n"},
            {"assistant_id": KEY},
            {"assistant_id": UUID(KEY), "name": "n", "config": {}},
        ),
        ("create_thread", {"thread_id": KEY}, {}, {"thread_id": UUID(KEY), "metadata": {}, "if_exists": "raise"}),
        ("create_cron", {"schedule": "* * * * *"}, {}, {"thread_id": None, "user_id": "ada", "end_time": None}),
        ("search_crons", {}, {}, {"assistant_id": None, "thread_id": None, "limit": 10, "offset": 0}),
        ("put_item", {"namespace": ["a"], "key": "k", "value": {}}, {}, {"namespace": ("a",), "index": None}),
        (
            "search_items",
            {"namespace_prefix": ["a"]},
            {},
            {"namespace": ("a",), "query": None, "limit": 10, "offset": 0},
        ),
        (
            "list_namespaces",
            {"suffix": ["b"]},
            {},
            {"namespace": (), "suffix": ("b",), "max_depth": None, "limit": 100},
        ),
        ("get_thread", {}, {"thread_id": "no uuid"}, {"thread_id": "no uuid"}),
    ],
)
def test_handlers_find_what_the_sdks_types_have(
    route: str, body: dict[str, Any], path: dict[str, str], received: dict[str, Any]
) -> None:
    value = build_value(QUESTIONS[route][0], body, path, "ada")
    assert {name: value[name] for name in received} == received


def test_run_rules_see_assistant_id_and_defaults() -> None:
    value = build_value(QUESTIONS["create_run"][0], {"assistant_id": "agent", "input": 1}, {"thread_id": KEY})
    assert value["assistant_id"] == uuid5(SYSTEM_NAMESPACE, "agent")
    assert (value["thread_id"], value["multitask_strategy"], value["if_not_exists"]) == (UUID(KEY), "enqueue", "reject")
    assert (value["kwargs"]["input"], value["kwargs"]["config"]) == (1, {"configurable": {}})


AUTH = """
from uuid import UUID
from langgraph_sdk import Auth

auth = Auth()

@auth.authenticate
async def authenticate(authorization: str | None):
    return authorization or "nobody"

@auth.on.threads.create
async def create(ctx, value):
    value["metadata"]["seen"] = str(value["thread_id"])

@auth.on.assistants.create
async def create_assistant(ctx, value):
    value["metadata"]["seen"] = str(value["assistant_id"])

@auth.on.threads.create_run
async def run(ctx, value):
    assert isinstance(value["assistant_id"], UUID)
    value["kwargs"]["config"]["configurable"]["plan"] = "gold"
"""


async def test_rules_see_new_ids_and_change_run_config(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "auth.py").write_text(AUTH)
    async with serving(sqlite_url, tmp_path, auth=AuthSettings("./auth.py:auth")) as api:
        thread = await api.post("/threads", {})
        assistant = await api.post("/assistants", {"graph_id": "showing"})
        run = {"assistant_id": "showing", "input": {"x": 1}}
        configurable = (await api.post(f"/threads/{thread['thread_id']}/runs/wait", run))["log"][0]
        beside = (await api.post("/runs/wait", {**run, "context": {"who": "Ada"}}))["log"]
        both = {**run, "context": {"who": "Ada"}, "config": {"configurable": {"a": 1}}}
        assert (await api.refusal("POST", "/runs/wait", both))[0] == 400
    assert thread["metadata"]["seen"] == thread["thread_id"]
    assert assistant["metadata"]["seen"] == assistant["assistant_id"]
    assert configurable["plan"] == beside[0]["plan"] == "gold"
    assert beside[3] == {"who": "Ada"}
