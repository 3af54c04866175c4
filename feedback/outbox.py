"""The outbox: what webhooks are to be told, written in the unit of work that it tells of.

So a change that was acknowledged is told of, whatever crashes next, and one that was taken back is not.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import uuid_utils

from feedback.database import Connection
from feedback.limits import from_micros
from feedback.rows import COLUMNS, feedback_of

Event = Literal["feedback.created", "feedback.updated", "feedback.deleted"]
WEBHOOKS = "SELECT id, now_us() AS now FROM feedback_webhook WHERE disabled_at IS NULL"
ANSWER = f"SELECT {', '.join(COLUMNS)} FROM feedback WHERE id = :id"
PUT = """INSERT INTO feedback_outbox
    (id, webhook, feedback_id, payload, created_at, due_at, attempts, leased_until)
VALUES (:id, :webhook, :feedback_id, :payload, now_us(), now_us(), 0, 0)"""


def put(db: Connection, event: Event, feedback_id: str) -> None:
    """Tell every webhook of what became of the answer: after it was written, or before it is deleted."""
    webhooks = db.all(WEBHOOKS)
    row = db.one(ANSWER, id=feedback_id) if webhooks else None
    if row is None:
        return
    message = f"msg_{uuid_utils.uuid7()}"
    told = {"type": event, "timestamp": from_micros(webhooks[0]["now"]), "data": feedback_of(row)}
    payload = msgspec.json.encode(told).decode()
    for webhook in webhooks:
        db.execute(PUT, id=message, webhook=webhook["id"], feedback_id=feedback_id, payload=payload)
