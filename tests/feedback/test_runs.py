"""What feedback stores about its run: the run lookup supplies it, and a failing lookup loses no feedback."""

from __future__ import annotations

import asyncio

import pytest

from agent_server.database import open_database
from feedback import FeedbackPlugin, RunFacts
from feedback import runs as runs_module
from feedback.runs import RunLookup
from feedback.schema import FeedbackCreate, FeedbackSubmission, SubmissionResult
from tests.feedback.conftest import RUN

FACTS = RunFacts(RUN, "thread-1", "assistant-1", 3, {"q": 1}, {"a": 2})


class Agents:
    """A run lookup that has one run and counts its calls."""

    def __init__(self, facts: RunFacts | None) -> None:
        self.facts = facts
        self.calls = 0

    async def look_up(self, run_id: str) -> RunFacts | None:
        self.calls += 1
        return self.facts if run_id == RUN else None


async def submit(plugin: FeedbackPlugin, url: str, **fields: object) -> SubmissionResult:
    pointer = await plugin.default.tokens.open(url.rpartition("/")[2])
    return await plugin.default.store.submit(pointer, FeedbackSubmission(score=1, **fields))  # type: ignore[arg-type]


def plugin_with(url: str, lookup: RunLookup | None) -> FeedbackPlugin:
    return FeedbackPlugin(open_database(url), run_lookup=lookup)


async def test_feedback_carries_its_runs_thread_and_assistant(database_url: str) -> None:
    async with plugin_with(database_url, Agents(FACTS).look_up).open() as service:
        await submit(service, (await service.urls_for_run(RUN, ["k"], "http://here"))["k"])
        await service.default.store.create(FeedbackCreate("program", run_id=RUN, score=1))
        for found in await service.feedback_for_run(RUN):
            assert (found.thread_id, found.assistant_id, found.assistant_version) == ("thread-1", "assistant-1", 3)


async def test_url_remembers_the_place_of_a_deleted_run(database_url: str) -> None:
    agents = Agents(None)
    async with plugin_with(database_url, agents.look_up).open() as service:
        url = (await service.urls_for_run(FACTS, ["k"], "http://here"))["k"]
        await submit(service, url)
        assert agents.calls == 0
        [found] = await service.feedback_for_run(RUN)
        assert (found.thread_id, found.assistant_version) == ("thread-1", 3)


async def test_failing_or_hanging_lookup_loses_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "PATIENCE_SECONDS", 0.05)

    async def fails(_: str) -> RunFacts | None:
        raise RuntimeError("no runs today")

    async def hangs(_: str) -> RunFacts | None:
        await asyncio.Event().wait()
        return None

    for key, lookup in (("failed", fails), ("hung", hangs)):
        async with plugin_with(database_url, lookup).open() as service:
            await submit(service, (await service.urls_for_run(RUN, [key], "http://here"))[key])
            assert {found.thread_id for found in await service.feedback_for_run(RUN)} == {None}


async def test_replacing_submission_keeps_the_runs_place(database_url: str) -> None:
    agents = Agents(FACTS)
    async with plugin_with(database_url, None).open() as service:
        url = (await service.urls_for_run(RUN, ["k"], "http://here"))["k"]
    async with plugin_with(database_url, agents.look_up).open() as service:
        await submit(service, url, user_id="ada")
    async with plugin_with(database_url, None).open() as service:
        assert (await submit(service, url, user_id="ada", comment="still")).status == "updated"
        [found] = await service.feedback_for_run(RUN)
        assert (found.comment, found.thread_id) == ("still", "thread-1")


async def test_run_is_looked_up_once_a_minute(database_url: str) -> None:
    agents = Agents(FACTS)
    async with plugin_with(database_url, agents.look_up).open() as service:
        url = (await service.urls_for_run(RUN, ["k"], "http://here"))["k"]
        for _ in range(5):
            await submit(service, url)
    assert agents.calls == 1
