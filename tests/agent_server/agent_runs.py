"""Attempts as the worker passes them to agents, for the tests of agents."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from msgspec import Raw, structs

from agent_server.agents import Agent, AgentRun, Outcome
from agent_server.asgi.json_codec import encode
from agent_server.schema import RunKwargs

ASSISTANT_ID = "eb6db400-e3c8-5d06-a834-015cb89efe69"


def agent_run(graph_id: str, given: Any = None, *modes: Any, thread_id: str | None = None, **more: Any) -> AgentRun:
    """Return a first attempt with the input `given`, stateless without `thread_id`; `more` goes into the kwargs."""
    kwargs = RunKwargs(
        input=Raw(encode(given)),
        command=None,
        config={},
        context=None,
        stream_mode=list(modes or ("values",)),
        interrupt_before=None,
        interrupt_after=None,
        feedback_keys=None,
        temporary=thread_id is None,
        subgraphs=False,
        resumable=False,
        checkpoint=None,
        durability="async",
    )
    return AgentRun(
        run_id=str(uuid4()),
        thread_id=thread_id or str(uuid4()),
        assistant_id=ASSISTANT_ID,
        graph_id=graph_id,
        attempt=1,
        kwargs=structs.replace(kwargs, **more),
        metadata={"created_by": "system"},
    )


async def play(agent: Agent, run: AgentRun) -> tuple[list[tuple[str, Any]], Outcome]:
    """Run the agent; return the events as clients read them, and the outcome."""
    events: list[tuple[str, Any]] = []
    outcome: Outcome | None = None
    async for part in agent.stream(run):
        assert outcome is None, "something came after the outcome"
        if isinstance(part, Outcome):
            outcome = part
        else:
            events.append((part.event, json.loads(encode(part.data))))
    assert outcome is not None
    return events, outcome
