"""Directions: which scores of a key are good ones.

A score is positive beyond the middle of what the key takes: of `min` and `max`, or of the lowest and the highest
category; beyond 0.5 where neither is known, which is right for thumbs as 1 and 0, as true and false, as 1 and -1.
With `is_lower_score_better` beyond means below. A score just in the middle is not positive.

A key without a configuration is better when it is higher, unless its name says the opposite (`NEGATIVE`): a 1 for
`user_disliked`, which the official documents use and thumbs with a key each send, is no praise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig
from feedback.database import Connection

MIDDLE = 0.5
NEGATIVE = ("user_disliked", "disliked", "dislike", "thumbs_down", "downvote")
ANSWERED = f"""SELECT DISTINCT key FROM feedback_day
WHERE project = :project AND key IN ({", ".join(map(repr, NEGATIVE))})"""
CONFIGS = """SELECT key, config, is_lower_score_better FROM feedback_config
WHERE project = :project AND deleted_at IS NULL ORDER BY is_enforced, is_first, modified_at"""


class Direction(Struct, frozen=True):
    """Where a key's positive scores begin, and on which side they are."""

    middle: float = MIDDLE
    is_lower_score_better: bool = False

    def is_positive(self, score: float) -> bool:
        """Whether a score speaks well of what it is about."""
        return score < self.middle if self.is_lower_score_better else score > self.middle


UP = Direction()
DOWN = Direction(is_lower_score_better=True)


def directions(db: Connection) -> dict[str, Direction]:
    """The direction of each of a project's keys that has a configuration, or is better when lower by its name; the
    others are `UP`.
    """
    return {row["key"]: DOWN for row in db.all(ANSWERED)} | {
        row["key"]: Direction(
            _middle(msgspec.json.decode(row["config"], type=FeedbackConfig)), bool(row["is_lower_score_better"])
        )
        for row in db.all(CONFIGS)
    }


def _middle(config: FeedbackConfig) -> float:
    if config.type == "continuous" and config.min is not None and config.max is not None:
        return (config.min + config.max) / 2
    if config.type == "categorical" and config.categories:
        values = [category.value for category in config.categories]
        return (min(values) + max(values)) / 2
    return MIDDLE


def positives_sql(found: Mapping[str, Direction]) -> tuple[str, str, str, dict[str, Any]]:
    """The SQL that counts positive scores: what comes before the query, the join, the sum, and the parameters.

    The table `answers` has the columns `key` and `number`, and in `weight` how many answers a row stands for.
    """
    special = {key: direction for key, direction in found.items() if direction != UP}
    if not special:
        return "", "", f"SUM(CASE WHEN number > {MIDDLE} THEN weight ELSE 0 END)", {}
    rows, parameters = _rows(special.items())
    return (
        f"WITH direction (of_key, middle, sign) AS (VALUES {rows}) ",
        " LEFT JOIN direction ON of_key = key",
        f"SUM(CASE WHEN (number - COALESCE(middle, {MIDDLE})) * COALESCE(sign, 1) > 0 THEN weight ELSE 0 END)",
        parameters,
    )


def _rows(special: Iterable[tuple[str, Direction]]) -> tuple[str, dict[str, Any]]:
    rows: list[str] = []
    parameters: dict[str, Any] = {}
    for at, (key, direction) in enumerate(special):
        sign = -1 if direction.is_lower_score_better else 1
        rows.append(f"(CAST(:of_{at} AS TEXT), CAST(:middle_{at} AS DOUBLE PRECISION), CAST(:sign_{at} AS INTEGER))")
        parameters |= {f"of_{at}": key, f"middle_{at}": float(direction.middle), f"sign_{at}": sign}
    return ", ".join(rows), parameters
