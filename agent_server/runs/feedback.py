"""What was answered about a run so far, and fresh URLs for more: URLs expire, and some clients miss the event."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import anyio
import structlog
from msgspec import Struct

from agent_server.errors import AgentServerError, NotFound, Refused, Unavailable
from agent_server.runs.records import Record
from agent_server.schema import StreamPart

log = structlog.get_logger("agent_server")


class FeedbackUrls(Protocol):
    """Makes the presigned URLs of a run, and reads what was answered to them."""

    async def urls_for_run(self, run_id: str, keys: Sequence[str], base_url: str) -> dict[str, str]:
        """A fresh absolute URL for each key, in the order of `keys`, durable when this returns.

        `base_url` is the server's own address as the run's client saw it (`https://host/prefix`, no slash at the end);
        an implementation may know a better one.
        """

    async def answers_for_run(self, run_id: str) -> Sequence[Any]:
        """What was answered so far about the run, in any shape that `encode` takes."""


def feedback_parts(
    run_id: str, urls: dict[str, str], modes: Sequence[str], custom_event: bool = False
) -> list[StreamPart]:
    """Return the stream parts that carry a run's URLs, for its stream modes.

    Adapters that translate the mode `events` (AG-UI's for LangGraph, CopilotKit's) drop the event `feedback` and pass
    custom events on, so such runs also have the URLs as an `on_custom_event`. With `custom_event`, all runs also have
    them as a `custom` event.
    """
    parts = [StreamPart("feedback", urls)]
    if custom_event:
        parts.insert(0, StreamPart("custom", {"feedback": urls}))
    if "events" in modes:
        told = {"run_id": run_id, "parent_ids": [], "tags": [], "metadata": {"run_id": run_id}}
        parts.insert(0, StreamPart("events", {"event": "on_custom_event", "name": "feedback", "data": urls, **told}))
    return parts


@runtime_checkable
class FeedbackTokens(Protocol):
    """What an implementation may offer beside the URLs."""

    def token_for_run(self, run_id: str) -> str:
        """An opaque token with which somebody who was shown the run may say how it went."""


@runtime_checkable
class FeedbackProjects(Protocol):
    """What an implementation may offer that keeps the feedback of several teams or products apart."""

    def of_project(self, project: str) -> FeedbackUrls:
        """The same for runs whose feedback is of the project with this name."""


@runtime_checkable
class FeedbackIntake(Protocol):
    """What an implementation may offer to protocols that carry feedback themselves.

    Its errors are answered with their text, where they have a `status_code` below 500.
    """

    url_seconds: float
    """How long URLs take submissions, from their minting on."""
    buttons_path: str
    """The path of the script that defines `<feedback-buttons>`."""

    async def configs_of_keys(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return what the keys take, by key, in any shape that `encode` takes; keys without a configuration are left
        out."""

    async def submit(self, run_id: str, submission: Submission) -> Any:
        """Keep feedback on a run durably; return it in any shape that `encode` takes."""

    async def submit_by_token(self, token: str, submission: Submission) -> Any:
        """As `submit`, on the run and the key that the token of a presigned URL is for."""


class Submission(Struct):
    """Feedback that came over a protocol."""

    key: str
    """The feedback key; of no account where a token names it."""
    score: bool | int | float | None = None
    value: Any = None
    comment: str | None = None
    correction: Any = None
    user_id: str | None = None
    """The subject: who gives the feedback."""
    is_agents: bool = False
    """Whether a model says it, and no user."""
    idempotency_key: str | None = None


def feedback_of_project(feedback: FeedbackUrls | None, project: str | None) -> FeedbackUrls | None:
    """The feedback of runs that are made for the project, if they are for one."""
    return feedback.of_project(project) if project is not None and isinstance(feedback, FeedbackProjects) else feedback


def feedback_token(feedback: FeedbackUrls | None, run_id: str, project: str | None) -> str | None:
    """The run's token, where there are such and it can be made: feedback in trouble costs nobody the run."""
    of_run = feedback_of_project(feedback, project)
    if not isinstance(of_run, FeedbackTokens):
        return None
    try:
        return of_run.token_for_run(run_id)
    except Exception as error:
        log.warning("feedback_token_not_made", run_id=run_id, error=type(error).__name__)
        return None


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
        token = self.token(run_id, project)
        return {"X-Feedback-Token": token} if token else {}

    def token(self, run_id: str, project: str | None) -> str | None:
        """Return a feedback token for the run, where the feedback service has such tokens."""
        return feedback_token(self._feedback, run_id, project)

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

    @property
    def intake(self) -> FeedbackIntake | None:
        """What takes submissions, where feedback does."""
        return self._feedback if isinstance(self._feedback, FeedbackIntake) else None

    def urls_expire_at(self, record: Record) -> str | None:
        """Return the time until which the run's URLs take submissions at least; nothing where that is not known."""
        if (intake := self.intake) is None:
            return None
        minted_after = datetime.fromisoformat(record.run.created_at)
        return (minted_after + timedelta(seconds=intake.url_seconds)).isoformat(timespec="seconds")

    async def configs_of_keys(self, keys: Sequence[str], project: str | None) -> dict[str, Any] | None:
        """Return what the feedback keys take; nothing where that cannot be said now."""
        intake = feedback_of_project(self._feedback, project)
        if not isinstance(intake, FeedbackIntake):
            return None
        try:
            with anyio.fail_after(self._timeout):
                return await intake.configs_of_keys(keys)
        except Exception as error:
            log.warning("feedback_configs_not_read", error=type(error).__name__)
            return None

    async def submit(self, record: Record, submission: Submission) -> Any:
        """Keep feedback on the run durably. Errors: `Refused`; `Unavailable` where feedback does not answer in time."""
        intake = feedback_of_project(self._feedback, record.project)
        if not isinstance(intake, FeedbackIntake):
            raise NotFound("This server takes no feedback")
        return await self._kept(intake.submit(record.run.run_id, submission))

    async def submit_by_token(self, token: str, submission: Submission, project: str | None) -> Any:
        """As `submit`, with the token of a presigned URL, or the URL."""
        intake = feedback_of_project(self._feedback, project)
        if not isinstance(intake, FeedbackIntake):
            raise NotFound("This server takes no feedback")
        return await self._kept(intake.submit_by_token(token.rstrip("/").rpartition("/")[2], submission))

    async def _kept(self, submitting: Awaitable[Any]) -> Any:
        try:
            with anyio.fail_after(self._timeout):
                return await submitting
        except Exception as error:
            status = getattr(error, "status_code", 500)
            if 400 <= status < 500:
                raise Refused(str(error), status) from None
            log.warning("feedback_not_kept", error=type(error).__name__)
            raise Unavailable("Feedback cannot be kept now; send it again in a moment") from None
