"""Statistics: what people think of an assistant's versions, with how sure that is.

The database counts. What asks for whole days, and for nothing but key, assistant, version, score, review status and
whether there is a comment, is read from counts that are kept by day, so that a million answers are as quick as ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, get_args

from msgspec import Struct

from feedback.configs.score_direction import UP, Direction, directions, positives_sql
from feedback.database import Connection, Row
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.reviews import ReviewStatus
from feedback.reports.confidence import Interval, newcombe, wilson
from feedback.reports.query import FeedbackQuery
from feedback.validation import EPOCH

Dimension = Literal["key", "assistant", "version", "day", "status"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
MAX_GROUPS = 10_000
ENOUGH = 20
"""How many scores make a share worth a verdict, unless the reader says otherwise."""
_COLUMNS = {
    "key": "key",
    "assistant": "assistant_id",
    "version": "assistant_version",
    "day": "created_at / 86400000000",
    "status": "COALESCE(review_status, 'new')",
}
_NAMES = {
    "key": "key",
    "assistant": "assistant_id",
    "version": "assistant_version",
    "day": "day",
    "status": "review_status",
}

Verdict = Literal["better", "worse", "no difference shown", "too few answers"]


class Statistic(Struct):
    """Answers counted together. What they are not told apart by is null.

    `positives` are the scores on the good side of the key's middle, `share` theirs of the scores, `interval` where the
    true share is (95 %, Wilson). `is_enough` says whether there are as many scores as the reader asked for.
    """

    key: str
    assistant_id: str | None
    assistant_version: int | None
    day: str | None
    answers: int
    scores: int
    mean: float | None
    positives: int
    share: float | None
    interval: Interval
    is_lower_score_better: bool
    is_enough: bool
    review_status: ReviewStatus | None = None


class Sample(Struct):
    """The scores of one version."""

    version: int
    scores: int
    positives: int
    mean: float | None
    share: float | None
    interval: Interval


class Comparison(Struct):
    """What the candidate's share is above the baseline's, and where the true difference is (95 %, Newcombe)."""

    key: str
    assistant_id: str
    baseline: Sample
    candidate: Sample
    difference: float | None
    interval: Interval
    is_lower_score_better: bool
    verdict: Verdict


class Statistics:
    """Counts the answers of one project."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def groups(
        self,
        query: FeedbackQuery,
        by: Sequence[Dimension] = ("key",),
        enough: int = ENOUGH,
        limit: int = 1000,
    ) -> list[Statistic]:
        """The answers that fit, counted by key and whatever else `by` names; the latest days first.

        Errors: `Invalid`, also where there are more than `limit` groups: half of a statistic would mislead.
        """
        dimensions = _dimensions(by)

        def work(db: Connection) -> tuple[list[Row], dict[str, Direction]]:
            found = directions(db)
            return _count(db, query, dimensions, found, limit), found

        rows, found = await self._database.read(work)
        if len(rows) > limit:
            raise Invalid(f"There are more than {limit} groups; narrow the query, tell fewer apart, or raise `limit`")
        return [_statistic(row, found.get(row["key"], UP), enough) for row in rows]

    async def comparison(self, query: FeedbackQuery, baseline: int, candidate: int, enough: int = ENOUGH) -> Comparison:
        """How the two versions' answers for a key differ; a verdict only where each has `enough` scores.

        The query names the key, and the assistant whose versions they are. Errors: `Invalid`.
        """
        if len(query.assistant or ()) != 1 or len(query.key or ()) != 1:
            raise Invalid("Name one `assistant`, since versions of two are not each other's, and one `key`")
        [assistant], [key] = query.assistant or [], query.key or []
        query.version = [baseline, candidate]
        found = {row.assistant_version: row for row in await self.groups(query, ("key", "version"), enough)}
        one, other = (_sample(version, found.get(version)) for version in (baseline, candidate))
        any_of_them = next(iter(found.values()), None)
        interval = newcombe(one.positives, one.scores, other.positives, other.scores)
        return Comparison(
            key=key,
            assistant_id=assistant,
            baseline=one,
            candidate=other,
            difference=None if one.share is None or other.share is None else other.share - one.share,
            interval=interval,
            is_lower_score_better=any_of_them is not None and any_of_them.is_lower_score_better,
            verdict=_verdict(interval, min(one.scores, other.scores) >= enough),
        )


def _dimensions(by: Sequence[Dimension]) -> list[Dimension]:
    for name in by:
        if name not in DIMENSIONS:
            raise Invalid(f"`by` is {name[:40]!r}; answers are counted by {', '.join(DIMENSIONS)}")
    return [name for name in DIMENSIONS if name == "key" or name in by]


def _count(
    db: Connection,
    query: FeedbackQuery,
    dimensions: Sequence[Dimension],
    found: dict[str, Direction],
    limit: int,
) -> list[Row]:
    where, parameters = query.sql()
    before, join, positives, more = positives_sql(found)
    columns = ", ".join(f"{_COLUMNS[name]} AS {_NAMES[name]}" for name in dimensions)
    names = ", ".join(_NAMES[name] for name in dimensions)
    order = ", ".join(f"{_NAMES[name]}{' DESC' if name in ('day', 'version') else ''}" for name in dimensions[::-1])
    source, weight = ("feedback_by_day", "weight") if query.asks_for_days else ("feedback", "1 AS weight")
    scores = "SUM(CASE WHEN number IS NOT NULL THEN weight ELSE 0 END)"
    sql = f"""{before}SELECT {names}, CAST(SUM(weight) AS BIGINT) AS answers, CAST({scores} AS BIGINT) AS scores,
        SUM(number * weight) / NULLIF({scores}, 0) AS mean, CAST({positives} AS BIGINT) AS positives
    FROM (SELECT {columns}, number, {weight} FROM {source} WHERE {where}) AS answers{join}
    GROUP BY {names} ORDER BY {order} LIMIT :limit"""
    return db.all(sql, **parameters, **more, limit=limit + 1)


def _statistic(row: Row, direction: Direction, enough: int) -> Statistic:
    scores, positives = row["scores"], row["positives"]
    return Statistic(
        key=row["key"],
        assistant_id=row.get("assistant_id"),
        assistant_version=row.get("assistant_version"),
        day=None if row.get("day") is None else (EPOCH + timedelta(days=row["day"])).date().isoformat(),
        answers=row["answers"],
        scores=scores,
        mean=row["mean"],
        positives=positives,
        share=positives / scores if scores else None,
        interval=wilson(positives, scores),
        is_lower_score_better=direction.is_lower_score_better,
        is_enough=scores >= enough,
        review_status=row.get("review_status"),
    )


def _sample(version: int, found: Statistic | None) -> Sample:
    if found is None:
        return Sample(version, 0, 0, None, None, wilson(0, 0))
    return Sample(version, found.scores, found.positives, found.mean, found.share, found.interval)


def _verdict(interval: Interval, is_enough: bool) -> Verdict:
    if not is_enough:
        return "too few answers"
    if interval.low > 0:
        return "better"
    return "worse" if interval.high < 0 else "no difference shown"
