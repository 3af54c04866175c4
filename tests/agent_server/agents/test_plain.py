"""Async generator functions as agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agent_server.agents import AgentRun, Outcome, PlainAgent
from agent_server.schema import StreamPart
from tests.agent_server.agent_runs import ASSISTANT_ID, agent_run, play

AI: dict[str, Any] = {
    "content": "to be",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "ai",
    "name": None,
    "id": "*",
    "tool_calls": [],
    "invalid_tool_calls": [],
    "usage_metadata": None,
}


async def talk(_: Any) -> AsyncGenerator[str, None]:
    yield "to "
    yield "be"


async def count(given: dict[str, int]) -> AsyncGenerator[dict[str, int], None]:
    for number in range(given["to"]):
        yield {"n": number}


async def test_strings_are_tokens_of_one_message() -> None:
    run = agent_run("talk", None, "messages-tuple")
    events, _ = await play(PlainAgent(talk), run)
    chunks = [data[0] for _, data in events]
    assert [name for name, _ in events] == ["messages"] * 3
    assert [(chunk["content"], chunk["chunk_position"]) for chunk in chunks] == [
        ("to ", None),
        ("be", None),
        ("", "last"),
    ]
    assert list(chunks[0]) == [*AI, "tool_call_chunks", "chunk_position"]
    assert {chunk["type"] for chunk in chunks} == {"AIMessageChunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert events[0][1][1] == {
        "graph_id": "talk",
        "assistant_id": ASSISTANT_ID,
        "run_attempt": 1,
        "run_id": run.run_id,
        "thread_id": run.thread_id,
    }


async def test_messages_mode_accumulates_the_tokens() -> None:
    events, _ = await play(PlainAgent(talk), agent_run("talk", None, "messages"))
    assert [name for name, _ in events] == ["messages/metadata", "messages/partial", "messages/partial"]
    (message_id,) = events[0][1]
    assert [data for _, data in events[1:]] == [
        [{**AI, "id": message_id, "content": text}] for text in ("to ", "to be")
    ]


async def test_values_are_the_inputs_messages_and_the_answer() -> None:
    given = {
        "messages": [{"role": "user", "content": "what?", "id": "q"}, {"role": "assistant", "content": "eh"}, "hm"]
    }
    events, outcome = await play(PlainAgent(talk), agent_run("talk", given, "values", "updates"))
    (updates, answer), (values, state) = events
    assert (updates, values) == ("updates", "values")
    assert [(message["type"], message["content"]) for message in state["messages"]] == [
        ("human", "what?"),
        ("ai", "eh"),
        ("human", "hm"),
        ("ai", "to be"),
    ]
    assert state["messages"][0]["id"] == "q"
    assert answer == {"talk": {"messages": state["messages"][-1:]}}
    assert outcome == Outcome(state)


async def test_dicts_are_custom_events_and_the_last_counts() -> None:
    events, outcome = await play(PlainAgent(count), agent_run("count", {"to": 2}, "custom", "values"))
    assert events == [("custom", {"n": 0}), ("custom", {"n": 1}), ("values", {"n": 1})]
    assert outcome == Outcome({"n": 1})


async def test_stream_parts_go_out_as_they_are() -> None:
    async def own(_: Any) -> AsyncGenerator[StreamPart, None]:
        yield StreamPart("progress", 0.5)

    events, outcome = await play(PlainAgent(own), agent_run("own"))
    assert events == [("progress", 0.5), ("values", {})]
    assert outcome.values == {}


async def test_second_parameter_is_the_run() -> None:
    async def who(_: Any, run: AgentRun) -> AsyncGenerator[str, None]:
        yield run.run_id

    run = agent_run("who")
    _, outcome = await play(PlainAgent(who), run)
    assert outcome.values["messages"][0]["content"] == run.run_id


async def test_anything_else_that_is_yielded_is_refused() -> None:
    async def wrong(_: Any) -> AsyncGenerator[Any, None]:
        yield 3

    with pytest.raises(TypeError, match="an agent yields strings, dicts and StreamParts, not int"):
        await play(PlainAgent(wrong), agent_run("wrong"))


def test_function_of_three_parameters_is_refused() -> None:
    async def wide(_a: Any, _b: Any, _c: Any) -> AsyncGenerator[str, None]:
        yield ""

    with pytest.raises(TypeError, match="wide takes 3 parameters; an agent takes"):
        PlainAgent(wide)


async def test_closing_the_stream_closes_the_generator() -> None:
    closed = asyncio.Event()

    async def endless(_: Any) -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "more "
        finally:
            closed.set()

    stream = PlainAgent(endless).stream(agent_run("endless", None, "messages-tuple"))
    await anext(stream)
    await stream.aclose()
    assert closed.is_set()
