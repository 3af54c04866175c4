"""The outbox: what webhooks are to be told, written in the unit of work that it tells of.

So a change that was acknowledged is told of, whatever crashes next, and one that was taken back is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import httpx
import msgspec
import uuid_utils

from feedback.database import Connection, Row
from feedback.projects.scoped_database import whole
from feedback.rows import COLUMNS, feedback_of
from feedback.validation import from_micros

Event = Literal["feedback.created", "feedback.updated", "feedback.deleted", "feedback.erased", "feedback.alert"]
EVALUATIONS = "opentelemetry"
"""The endpoint that is told of answers only: there is no event that takes an evaluation back."""
EVALUATED = ("feedback.created", "feedback.updated")
WEBHOOKS = "SELECT id, now_us() AS now FROM feedback_webhook WHERE disabled_at IS NULL"
ANSWER = f"SELECT {', '.join(COLUMNS)} FROM feedback WHERE project = :project AND id = :id"
PUT = """INSERT INTO feedback_outbox
    (id, webhook, feedback_id, payload, created_at, due_at, attempts, leased_until)
VALUES (:id, :webhook, :feedback_id, :payload, now_us(), now_us(), 0, 0)"""


class Endpoint(Protocol):
    """Who is told."""

    @property
    def id(self) -> str:
        """What its messages are kept under."""

    @property
    def url(self) -> str:
        """Its address, for people."""

    async def send(self, client: httpx.AsyncClient, row: Row) -> str | None:
        """What went wrong, or nothing: the message in the row was taken."""


def has_webhooks(db: Connection) -> bool:
    """Return whether any webhook is registered."""
    return bool(whole(db).all(WEBHOOKS))


def put(db: Connection, event: Event, feedback_id: str) -> None:
    """Tell every webhook of what became of the answer: after it was written, or before it is deleted."""
    webhooks = whole(db).all(WEBHOOKS)
    row = db.one(ANSWER, id=feedback_id) if webhooks else None
    if row is not None:
        _put(whole(db), webhooks, event, feedback_id, feedback_of(row))


def put_erased(db: Connection, ids: Sequence[str]) -> None:
    """Tell every webhook that these answers are gone for good, so that what it has made of them can go, too.

    The message names no answer that it is about: what is erased takes the messages about it along.
    """
    if ids:
        _put(db, db.all(WEBHOOKS), "feedback.erased", "", {"ids": ids})


def put_alert(db: Connection, alert_id: str, data: object) -> None:
    """Tell every webhook that an alert fires, or that it does no more."""
    _put(db, db.all(WEBHOOKS), "feedback.alert", alert_id, data)


def _put(db: Connection, webhooks: list[Row], event: Event, about: str, data: object) -> None:
    told = [webhook for webhook in webhooks if webhook["id"] != EVALUATIONS or event in EVALUATED]
    if not told:
        return
    message = f"msg_{uuid_utils.uuid7()}"
    body = {"type": event, "timestamp": from_micros(told[0]["now"]), "data": data}
    payload = msgspec.json.encode(body).decode()
    for webhook in told:
        db.execute(PUT, id=message, webhook=webhook["id"], feedback_id=about, payload=payload)
