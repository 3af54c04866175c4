"""All that the agent server knows of feedback: two methods, which the composition root gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


class FeedbackUrls(Protocol):
    """Makes the presigned URLs of a run, and reads what was answered to them."""

    async def urls_for_run(self, run_id: str, keys: Sequence[str], base_url: str) -> dict[str, str]:
        """A fresh absolute URL for each key, in the order of `keys`, durable when this returns.

        `base_url` is the server's own address as the run's client saw it (`https://host/prefix`, no slash at the end);
        an implementation may know a better one.
        """

    async def answers_for_run(self, run_id: str) -> Sequence[Any]:
        """What was answered so far about the run, in any shape that `encode` takes."""


@runtime_checkable
class FeedbackTokens(Protocol):
    """What an implementation may offer beside the URLs."""

    def token_for_run(self, run_id: str) -> str:
        """An opaque token with which somebody who was shown the run may say how it went."""
