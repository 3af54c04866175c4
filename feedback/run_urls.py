"""RunUrls: the presigned URLs, tokens and feedback of one project's runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig
from feedback.configs.key_configs import ConfigSearch
from feedback.errors import Invalid, TokenUnknown
from feedback.records.list_filter import MAX_LIMIT, FeedbackSearch
from feedback.runs import NOWHERE, RunReference, build_place
from feedback.schema import Feedback, FeedbackCreate, FeedbackSource, FeedbackSubmission
from feedback.services import ProjectServices
from feedback.settings import TOKEN_PATH, clean_url
from feedback.tokens.presigned import Order


class ProtocolSubmission(Protocol):
    """Feedback that an agent server received over a protocol of its own."""

    key: str
    score: bool | int | float | None
    value: Any
    comment: str | None
    correction: Any
    user_id: str | None
    is_agents: bool
    idempotency_key: str | None


class Submitted(Struct):
    """Stored feedback: its id, and whether a user (`app`, `api`) or a model submitted it."""

    id: str
    source: Literal["app", "api", "model"]


class RunUrls:
    """The URLs, tokens and feedback of runs whose feedback belongs to one project."""

    buttons_path = "/feedback/feedback-buttons.js"

    def __init__(self, services: ProjectServices) -> None:
        self._services = services
        self.url_seconds = services.settings.default_expiry.total_seconds()

    async def urls_for_run(self, run: RunReference | str, keys: Sequence[str], base_url: str) -> dict[str, str]:
        """Mint an absolute URL for each of the feedback keys, below the public URL, or else below `base_url`.

        `run` is a reference, or an id alone: then feedback on it is stored without its thread and assistant, unless the
        run lookup knows them at submission. No row is read; one transaction, durable on return. Errors: `Invalid` if
        the run or a feedback key is no valid name.
        """
        names = list(dict.fromkeys(keys))
        if not names:
            return {}
        settings = self._services.settings
        base = settings.base_url or clean_url(base_url)
        expiry = datetime.now(UTC) + settings.default_expiry
        run_id, place = (run, NOWHERE) if isinstance(run, str) else (run.run_id, build_place(run))
        order = Order(run_id, names, [None] * len(names), expiry, place)
        return {token.key: f"{base}{TOKEN_PATH}{token.token}" for token in await self._services.tokens.mint([order])}

    def token_for_run(self, run_id: str) -> str:
        """Make a `feedback_token` for the run, as WorkflowAI's clients send it: opaque, signed, without a row.

        Its holder may submit feedback on the run. Errors: `Invalid` if the run is no valid name.
        """
        return self._services.workflowai_feedback.token(run_id, self._services.settings.run_token_expiry)

    async def feedback_for_run(self, run_id: str) -> list[Feedback]:
        """Return all feedback on the run, newest first."""
        found: list[Feedback] = []
        while True:
            page = await self._services.store.search(FeedbackSearch(run=[run_id], offset=len(found)))
            found += page
            if len(page) < MAX_LIMIT:
                return found

    async def configs_of_keys(self, keys: Sequence[str]) -> dict[str, FeedbackConfig]:
        """Return the configurations of the feedback keys that have one."""
        if not keys:
            return {}
        found = await self._services.configs.search(ConfigSearch(key=keys, limit=len(keys)))
        return {config.feedback_key: config.feedback_config for config in found}

    async def submit(self, run_id: str, submission: ProtocolSubmission) -> Submitted:
        """Store feedback on the run durably: a user's with the source `app`, an agent's with `model`.

        Errors: `Invalid`; `Rejected` if the feedback key's configuration does not allow it.
        """
        source: Literal["app", "model"] = "model" if submission.is_agents else "app"
        create = FeedbackCreate(
            key=submission.key,
            run_id=run_id,
            feedback_source=FeedbackSource(source, user_id=submission.user_id),
            **_check_content(submission),
        )
        create.validate()
        kept = await self._services.store.create(create, submission.idempotency_key)
        return Submitted(kept.id, source)

    async def submit_by_token(self, token: str, submission: ProtocolSubmission) -> Submitted:
        """Store feedback, as `submit` does, on the run and feedback key of a presigned URL's token.

        Errors: `TokenUnknown`, also if an agent reports on another project's run; `TokenGone`.
        """
        pointer = await self._services.tokens.open(token)
        if not submission.is_agents:
            feedback = FeedbackSubmission(user_id=submission.user_id, **_check_content(submission))
            feedback.validate()
            kept = await self._services.store.submit(pointer, feedback, submission.idempotency_key)
            return Submitted(kept.id, "api")
        grant = await self._services.store.open(pointer)
        if grant.project != self._services.project:
            raise TokenUnknown("This feedback token is not of this project")
        submission.key = grant.key
        return await self.submit(grant.run_id, submission)


def _check_content(submission: ProtocolSubmission) -> dict[str, Any]:
    """Return the content of the submission, with its types checked. Errors: `Invalid`."""
    content = {name: getattr(submission, name) for name in ("score", "value", "comment", "correction")}
    try:
        feedback = msgspec.convert(content, FeedbackSubmission)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None
    return {name: getattr(feedback, name) for name in content}
