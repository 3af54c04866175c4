"""Feedback over MCP: the URLs in a result's `_meta`, the tool `submit_feedback`, and an app with buttons.

Feedback from agents has the source `model`, separate from users' feedback.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from agent_server.errors import Invalid
from agent_server.protocols.mcp.requests import FEEDBACK_KEY, McpRequest
from agent_server.runs.feedback import RunFeedback, Submission
from agent_server.runs.records import Record
from agent_server.schema import FeedbackKeys, JsonObject

SUBMIT_FEEDBACK = "submit_feedback"
APP_URI = "ui://agent-server/feedback"
APP_TYPE = "text/html;profile=mcp-app"
APPS_EXTENSION = "io.modelcontextprotocol/ui"
_PAGE = (Path(__file__).parent / "feedback_app.html").read_text(encoding="utf-8")
_SCRIPT_PLACE = "feedback-buttons.js"

SUBMIT_TOOL: JsonObject = {
    "name": SUBMIT_FEEDBACK,
    "title": "Submit feedback",
    "description": (
        "Submit feedback on an answer of one of the other tools. Relay what the user said of the answer with "
        '`by: "user"`; report your own opinion with `by: "agent"` (the default), which is counted apart.'
    ),
    "inputSchema": {
        "type": "object",
        "properties": {
            "run_id": {"type": "string", "description": "The run that gave the answer."},
            "token": {"type": "string", "description": "In place of run_id and key: a feedback URL of the run."},
            "key": {"type": "string", "description": "The feedback key; by default the run's only one."},
            "score": {"type": ["number", "boolean", "null"], "description": "1 is good and 0 is bad, for thumbs."},
            "value": {"description": "A category, or any other JSON value.", "type": ["string", "object", "null"]},
            "comment": {"type": ["string", "null"], "description": "A comment in words."},
            "user_id": {
                "type": ["string", "null"],
                "description": "The user; a later submission replaces the earlier one.",
            },
            "by": {"type": "string", "enum": ["user", "agent"], "default": "agent", "description": "Whose opinion."},
        },
    },
    "outputSchema": {"type": "object", "properties": {"id": {"type": "string"}, "source": {"type": "string"}}},
    "annotations": {
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    },
    "_meta": {"ui": {"resourceUri": APP_URI, "visibility": ["model", "app"]}},
}


class SubmitArguments(Struct, forbid_unknown_fields=True):
    """The arguments of `submit_feedback`."""

    run_id: str | None = None
    token: str | None = None
    key: str | None = None
    score: bool | int | float | None = None
    value: Any = None
    comment: str | None = None
    user_id: str | None = None
    by: Literal["user", "agent"] = "agent"

    def submission(self, key: str) -> Submission:
        """Return the submission. Its idempotency key is a hash of its content, so that repeats change nothing."""
        content = msgspec.json.encode(
            [self.run_id, self.token, key, self.score, self.value, self.comment, self.user_id]
        )
        return Submission(
            key=key,
            score=self.score,
            value=self.value,
            comment=self.comment,
            user_id=self.user_id,
            is_agents=self.by == "agent",
            idempotency_key=f"mcp {hashlib.sha256(content).hexdigest()}",
        )

    def choose_key(self, record: Record) -> str:
        """Return the given feedback key, or the run's only one. Errors: `Invalid`."""
        keys = record.kwargs.feedback_keys or []
        if self.key:
            return self.key
        if len(keys) == 1:
            return keys[0]
        raise Invalid(
            f"Name the feedback key: `key` is one of {', '.join(keys)}" if keys else "Name the feedback `key`"
        )


class _Wanted(Struct):
    """The feedback entry of a request's `_meta`."""

    keys: FeedbackKeys | None = None


def read_wanted_keys(request: McpRequest) -> list[str] | None:
    """Return the request's feedback keys; None means the assistant's. Errors: `Invalid`."""
    try:
        return msgspec.convert(request.meta.get(FEEDBACK_KEY) or {}, _Wanted).keys
    except msgspec.ValidationError as error:
        raise Invalid(f'_meta["{FEEDBACK_KEY}"]: {error}; send {{"keys": ["user_liked"]}}') from None


async def feedback_meta(feedback: RunFeedback, record: Record, urls: dict[str, str] | None) -> JsonObject:
    """Return the feedback entry of a result's `_meta`: the URLs, their feedback keys and their expiry."""
    if not urls:
        return {}
    keys = await feedback.configs_of_keys(list(urls), record.project)
    expires_at = feedback.find_url_expiry(record)
    shown = {"run_id": record.run.run_id, "urls": urls, "keys": keys, "expires_at": expires_at}
    return {FEEDBACK_KEY: {name: value for name, value in shown.items() if value is not None}}


def feedback_hint(record: Record, urls: dict[str, str] | None) -> list[JsonObject]:
    """Return a content block that explains to a model how to submit feedback on the run."""
    if not urls:
        return []
    keys = ", ".join(urls)
    text = f'To submit feedback on this answer, call {SUBMIT_FEEDBACK} with run_id "{record.run.run_id}"; keys: {keys}'
    return [{"type": "text", "text": text, "annotations": {"audience": ["assistant"], "priority": 0.1}}]


def app_resource() -> JsonObject:
    """Describe the app that shows the buttons."""
    return {
        "uri": APP_URI,
        "name": "feedback",
        "title": "Feedback buttons",
        "description": "Thumbs, stars or categories for the answer of a tool.",
        "mimeType": APP_TYPE,
    }


def app_content(base: str, script: str) -> JsonObject:
    """Return the app's page, which loads the buttons from this server."""
    html = _PAGE.replace(_SCRIPT_PLACE, f"{base}{script}")
    csp = {"connectDomains": [base], "resourceDomains": [base]}
    return {"uri": APP_URI, "mimeType": APP_TYPE, "text": html, "_meta": {"ui": {"csp": csp, "prefersBorder": False}}}
