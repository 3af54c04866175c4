"""The interface to the feedback module: presigned URLs and tokens of runs, and the feedback on a run."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import anyio
import structlog
from msgspec import Struct

from agent_server.errors import AgentServerError, NotFound, Refused, Unavailable
from agent_server.runs.records import Record, RunReference
from agent_server.schema import StreamPart

log = structlog.get_logger("agent_server")

REUSE_SECONDS = 1.0
"""For how long a token is given again: later it might have been revoked, or expire early."""
MOST_TOKENS = 256
"""How many of the latest tokens are kept."""


class FeedbackUrls(Protocol):
    """Mints the presigned URLs and tokens of runs, and reads the feedback on them.

    `project` is the name of the project that the run's feedback belongs to, or None where the run names none.
    """

    async def urls_for_run(
        self, run: RunReference, keys: Sequence[str], base_url: str, project: str | None
    ) -> dict[str, str]:
        """Mint an absolute URL for each feedback key, in the order of `keys`; durable on return.

        `base_url` is the server's address as the run's client saw it (`https://host/prefix`, without a trailing slash);
        an implementation may know a better one.
        """

    def token_for_run(self, run_id: str, project: str | None) -> str | None:
        """Return an opaque token that authorizes feedback on the run; None where tokens are unavailable."""

    async def feedback_for_run(self, run_id: str, project: str | None) -> Sequence[Any]:
        """Return the feedback on the run, newest first, in any shape that `encode` takes."""


def feedback_parts(
    run_id: str, urls: dict[str, str], modes: Sequence[str], custom_event: bool = False
) -> list[StreamPart]:
    """Return the stream parts that carry a run's URLs, for its stream modes.

    Adapters that translate the mode `events` (AG-UI's for LangGraph, CopilotKit's) drop the event `feedback` and pass
    custom events on, so such runs also get the URLs as an `on_custom_event`. With `custom_event`, all runs also get
    them as a `custom` event.
    """
    parts = [StreamPart("feedback", urls)]
    if custom_event:
        parts.insert(0, StreamPart("custom", {"feedback": urls}))
    if "events" in modes:
        event_fields = {"run_id": run_id, "parent_ids": [], "tags": [], "metadata": {"run_id": run_id}}
        parts.insert(
            0, StreamPart("events", {"event": "on_custom_event", "name": "feedback", "data": urls, **event_fields})
        )
    return parts


@runtime_checkable
class FeedbackIntake(Protocol):
    """Optional interface for protocols that carry feedback themselves.

    Clients get the text of its errors where these have a `status_code` below 500.
    """

    url_seconds: float
    """How long URLs accept submissions after minting, in seconds."""
    buttons_path: str
    """The path of the script that defines `<feedback-buttons>`."""

    async def configs_of_keys(self, keys: Sequence[str], project: str | None) -> dict[str, Any]:
        """Return the configurations of the keys, by key, in any shape that `encode` takes; keys without one are
        omitted."""

    async def submit(self, run_id: str, submission: Submission, project: str | None) -> Any:
        """Store feedback on a run durably; return it in any shape that `encode` takes."""

    async def submit_by_token(self, token: str, submission: Submission, project: str | None) -> Any:
        """Store feedback as `submit` does, on the run and key of a presigned URL's token."""


class Submission(Struct):
    """Feedback that arrived over a protocol."""

    key: str
    """The feedback key; ignored where a token names it."""
    score: bool | int | float | None = None
    value: Any = None
    comment: str | None = None
    correction: Any = None
    user_id: str | None = None
    """The subject: the person who gives the feedback."""
    is_agents: bool = False
    """Whether a model gives the feedback, not a user."""
    idempotency_key: str | None = None


class RunTokens:
    """Makes the feedback tokens of runs, one for all uses within a second.

    The response that creates a run has the token, and so does the first event of its stream, usually at once.
    """

    def __init__(self, feedback: FeedbackUrls | None) -> None:
        self._feedback = feedback
        self._made: dict[tuple[str, str | None], tuple[str, float]] = {}
        """The latest tokens with their times, by run and project, oldest first."""

    def make(self, run_id: str, project: str | None) -> str | None:
        """Return the run's feedback token, or None where there is none. Failures are logged and never fail a run."""
        if self._feedback is None:
            return None
        token, made_at = self._made.get((run_id, project), (None, 0.0))
        if token is not None and time.monotonic() - made_at < REUSE_SECONDS:
            return token
        try:
            token = self._feedback.token_for_run(run_id, project)
        except Exception as error:
            log.warning("feedback_token_not_made", run_id=run_id, error=type(error).__name__)
            return None
        if token is not None:
            self._keep((run_id, project), token)
        return token

    def _keep(self, place: tuple[str, str | None], token: str) -> None:
        if len(self._made) >= MOST_TOKENS:
            del self._made[next(iter(self._made))]
        self._made[place] = token, time.monotonic()


