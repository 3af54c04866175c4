"""Assistants, threads and their states through the official Python client, against a server on a real port."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError

from tests.agent_server.backend import until

QUESTION = {"question": "why?"}


async def waiting_thread(client: LangGraphClient, **more: Any) -> str:
    """Create a thread that waits for an answer and return its id."""
    thread_id: str = (await client.threads.create(**more))["thread_id"]
    await client.runs.wait(thread_id, "asking", input=QUESTION)
    return thread_id


async def test_assistant_through_its_life(client: LangGraphClient) -> None:
    made = await client.assistants.create("asking", context={"tone": "dry"}, name="Asker", metadata={"team": "a"})
    assistant_id = made["assistant_id"]
    assert made["config"] == {"configurable": {"tone": "dry"}}
    assert await client.assistants.get(assistant_id) == made
    changed = await client.assistants.update(assistant_id, context={"tone": "warm"}, description="asks")
    assert (changed["version"], changed["name"], changed["description"]) == (2, "Asker", "asks")
    assert [one["version"] for one in await client.assistants.get_versions(assistant_id)] == [2, 1]
    back = await client.assistants.set_latest(assistant_id, 1)
    assert (back["version"], back["context"]) == (1, {"tone": "dry"})
    await client.assistants.delete(assistant_id)
    with pytest.raises(NotFoundError):
        await client.assistants.get(assistant_id)


async def test_assistants_are_searched_counted_and_paged(client: LangGraphClient) -> None:
    team = {"team": str(uuid4())}
    for number in range(3):
        await client.assistants.create("asking", name=f"n{number}", metadata=team)
    page = await client.assistants.search(
        metadata=team, limit=2, sort_by="name", sort_order="asc", select=["name"], response_format="object"
    )
    assert page == {"assistants": [{"name": "n0"}, {"name": "n1"}], "next": "2"}
    assert await client.assistants.count(metadata=team) == 3
    assert await client.assistants.count(name="no such") == 0


async def test_taken_assistant_id_conflicts_or_returns_the_existing(client: LangGraphClient) -> None:
    made = await client.assistants.create("asking")
    with pytest.raises(ConflictError):
        await client.assistants.create("asking", assistant_id=made["assistant_id"])
    again = await client.assistants.create("asking", assistant_id=made["assistant_id"], if_exists="do_nothing")
    assert again == made


async def test_graph_schemas_and_subgraphs_of_an_assistant(client: LangGraphClient) -> None:
    [assistant] = await client.assistants.search(graph_id="steps", metadata={"created_by": "system"})
    graph = await client.assistants.get_graph(assistant["assistant_id"], xray=True)
    assert [node["id"] for node in graph["nodes"]] == ["__start__", "step", "__end__"]
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert schemas["graph_id"] == "steps"
    assert "journal" in (schemas["input_schema"] or {})["properties"]
    assert await client.assistants.get_subgraphs(assistant["assistant_id"], recurse=True) == {}
    assert await client.assistants.get_subgraphs(assistant["assistant_id"], namespace="step") == {}


async def test_thread_through_its_life(client: LangGraphClient) -> None:
    thread = await client.threads.create(metadata={"a": 1}, graph_id="asking", ttl=60)
    thread_id = thread["thread_id"]
    shown: Any = await client.threads.get(thread_id, include=["ttl"])
    assert (shown["ttl"]["strategy"], shown["ttl"]["ttl_minutes"]) == ("delete", 60)
    assert (await client.threads.update(thread_id, metadata={"b": 2}))["metadata"]["b"] == 2
    assert await client.threads.update(thread_id, metadata={"c": 3}, return_minimal=True) is None
    assert (await client.threads.get(thread_id))["metadata"] == {"a": 1, "b": 2, "c": 3, "graph_id": "asking"}
    await client.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread_id)


async def test_threads_are_searched_and_counted(client: LangGraphClient) -> None:
    user = {"user": str(uuid4())}
    waiting = await waiting_thread(client, metadata=user)
    fresh = (await client.threads.create(metadata=user))["thread_id"]
    assert [one["thread_id"] for one in await client.threads.search(metadata=user)] == [fresh, waiting]
    assert [one["thread_id"] for one in await client.threads.search(metadata=user, values=QUESTION)] == [waiting]
    [found] = await client.threads.search(
        metadata=user, status="interrupted", ids=[waiting], select=["thread_id"], extract={"q": "values.question"}
    )
    assert found == {"thread_id": waiting, "extracted": {"q": "why?"}}
    assert await client.threads.count(metadata=user) == 2


async def test_copy_can_be_answered_like_the_original(client: LangGraphClient) -> None:
    original = await waiting_thread(client)
    copied: Any = await client.threads.copy(original)
    assert (copied["status"], copied["values"]) == ("interrupted", QUESTION)
    answered = await client.runs.wait(copied["thread_id"], "asking", command={"resume": "because"})
    assert answered == {**QUESTION, "answer": "because"}
    assert (await client.threads.get(original))["status"] == "interrupted"


async def test_threads_are_pruned(client: LangGraphClient) -> None:
    stored, gone = await waiting_thread(client), await waiting_thread(client)
    assert (await client.threads.prune([gone]))["pruned_count"] == 1
    assert (await client.threads.prune([stored, gone], strategy="keep_latest"))["pruned_count"] == 1
    assert len(await client.threads.get_history(stored)) == 1
    assert await client.runs.wait(stored, "asking", command={"resume": 1}) == {**QUESTION, "answer": 1}


async def test_state_is_read_changed_and_streamed(client: LangGraphClient) -> None:
    thread_id = await waiting_thread(client)
    state = await client.threads.get_state(thread_id, subgraphs=True)
    assert state["next"] == ["ask"]
    assert await client.threads.get_state(thread_id, checkpoint=state["checkpoint"]) == state
    assert await client.threads.get_state(thread_id, checkpoint_id=state["checkpoint"]["checkpoint_id"] or "") == state
    assert await client.threads.get_state(thread_id, select=["values.question"]) == {"values": QUESTION}
    made = await client.threads.update_state(thread_id, {"answer": "x"}, as_node="ask", checkpoint=state["checkpoint"])
    now = await client.threads.get_state(thread_id)
    assert (now["checkpoint"]["checkpoint_id"], now["next"]) == (made["checkpoint"]["checkpoint_id"], [])
    history = await client.threads.get_history(thread_id)
    assert [one["values"].get("answer") for one in history] == ["x", None, None]  # type: ignore[union-attr]  # a dict here
    assert await client.threads.get_history(thread_id, before=now["checkpoint"], limit=1) == history[1:2]
    assert await client.threads.get_history(thread_id, metadata={"source": "update"}) == history[:1]
    with pytest.raises(BadRequestError):
        await client.threads.update_state(thread_id, {"answer": "x"}, as_node="nobody")


async def test_thread_starts_with_supersteps(client: LangGraphClient) -> None:
    steps = [{"updates": [{"values": QUESTION, "as_node": "__start__"}]}]
    thread: Any = await client.threads.create(graph_id="asking", supersteps=steps)
    assert thread["values"] == QUESTION
    assert (await client.threads.get_state(thread["thread_id"]))["next"] == ["ask"]


async def test_waiting_runs_stream_ends_with_its_thread(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread_id, "asking", input=QUESTION, after_seconds=600)

    async def follow() -> list[str]:
        return [part.event async for part in client.runs.join_stream(thread_id, run["run_id"])]

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.3)
    await client.threads.delete(thread_id)
    await asyncio.wait([following], timeout=15)
    assert following.done()
    following.exception()


async def test_thread_stream_sends_state_updates_to_python(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread_id, "steps", input={"total": 1})
    parts: list[Any] = []

    async def listen() -> None:
        async for part in await client.threads.join_stream(thread_id, stream_mode="state_update"):
            parts.append(part)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.5)
    await client.threads.update_state(thread_id, {"done": [41]}, as_node="step")
    await until(lambda: any(part.event == "state_update" for part in parts))
    listening.cancel()
    [received] = [part.data for part in parts if part.event == "state_update"]
    assert received["state"]["values"]["done"] == [0, 41]
    assert received["state"]["checkpoint"] == (await client.threads.get_state(thread_id))["checkpoint"]
