"""Conversations: the thread of a feedback, with all of its feedback beside the messages."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from feedback.records.reviews import ReviewedFeedback
from feedback.records.store import FeedbackStore
from feedback.reports.chat_messages import Message, conversation, read_messages
from feedback.reports.query import FeedbackQuery
from feedback.reports.reader import FeedbackReader
from feedback.runs import ProjectRuns, RunFacts
from feedback.schema import Feedback

ALONE = "This service knows of no runs: it serves without an agent server beside it."
WITHOUT_RUN = "This feedback is about no run."
GONE = (
    "The agent server has nothing on this run now: it ran elsewhere, was deleted, or was stateless, which is not kept."
)
SILENT = "The run is known, but neither its input nor its output holds anything to read."
UNANSWERED = "The run has no answer: it failed, was stopped, or is still at work."
MAX_PIECES = 100
"""The maximum number of feedback records shown in a thread."""


class ConversationMessage(Struct):
    """One message, with the feedback on the run that it ends; `judged` marks messages of the requested run."""

    role: str
    content: str
    judged: bool
    name: str | None = None
    tool_calls: list[dict[str, Any]] = []
    feedback: list[ReviewedFeedback] = []


class Conversation(Struct):
    """The messages of a thread, oldest first, collected from its runs with feedback.

    `reason` explains missing messages.
    """

    feedback_id: str
    run_id: str | None
    thread_id: str | None
    messages: list[ConversationMessage]
    reason: str | None = None


class Conversations:
    """Reads the conversations of one project's feedback."""

    def __init__(self, store: FeedbackStore, reader: FeedbackReader, runs: ProjectRuns) -> None:
        self._store = store
        self._reader = reader
        self._runs = runs

    async def read_conversation(self, feedback_id: str) -> Conversation:
        """Return the feedback's conversation, or the reason for its absence. Errors: `NotFound`, `Invalid`."""
        piece = await self._store.get(feedback_id)
        found = Conversation(piece.id, _get_run(piece), piece.thread_id, [])
        if found.run_id is None or not self._runs.are_known:
            found.reason = WITHOUT_RUN if found.run_id is None else ALONE
        elif (facts := await self._runs.facts(found.run_id)) is None:
            found.reason = GONE
        elif turns := conversation(facts):
            found.messages = await self._thread(found.run_id, found.thread_id, facts, turns)
        else:
            found.messages = _public_messages(read_messages(facts.input), 0, 0)
            found.reason = UNANSWERED if found.messages else SILENT
        return found

    async def _thread(
        self, run_id: str, thread_id: str | None, facts: RunFacts, turns: tuple[list[Message], list[Message]]
    ) -> list[ConversationMessage]:
        """Return the messages of the run and of its thread's later runs with feedback, with all that feedback."""
        query = FeedbackQuery(thread=[thread_id]) if thread_id else FeedbackQuery(run=[run_id])
        pieces = (await self._reader.page(query, MAX_PIECES)).feedback
        known = {run_id: facts, **await self._runs.find_many_facts(_get_run(piece) for piece in pieces)}
        whole = {run: [*both[0], *both[1]] for run, one in known.items() if (both := conversation(one))}
        own = [*turns[0], *turns[1]]
        longest = max((one for one in whole.values() if one[: len(own)] == own), key=len, default=own)
        messages = _public_messages(longest, len(turns[0]), len(own))
        for piece in reversed(pieces):
            so_far = whole.get(_get_run(piece) or "", [])
            if so_far and so_far == longest[: len(so_far)]:
                messages[len(so_far) - 1].feedback.append(piece)
        return messages


def _get_run(piece: Feedback) -> str | None:
    return piece.run_id or piece.run_name


def _public_messages(messages: list[Message], begin: int, end: int) -> list[ConversationMessage]:
    """Return the messages; those from `begin` to before `end` belong to the requested run."""
    return [
        ConversationMessage(
            one["role"], one["content"], begin <= at < end, one.get("name"), one.get("tool_calls") or [], []
        )
        for at, one in enumerate(messages)
    ]
