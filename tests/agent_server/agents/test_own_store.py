"""`store.path` of langgraph.json: the application's own store serves the routes and the graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_server.config import Config, ConfigError, Graph
from tests.agent_server.api import serving
from tests.agent_server.served import config_of, served, whole_app

MADE = """
from contextlib import asynccontextmanager
from pathlib import Path
from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from tests.agent_server.graphs import State

class Mine(InMemoryStore):
    pass

@asynccontextmanager
async def manager():
    yield Mine()
    (Path(__file__).parent / "closed").touch()

async def later():
    return Mine()

ready = Mine()
wrong = dict

async def fails():
    raise OSError("the cellar is locked")

async def look(state: State) -> State:
    return {"log": [type(get_store()).__name__, (await get_store().aget(("notes",), "k")).value]}

looking = StateGraph(State).add_node(look).add_edge(START, "look").compile()
"""


@pytest.mark.parametrize("named", ["manager", "later", "ready"])
async def test_routes_and_graphs_use_the_applications_own_store(named: str, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(MADE)
    graphs = {"looking": Graph("./made.py:looking")}
    async with serving(sqlite_url, tmp_path, store_path=f"./made.py:{named}", graphs=graphs) as api:
        put = await api.send("PUT", "/store/items", {"namespace": ["notes"], "key": "k", "value": {"n": 1}})
        assert put.status_code == 204
        assert (await api.get("/store/items?namespace=notes&key=k"))["value"] == {"n": 1}
        assert [one["key"] for one in (await api.post("/store/items/search", {"namespace_prefix": []}))["items"]] == [
            "k"
        ]
        response = await api.post("/runs/wait", {"assistant_id": "looking", "input": {"x": 1}})
        assert response["log"] == ["Mine", {"n": 1}]
        with_ttl: Any = {"namespace": ["notes"], "key": "k", "value": {}, "ttl": 5}
        status, received = await api.refusal("PUT", "/store/items", with_ttl)
        assert (status, "TTL" in received) == (422, True)
    assert (tmp_path / "closed").exists() is (named == "manager")
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("named", "message"), [("wrong", "made a dict, which is no BaseStore"), ("fails", "the cellar is locked")]
)
async def test_unusable_store_prevents_the_start(named: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(MADE)
    config: Config = config_of("sqlite:///", tmp_path, store_path=f"./made.py:{named}")
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match=message), flatten_subgroups=True, allow_unwrapped=True):
        async with served(whole_app(config)):
            pass
