"""Kinds of a project's feedback keys, derived from configurations, presigned URLs and scores; and SQL for moods."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from feedback.configs.feedback_config import FeedbackConfig, Number
from feedback.configs.kinds import (
    NEGATIVE,
    KeyKind,
    Range,
    SeenScores,
    are_both_thumbs,
    find_counterpart,
    find_kind,
)
from feedback.database import Connection, Row
from feedback.projects.scoped_database import get_unscoped

MOST_SEEN = 12
"""How many different scores to read of a feedback key: one more than the longest scale of whole numbers has."""
CONFIGS = """SELECT key, config, is_lower_score_better FROM feedback_config
WHERE project = :project AND deleted_at IS NULL ORDER BY is_enforced, is_first, modified_at"""
EVERY_KEY = """named (key) AS (
    SELECT MIN(key) FROM feedback_day WHERE project = :project
    UNION ALL SELECT (SELECT MIN(d.key) FROM feedback_day d WHERE d.project = :project AND d.key > named.key)
    FROM named WHERE named.key IS NOT NULL
)"""
_SCORES = f"feedback_day d WHERE d.project = :project AND d.number <= {sys.float_info.max}"
"""The daily counts of scores; on SQLite, infinity stands for no score."""
# Each step looks one score up in the index (project, key, number), however many rows have it.
SEEN = f""", seen (key, number, step) AS (
    SELECT named.key, (SELECT MIN(d.number) FROM {_SCORES} AND d.key = named.key), 1
    FROM named WHERE named.key IS NOT NULL
    UNION ALL SELECT seen.key, (SELECT MIN(d.number) FROM {_SCORES} AND d.key = seen.key AND d.number > seen.number),
        seen.step + 1
    FROM seen WHERE seen.number IS NOT NULL AND seen.step <= :most
)
SELECT key, number, step FROM seen
UNION ALL SELECT named.key, (SELECT MAX(d.number) FROM {_SCORES} AND d.key = named.key), 0
FROM named WHERE named.key IS NOT NULL"""
NEWEST = """SELECT grant_id, grant_key, extra FROM feedback
WHERE project = :project AND key = :key ORDER BY created_at DESC, id DESC LIMIT 20"""
CONFIGS_OF_GRANT = "SELECT configs FROM feedback_grant WHERE id = :id"


class _Extra(Struct):
    """What a submission's `extra` has of its scale."""

    scale: tuple[Number, Number]


UNKNOWN = KeyKind("text", "there is no feedback for the key", is_inferred=True)


def kinds(db: Connection, keys: Sequence[str] | None = None) -> dict[str, KeyKind]:
    """Return the kind of each feedback key in the project that has feedback or a configuration.

    With `keys`, only the kinds of these and of their counterparts.
    """
    if keys is not None:
        keys = [*keys, *filter(None, map(find_counterpart, keys))]
    configs = {
        row["key"]: (msgspec.json.decode(row["config"], type=FeedbackConfig), bool(row["is_lower_score_better"]))
        for row in db.all(CONFIGS)
    }
    seen = _read_scores(db, keys)
    names = seen.keys() | configs.keys() if keys is None else dict.fromkeys(keys)
    found: dict[str, KeyKind] = {}
    for key in names:
        scores = seen.get(key, SeenScores())
        config, is_lower = configs.get(key) or (_find_sent_config(db, key) if scores.lowest else None, key in NEGATIVE)
        found[key] = find_kind(key, config, is_lower, scores)
    return {key: _with_counterpart(key, kind, found, seen) for key, kind in found.items()}


def _with_counterpart(key: str, kind: KeyKind, found: Mapping[str, KeyKind], seen: Mapping[str, SeenScores]) -> KeyKind:
    """Return the kind with the name of its counterpart, if that has scores."""
    name = find_counterpart(key)
    if name is None or name not in seen or not seen[name].lowest or not are_both_thumbs(kind, found[name]):
        return kind
    return structs.replace(kind, counterpart=name)


