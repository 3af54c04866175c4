"""The feedback extension: URLs in an artifact's metadata, and the method `SubmitFeedback`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from agent_server.errors import Invalid
from agent_server.protocols.a2a.requests import FEEDBACK_URI, A2aRequest
from agent_server.runs.feedback import RunFeedback, Submission
from agent_server.runs.records import Record
from agent_server.schema import FeedbackKeys, JsonObject


class _Wanted(Struct):
    keys: FeedbackKeys | None = None


class SubmitParams(Struct, rename="camel"):
    """The parameters of `SubmitFeedback`."""

    task_id: str
    artifact_id: str | None = None
    key: str | None = None
    score: bool | int | float | None = None
    value: Any = None
    comment: str | None = None
    subject: str | None = None
    by: str = "user"

    def submission(self, record: Record) -> Submission:
        """Return the submission on the run. Errors: `Invalid`."""
        if self.by not in ("user", "agent"):
            raise Invalid('by must be "user" or "agent"')
        return Submission(
            key=self._key(record.kwargs.feedback_keys or []),
            score=self.score,
            value=self.value,
            comment=self.comment,
            user_id=self.subject,
            is_agents=self.by == "agent",
        )

    def _key(self, keys: list[str]) -> str:
        if self.key:
            return self.key
        if len(keys) == 1:
            return keys[0]
        raise Invalid(f"Name the feedback key: one of {', '.join(keys)}" if keys else "Name the feedback key")


def read_wanted_keys(request: A2aRequest) -> list[str] | None:
    """Return the request's feedback keys; None means the assistant's. Errors: `Invalid`."""
    message = request.params.get("message")
    places = (message.get("metadata") if isinstance(message, dict) else None, request.params.get("metadata"))
    for metadata in places:
        if isinstance(metadata, dict) and FEEDBACK_URI in metadata:
            try:
                return msgspec.convert(metadata[FEEDBACK_URI], _Wanted).keys
            except msgspec.ValidationError as error:
                raise Invalid(f'metadata["{FEEDBACK_URI}"]: {error}; send {{"keys": ["user_liked"]}}') from None
    return None


async def feedback_metadata(feedback: RunFeedback, record: Record, urls: dict[str, str] | None) -> JsonObject | None:
    """Return the feedback entry of an artifact's metadata."""
    if not urls:
        return None
    keys = await feedback.configs_of_keys(list(urls), record.project)
    shown = {"urls": urls, "keys": keys, "expiresAt": feedback.find_url_expiry(record)}
    return {name: msgspec.to_builtins(value) for name, value in shown.items() if value is not None}


def extension(keys: Any) -> JsonObject:
    """Return the extension's entry in the card."""
    return {
        "uri": FEEDBACK_URI,
        "description": "URLs that take feedback on an artifact without a login, and a method to submit it",
        "required": False,
        "params": {"method": "SubmitFeedback", "keys": keys},
    }