class RunFeedbackResponse(Struct):
    """The feedback on a run, newest first, and a URL for each key."""

    feedback: Sequence[Any]
    urls: dict[str, str]


class RunFeedback:
    """Reads the feedback on runs and mints fresh URLs; without a feedback module, both are empty."""

    def __init__(self, feedback: FeedbackUrls | None, tokens: RunTokens, timeout: float = 5.0) -> None:
        self._feedback = feedback
        self._tokens = tokens
        self._timeout = timeout

    def headers(self, run_id: str, project: str | None) -> dict[str, str]:
        """Return `X-Feedback-Token` for the response that creates this run, where tokens are available."""
        token = self.token(run_id, project)
        return {"X-Feedback-Token": token} if token else {}

    def token(self, run_id: str, project: str | None) -> str | None:
        """Return a feedback token for the run, where tokens are available."""
        return self._tokens.make(run_id, project)

    async def read(self, record: Record, keys: Sequence[str] | None, base_url: str) -> RunFeedbackResponse:
        """Return the feedback on the run, and fresh URLs for `keys` (by default those that it was created with).

        Errors: `Unavailable` where the feedback module does not respond in time.
        """
        feedback = self._feedback
        if feedback is None:
            return RunFeedbackResponse([], {})
        wanted = list(dict.fromkeys(keys if keys is not None else record.kwargs.feedback_keys or ()))
        run_id = record.run.run_id
        try:
            with anyio.fail_after(self._timeout):
                stored = await feedback.feedback_for_run(run_id, record.project)
                urls = {}
                if wanted:
                    urls = await feedback.urls_for_run(record.reference, wanted, base_url, record.project)
        except AgentServerError:
            raise
        except Exception as error:
            log.warning("feedback_not_read", run_id=run_id, error=type(error).__name__)
            raise Unavailable("The feedback of this run cannot be read now; ask again in a moment") from None
        return RunFeedbackResponse(stored, urls)

    @property
    def intake(self) -> FeedbackIntake | None:
        """The feedback module as intake, or None where it does not accept submissions."""
        return self._feedback if isinstance(self._feedback, FeedbackIntake) else None

    def find_url_expiry(self, record: Record) -> str | None:
        """Return a time until which the run's URLs accept submissions at least; None where it is unknown."""
        if (intake := self.intake) is None:
            return None
        minted_after = datetime.fromisoformat(record.run.created_at)
        return (minted_after + timedelta(seconds=intake.url_seconds)).isoformat(timespec="seconds")

    async def configs_of_keys(self, keys: Sequence[str], project: str | None) -> dict[str, Any] | None:
        """Return the configurations of the feedback keys; None where they are unavailable now."""
        if (intake := self.intake) is None:
            return None
        try:
            with anyio.fail_after(self._timeout):
                return await intake.configs_of_keys(keys, project)
        except Exception as error:
            log.warning("feedback_configs_not_read", error=type(error).__name__)
            return None

    async def submit(self, record: Record, submission: Submission) -> Any:
        """Store feedback on the run durably. Errors: `Refused`; `Unavailable` where the module does not respond in
        time."""
        if (intake := self.intake) is None:
            raise NotFound("This server takes no feedback")
        return await self._submit_within_timeout(intake.submit(record.run.run_id, submission, record.project))

    async def submit_by_token(self, token: str, submission: Submission, project: str | None) -> Any:
        """Store feedback as `submit` does, with the token of a presigned URL, or the URL itself."""
        if (intake := self.intake) is None:
            raise NotFound("This server takes no feedback")
        return await self._submit_within_timeout(
            intake.submit_by_token(token.rstrip("/").rpartition("/")[2], submission, project)
        )

    async def _submit_within_timeout(self, submitting: Awaitable[Any]) -> Any:
        try:
            with anyio.fail_after(self._timeout):
                return await submitting
        except Exception as error:
            status = getattr(error, "status_code", 500)
            if 400 <= status < 500:
                raise Refused(str(error), status) from None
            log.warning("feedback_not_kept", error=type(error).__name__)
            raise Unavailable("Feedback cannot be kept now; send it again in a moment") from None
