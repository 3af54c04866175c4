"""`runtime.context` has the fields of a run's context that the graph's schema declares."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from typing import Any

import pytest
import typing_extensions
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from agent_server.agents import open_agents
from agent_server.agents.langgraph.context import select_context
from agent_server.config import Config
from tests.agent_server.agent_runs import agent_run, play
from tests.agent_server.graphs import State


@dataclass
class Person:
    who: str = "nobody"
    made: int = field(default=0, init=False)


class Model(BaseModel):
    who: str = "nobody"
    year: int = Field(default=0, alias="y")


class Typed(typing.TypedDict, total=False):
    who: str


class TypedFurther(typing_extensions.TypedDict, total=False):
    who: str


GIVEN = {"who": "Ada", "made": 1, "y": 1815, "other": True}


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        (Person, {"who": "Ada"}),
        (Model, {"who": "Ada", "y": 1815}),
        (Typed, {"who": "Ada"}),
        (TypedFurther, {"who": "Ada"}),
        (dict, GIVEN),
        (None, GIVEN),
    ],
)
def test_context_has_only_the_schemas_fields(schema: Any, kept: dict[str, Any]) -> None:
    assert select_context(schema, GIVEN) == kept


@pytest.mark.parametrize("given", [None, {}, {"other": 1}])
def test_only_class_schemas_get_defaults_without_input(given: dict[str, Any] | None) -> None:
    assert select_context(Person, given) == select_context(Model, given) == {}
    assert select_context(Typed, given) is None


async def test_graph_gets_an_object_of_its_schema(tmp_path: Any) -> None:
    seen: list[Any] = []

    async def look(_: State, runtime: Runtime[Person]) -> State:
        seen.append(runtime.context)
        return {"x": 1}

    graph = StateGraph(State, context_schema=Person).add_node(look).add_edge(START, "look").compile()
    async with open_agents(Config(tmp_path, data_dir=tmp_path), {"look": graph}) as agents:
        await play(agents["look"], agent_run("look", {"x": 0}))
        await play(agents["look"], agent_run("look", {"x": 0}, context={"who": "Ada", "thread": "none of its fields"}))
    assert seen == [Person(), Person("Ada")]
