"""`checkpointer.serde`: states with values that msgpack cannot encode, on both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from agent_server.config import Config, ConfigError, Serde
from tests.agent_server.api import Api, serving


class Basket:
    def __init__(self) -> None:
        self.items = ["tea"]


class SubmissionResult(TypedDict, total=False):
    what: str
    thing: Any
    seen: str


THINGS = {"basket": Basket(), "fraction": Fraction(1, 3), "range": range(3), "large integer": 2**70}


def keeping() -> Any:
    graph = StateGraph(SubmissionResult).add_node("put", lambda state: {"thing": THINGS[state["what"]]})
    graph.add_node("take", lambda state: {"seen": type(state["thing"]).__name__})
    return graph.add_edge(START, "put").add_edge("put", "take").compile()


Open = Callable[..., AbstractAsyncContextManager[Api]]


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_with(**settings: Any) -> AsyncIterator[Api]:
        async with serving(database_url, tmp_path, agents={"keeping": keeping()}, **settings) as api:
            yield api

    return open_with


async def test_pickle_fallback_keeps_any_value(opened: Open) -> None:
    async with opened(serde=Serde(pickle_fallback=True)) as api:
        for what, thing in THINGS.items():
            path = f"/threads/{await api.thread('keeping', {'what': what})}"
            state = await api.get(f"{path}/state")
            assert (state["values"]["seen"], state["next"]) == (type(thing).__name__, [])
            assert len(await api.post(f"{path}/history", {})) == 4


async def test_pickled_state_says_why_it_is_unreadable(opened: Open) -> None:
    async with opened(serde=Serde(pickle_fallback=True)) as api:
        path = f"/threads/{await api.thread('keeping', {'what': 'basket'})}"
    async with opened() as api:
        for method, where, body in (("GET", "/state", None), ("POST", "/history", {})):
            status, reason = await api.refusal(method, path + where, body)
            assert (status, "checkpointer.serde" in reason) == (400, True)


async def test_value_that_cannot_be_saved_fails_its_run(opened: Open) -> None:
    async with opened() as api:
        path = f"/threads/{await api.thread()}"
        body = {"assistant_id": "keeping", "input": {"what": "basket"}}
        ended = await api.post(f"{path}/runs/wait", body)
        assert "Basket" in ended["__error__"]["message"]
        assert (await api.get(f"{path}/state"))["values"]["what"] == "basket"


Read = Callable[[Any], Serde]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def load(checkpointer: Any) -> Serde:
        file = tmp_path / "langgraph.json"
        file.write_text(json.dumps({"checkpointer": checkpointer}))
        return Config.load(file, {}).serde

    return load


def test_settings_are_read_from_file(read: Read) -> None:
    types = [["my_agent.models", "Order"]]
    expected = Serde(pickle_fallback=True, msgpack_types=(("my_agent.models", "Order"),))
    assert read({"serde": {"pickle_fallback": True, "allowed_msgpack_modules": types}}) == expected
    assert read({"serde": {"allowed_msgpack_modules": None}}) == Serde(msgpack_types=None)
    assert read(None) == read({"serde": {}}) == Serde()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"pickle": True}, "serde has 'pickle'; it may have pickle_fallback"),
        ({"pickle_fallback": "yes"}, r"pickle_fallback is 'yes'; it must be true or false"),
        ({"allowed_msgpack_modules": ["my_agent"]}, "allowed_msgpack_modules is .* a list of types"),
        ([1], "serde is .*; it must be an object"),
    ],
)
def test_wrong_setting_is_named(read: Read, given: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read({"serde": given})
