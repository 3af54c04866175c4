"""The outbox: events for webhooks, written in the transaction of the change.

So an acknowledged change is delivered, even after a crash, and a rolled-back one is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import httpx
import msgspec
import uuid_utils

from feedback.database import Connection, Row
from feedback.projects.scoped_database import get_unscoped
from feedback.rows import COLUMNS, read_feedback
from feedback.validation import from_micros

Event = Literal["feedback.created", "feedback.updated", "feedback.deleted", "feedback.erased", "feedback.alert"]
EVALUATIONS = "opentelemetry"
"""The target that receives created and updated feedback only: no event withdraws an evaluation."""
EVALUATED = ("feedback.created", "feedback.updated")
WEBHOOKS = "SELECT id, now_us() AS now FROM feedback_webhook WHERE disabled_at IS NULL"
FEEDBACK_ROW = f"SELECT {', '.join(COLUMNS)} FROM feedback WHERE project = :project AND id = :id"
PUT = """INSERT INTO feedback_outbox
    (id, webhook, feedback_id, payload, created_at, due_at, attempts, leased_until)
VALUES (:id, :webhook, :feedback_id, :payload, now_us(), now_us(), 0, 0)"""


class Endpoint(Protocol):
    """A delivery target for feedback events."""

    @property
    def id(self) -> str:
        """The id that its messages are stored under."""

    @property
    def url(self) -> str:
        """Its address, for display."""

    async def send(self, client: httpx.AsyncClient, row: Row) -> str | None:
        """Deliver the row's message. Return the error, or None if the target accepted it."""


def has_webhooks(db: Connection) -> bool:
    """Return whether any webhook is registered."""
    return bool(get_unscoped(db).all(WEBHOOKS))


def put(db: Connection, event: Event, feedback_id: str) -> None:
    """Queue an event about the feedback for every webhook: after it was written, or before it is deleted."""
    webhooks = get_unscoped(db).all(WEBHOOKS)
    row = db.one(FEEDBACK_ROW, id=feedback_id) if webhooks else None
    if row is not None:
        _put(get_unscoped(db), webhooks, event, feedback_id, read_feedback(row))


def put_erased(db: Connection, ids: Sequence[str]) -> None:
    """Queue `feedback.erased` for every webhook, so that it can delete its copies of the feedback.

    The message has no feedback id of its own, since erasure deletes the messages about the feedback.
    """
    if ids:
        _put(db, db.all(WEBHOOKS), "feedback.erased", "", {"ids": ids})


def put_alert(db: Connection, alert_id: str, data: object) -> None:
    """Queue an event for every webhook that an alert fires, or no longer fires."""
    _put(db, db.all(WEBHOOKS), "feedback.alert", alert_id, data)


def _put(db: Connection, webhooks: list[Row], event: Event, about: str, data: object) -> None:
    receivers = [webhook for webhook in webhooks if webhook["id"] != EVALUATIONS or event in EVALUATED]
    if not receivers:
        return
    message = f"msg_{uuid_utils.uuid7()}"
    body = {"type": event, "timestamp": from_micros(receivers[0]["now"]), "data": data}
    payload = msgspec.json.encode(body).decode()
    for webhook in receivers:
        db.execute(PUT, id=message, webhook=webhook["id"], feedback_id=about, payload=payload)
