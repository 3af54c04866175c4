"""RunUrls: what an agent server asks for of a run, in one project: URLs and tokens to answer with, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from feedback.records.list_filter import MAX_LIMIT, FeedbackSearch
from feedback.runs import ProjectRuns
from feedback.schema import Feedback
from feedback.services import ProjectServices
from feedback.settings import TOKEN_PATH, clean_url
from feedback.tokens.presigned import Order


class RunUrls:
    """The URLs and answers of runs whose feedback is one project's."""

    def __init__(self, services: ProjectServices, runs: ProjectRuns, run_token_expiry: timedelta) -> None:
        self._services = services
        self._runs = runs
        self._run_token_expiry = run_token_expiry

    async def urls_for_run(self, run_id: str, keys: Sequence[str], base_url: str) -> dict[str, str]:
        """A presigned URL for each of the keys, absolute: below the public URL, or `base_url` where there is none.

        One unit of work, durable when this returns. Errors: `Invalid` where the run or a key is not a name.
        """
        names = list(dict.fromkeys(keys))
        if not names:
            return {}
        settings = self._services.settings
        base = settings.public_url or clean_url(base_url)
        expiry = datetime.now(UTC) + settings.default_expiry
        order = Order(run_id, names, [None] * len(names), expiry, await self._runs.place(run_id))
        return {token.key: f"{base}{TOKEN_PATH}{token.token}" for token in await self._services.tokens.mint([order])}

    def token_for_run(self, run_id: str) -> str:
        """A `feedback_token` for the run, as WorkflowAI's clients send it; made without a row, opaque, signed.

        It may be shown to anybody who may say how the run went. Errors: `Invalid` where the run is not a name.
        """
        return self._services.workflowai_feedback.token(run_id, self._run_token_expiry)

    async def answers_for_run(self, run_id: str) -> list[Feedback]:
        """All answers about the run, newest first."""
        answers: list[Feedback] = []
        while True:
            page = await self._services.store.search(FeedbackSearch(run=[run_id], offset=len(answers)))
            answers += page
            if len(page) < MAX_LIMIT:
                return answers
