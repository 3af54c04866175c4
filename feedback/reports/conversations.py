"""Conversations: what was said before and by the answer that somebody has judged."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from feedback.records.store import FeedbackStore
from feedback.reports.chat_messages import conversation, messages_of
from feedback.runs import ProjectRuns

ALONE = "This service knows of no runs: it serves without an agent server beside it."
WITHOUT_RUN = "This feedback is about no run."
GONE = (
    "The agent server has nothing on this run now: it ran elsewhere, was deleted, or was stateless, which is not kept."
)
SILENT = "The run is known, but neither its input nor its output holds anything to read."
UNANSWERED = "The run has no answer: it failed, was stopped, or is still at work."


class ConversationMessage(Struct):
    """One message; `judged` says that it belongs to the answer that the feedback is about."""

    role: str
    content: str
    judged: bool
    name: str | None = None
    tool_calls: list[dict[str, Any]] = []


class Conversation(Struct):
    """The messages of a run, oldest first. `reason` says in words why some, or all, are missing."""

    feedback_id: str
    run_id: str | None
    thread_id: str | None
    messages: list[ConversationMessage]
    reason: str | None = None


class Conversations:
    """Finds what answers are about, where something knows of runs."""

    def __init__(self, store: FeedbackStore, runs: ProjectRuns) -> None:
        self._store = store
        self._runs = runs

    async def of(self, feedback_id: str) -> Conversation:
        """The conversation that the answer belongs to, or why there is none. Errors: `NotFound`, `Invalid`."""
        answer = await self._store.get(feedback_id)
        found = Conversation(answer.id, answer.run_id or answer.run_name, answer.thread_id, [])
        if found.run_id is None or not self._runs.are_known:
            found.reason = WITHOUT_RUN if found.run_id is None else ALONE
        elif (facts := await self._runs.facts(found.run_id)) is None:
            found.reason = GONE
        elif turns := conversation(facts):
            found.messages = [*_shown(turns[0], judged=False), *_shown(turns[1], judged=True)]
        else:
            found.messages = _shown(messages_of(facts.input), judged=False)
            found.reason = UNANSWERED if found.messages else SILENT
        return found


def _shown(messages: list[dict[str, Any]], judged: bool) -> list[ConversationMessage]:
    return [
        ConversationMessage(one["role"], one["content"], judged, one.get("name"), one.get("tool_calls") or [])
        for one in messages
    ]
