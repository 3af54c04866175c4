"""Push notifications: a run's webhook in A2A's shape. The fragment of its URL holds their settings.

A fragment is never sent to a receiver, and the outbox stores it with the URL, so secrets need no other storage.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Raw, Struct

from agent_server.asgi.json_codec import encode
from agent_server.errors import Invalid
from agent_server.protocols.a2a.tasks import build_task
from agent_server.runs.records import Record
from agent_server.schema import JsonObject, Run, RunKwargs

_MARK = "#a2a."


class _Authentication(Struct, omit_defaults=True):
    scheme: str = ""
    credentials: str = ""


class PushConfig(Struct, omit_defaults=True):
    """The URL that receives a task's end, and the credentials that the notification sends."""

    url: str
    id: str = ""
    token: str = ""
    authentication: _Authentication | None = None


def push_config(given: Any, name: str) -> PushConfig:
    """Return the push configuration that a client sent. Errors: `Invalid`."""
    try:
        return msgspec.convert(given, PushConfig)
    except msgspec.ValidationError as error:
        raise Invalid(f"{name}: {error}") from None


def push_url(push: PushConfig) -> str:
    """Return the webhook URL of a configuration."""
    kept = base64.urlsafe_b64encode(msgspec.json.encode(push)).decode()
    return f"{push.url.partition('#')[0]}{_MARK}{kept}"


def decode_push_config(url: str) -> JsonObject:
    """Return the push configuration in a webhook URL."""
    shown: JsonObject = msgspec.to_builtins(_decode_kept(url) or PushConfig(url))
    return shown


def task_notification(url: str, payload: str) -> tuple[bytes, dict[str, str]] | None:
    """Return the body and headers of an A2A webhook; None for other webhooks."""
    push = _decode_kept(url)
    if push is None:
        return None
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
    if push.token:
        headers["X-A2A-Notification-Token"] = push.token
    if push.authentication and push.authentication.scheme and push.authentication.credentials:
        headers["Authorization"] = f"{push.authentication.scheme} {push.authentication.credentials}"
    return encode({"task": build_task(_read_ended_run(payload))}), headers


def _decode_kept(url: str) -> PushConfig | None:
    _, mark, kept = url.partition(_MARK)
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(kept), type=PushConfig) if mark else None
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None


def _read_ended_run(payload: str) -> Record:
    """Return the run in a webhook's payload."""
    shown = msgspec.json.decode(payload, type=dict[str, Raw])
    if bytes(shown["status"]) == b'"rollback"':
        shown["status"] = Raw(b'"interrupted"')
    run = msgspec.json.decode(msgspec.json.encode(shown), type=Run)
    metadata = msgspec.json.decode(run.metadata)
    return Record(
        run=run,
        graph_id=metadata["graph_id"],
        assistant_version=0,
        attempt=0,
        temporary=False,
        base_url="",
        kwargs=msgspec.json.decode(run.kwargs, type=RunKwargs),
        output=bytes(shown["values"]),
        error=bytes(shown["error"]) if "error" in shown else None,
    )
