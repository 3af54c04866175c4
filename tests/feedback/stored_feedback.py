"""Feedback rows inserted directly into the database, so that tests can choose their times."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from feedback import FeedbackPlugin
from feedback.rows import COLUMNS
from feedback.validation import to_micros

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(score: float | None = 1, **more: Any) -> dict[str, Any]:
    """Return a feedback row about a run of its own, created at `NOON`; `more` overrides its columns."""
    at = to_micros(more.pop("at", NOON))
    encoded = {name: json.dumps(more.pop(name)) for name in ("value", "correction", "metadata") if name in more}
    defaults = {
        "id": str(uuid.uuid4()),
        "project": "default",
        "run_id": str(uuid.uuid4()),
        "key": "thumbs",
        "source": "api",
    }
    times = {"created_at": at, "modified_at": at}
    scored = {"number": score, "score": None if score is None else json.dumps(score)}
    return {**dict.fromkeys(COLUMNS), **defaults, **times, **scored, **encoded, **more}


async def insert(service: FeedbackPlugin, rows: list[dict[str, Any]]) -> None:
    """Insert the rows into the feedback table."""
    sql = f"INSERT INTO feedback ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"
    await service.database.write(lambda db: [db.execute(sql, **row) for row in rows])


async def configure(service: FeedbackPlugin, key: str, config: dict[str, Any], lower: bool = False) -> None:
    """Insert the configuration of a feedback key."""
    await service.database.write(
        lambda db: db.execute(
            """INSERT INTO feedback_config
            (id, key, config, is_lower_score_better, is_enforced, is_first, created_at, modified_at)
            VALUES (:id, :key, :config, :lower, 0, 1, now_us(), now_us())""",
            id=str(uuid.uuid4()),
            key=key,
            config=json.dumps(config),
            lower=int(lower),
        )
    )