def _read_scores(db: Connection, keys: Sequence[str] | None) -> dict[str, SeenScores]:
    names: dict[str, Any] = {f"seen_{at}": key for at, key in enumerate(dict.fromkeys(keys or ()))}
    listed = ", ".join(f"(CAST(:{name} AS TEXT))" for name in names)
    if keys is not None and not names:
        return {}
    named = EVERY_KEY if keys is None else f"named (key) AS (VALUES {listed})"
    rows = db.all(f"WITH RECURSIVE {named}{SEEN}", most=MOST_SEEN, **names)
    lowest: dict[str, list[float]] = defaultdict(list)
    highest: dict[str, float] = {}
    for row in rows:
        if row["number"] is not None and row["step"] == 0:
            highest[row["key"]] = row["number"]
        elif row["number"] is not None:
            lowest[row["key"]].append(row["number"])
        else:
            lowest[row["key"]] += []
    return {
        key: SeenScores(tuple(sorted(found)[:MOST_SEEN]), highest.get(key, 0.0), len(found) > MOST_SEEN)
        for key, found in lowest.items()
    }


def _find_sent_config(db: Connection, key: str) -> FeedbackConfig | None:
    """Return the configuration that the newest feedback came with: that of its presigned URL, or else its scale."""
    rows = [row for row in db.all(NEWEST, key=key) if row["grant_id"] is not None and row["grant_key"] is not None]
    return next((config for row in rows if (config := _find_minted_config(db, row))), None) or _find_common_scale(rows)


def _find_minted_config(db: Connection, row: Row) -> FeedbackConfig | None:
    grant = get_unscoped(db).one(CONFIGS_OF_GRANT, id=row["grant_id"])
    if grant is None or not grant["configs"]:
        return None
    return msgspec.json.decode(grant["configs"], type=list[FeedbackConfig | None])[row["grant_key"]]


def _find_common_scale(rows: Sequence[Row]) -> FeedbackConfig | None:
    """Return the range that most of the rows were sent with: a single submission cannot change a key's kind."""
    scales = Counter(row["extra"] for row in rows)
    extra, count = next(iter(scales.most_common(1)), (None, 0))
    if extra is None or count * 2 <= len(rows):
        return None
    try:
        low, high = msgspec.json.decode(extra, type=_Extra).scale
    except (msgspec.DecodeError, ValueError):
        return None
    return FeedbackConfig("continuous", low, high)


def mood_sql(found: Mapping[str, KeyKind]) -> tuple[str, dict[str, Any]]:
    """Return the SQL expression of a score's mood, and its parameters: 1 for a positive score, -1 for a negative one.

    It reads the columns `key` and `number`, and is NULL if no rule decides.
    """
    # One CASE over all feedback keys, so that a query of many keys reads the rows once. PostgreSQL cannot infer a
    # parameter's type after WHEN, hence the casts.
    arms: list[str] = []
    parameters: dict[str, Any] = {}
    for at, (key, kind) in enumerate((key, kind) for key, kind in found.items() if kind.ranges):
        parameters[f"of_{at}"] = key
        ranges = [_range(f"{at}_{place}", one, parameters) for place, one in enumerate(kind.ranges)]
        arms.append(f"WHEN CAST(:of_{at} AS TEXT) THEN CASE {' '.join(ranges)} END")
    return (f"CASE key {' '.join(arms)} END", parameters) if arms else ("CAST(NULL AS INTEGER)", {})


def _range(name: str, one: Range, parameters: dict[str, Any]) -> str:
    parameters |= {f"low_{name}": one.low, f"high_{name}": one.high}
    bounds = f"CAST(:low_{name} AS DOUBLE PRECISION) AND CAST(:high_{name} AS DOUBLE PRECISION)"
    return f"WHEN number BETWEEN {bounds} THEN {1 if one.is_positive else -1}"
