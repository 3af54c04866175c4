"""What was answered about a run so far, and fresh URLs for more: URLs expire, and some clients miss the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import structlog
from msgspec import Struct

from agent_server.errors import AgentServerError, Unavailable
from agent_server.feedback_urls import FeedbackUrls, feedback_of_project, feedback_token
from agent_server.runs.records import Record

log = structlog.get_logger("agent_server")


class RunAnswers(Struct):
    """The answers of a run, the newest first, and a URL for each key."""

    answers: Sequence[Any]
    urls: dict[str, str]


class RunFeedback:
    """The feedback of runs, where the server has feedback at all; otherwise there is none of any run."""

    def __init__(self, feedback: FeedbackUrls | None, timeout: float = 5.0) -> None:
        self._feedback = feedback
        self._timeout = timeout

    def headers(self, run_id: str, project: str | None) -> dict[str, str]:
        """`X-Feedback-Token` for an answer that creates this run, where feedback has such tokens."""
        token = feedback_token(self._feedback, run_id, project)
        return {"X-Feedback-Token": token} if token else {}

    async def of(self, record: Record, keys: Sequence[str] | None, base_url: str) -> RunAnswers:
        """The run's answers, and fresh URLs for `keys` (none: for those that it was created with).

        `Unavailable` where feedback does not answer in time.
        """
        feedback = feedback_of_project(self._feedback, record.project)
        if feedback is None:
            return RunAnswers([], {})
        wanted = list(dict.fromkeys(keys if keys is not None else record.kwargs.feedback_keys or ()))
        run_id = record.run.run_id
        try:
            with anyio.fail_after(self._timeout):
                answers = await feedback.answers_for_run(run_id)
                urls = await feedback.urls_for_run(run_id, wanted, base_url) if wanted else {}
        except AgentServerError:
            raise
        except Exception as error:
            log.warning("feedback_not_read", run_id=run_id, error=type(error).__name__)
            raise Unavailable("The feedback of this run cannot be read now; ask again in a moment") from None
        return RunAnswers(answers, urls)
