"""Statistics: feedback counted by feedback key, assistant, version, time, source and review status, with confidence
intervals.

The database counts. A query for whole days that filters only by feedback key, assistant, version, score, source, review
status and presence of a comment reads stored daily counts, so that a million records are as quick as ten. The kind of a
feedback key (`configs/kinds.py`) defines what its scores mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal, get_args

from msgspec import Struct, structs

from feedback.configs.kind_lookup import UNKNOWN, kinds, mood_sql
from feedback.configs.kinds import KeyKind, KindName
from feedback.database import Connection, Row, build_in_list
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.records.reviews import ReviewStatus
from feedback.reports.assistants import Assistants
from feedback.reports.confidence import Interval, mean_interval, wilson
from feedback.reports.groups import PERIODS, Group, Place, Sums, drop_period, join_counterparts, merge_groups
from feedback.reports.query import MAX_NAMES, FeedbackQuery
from feedback.validation import EPOCH

Dimension = Literal["key", "assistant", "version", "day", "week", "month", "status", "source"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
MAX_GROUPS = 10_000
MAX_DAYS = 400_000
"""The maximum number of daily groups read to count by week or month."""
ENOUGH = 20
"""The default number of scores that a verdict needs."""
_COLUMNS = {
    "key": "key",
    "assistant": "assistant_id",
    "version": "assistant_version",
    "day": "created_at / 86400000000",
    "status": "COALESCE(review_status, 'new')",
    "source": "source",
}
_NAMES = {
    "key": "key",
    "assistant": "assistant_id",
    "version": "assistant_version",
    "day": "day",
    "status": "review_status",
    "source": "source",
}
ONLY_MODELS = """SELECT key FROM feedback_by_day WHERE project = :project
GROUP BY key HAVING MIN(CASE WHEN source = 'model' THEN 1 ELSE 0 END) = 1"""
# Sums leave out scores beyond these: PostgreSQL raises an error on overflow and underflow.
_SUMMABLE = "ABS(number) < 1e150"
_SQUARABLE = "ABS(number) BETWEEN 1e-150 AND 1e150"


class Counterpart(Struct):
    """The feedback key for the other thumb, and the number of its scores in the same group."""

    key: str
    scores: int


class Statistic(Struct):
    """The statistics of one group of feedback; dimensions that it is not grouped by are null.

    `kind` is the kind of the scores. `share` is the share of positive scores, with its `interval`; it is null if no
    rule defines which are positive. `negative_share` is analogous. `mean_interval` belongs to the mean. Intervals are
    95 %. `low` and `high` are the ends of the scale, if known. `is_enough` is whether there are as many scores as the
    request requires. `week` and `month` are their first day.

    A key such as `user_liked` has scores of one side only; the others are those of its `counterpart`, `user_disliked`.
    Then both shares are of the scores of both keys, and all other figures are of the key's own. A group that only the
    counterpart has is listed for both keys, for one of them with a `count` of 0.
    """

    key: str
    kind: KindName
    is_kind_inferred: bool
    has_direction: bool
    assistant_id: str | None
    assistant_version: int | None
    day: str | None
    count: int
    scores: int
    mean: float | None
    mean_interval: Interval | None
    positives: int
    negatives: int
    share: float | None
    interval: Interval
    negative_share: float | None
    negative_interval: Interval
    low: float | None
    high: float | None
    is_lower_score_better: bool
    is_enough: bool
    review_status: ReviewStatus | None = None
    source: str | None = None
    week: str | None = None
    month: str | None = None
    assistant_name: str | None = None
    title: str | None = None
    counterpart: Counterpart | None = None


class Statistics:
    """Counts the feedback of one project."""

    def __init__(self, database: ProjectDatabase, assistants: Assistants) -> None:
        self._database = database
        self._assistants = assistants

    async def groups(
        self,
        query: FeedbackQuery,
        by: Sequence[Dimension] = ("key",),
        enough: int = ENOUGH,
        limit: int = 1000,
        total: bool = False,
    ) -> list[Statistic]:
        """Return the matching feedback counted by feedback key and the dimensions in `by`, latest times first.

        With `total`, the groups over all of their days, weeks or months come first. Feedback from models counts only if
        the query names sources or `by` groups by source.

        Errors: `Invalid`, also for more than `limit` groups: a truncated statistic would mislead.
        """
        groups, found = await self.sums(query, by, limit)
        if total and set(by) & set(PERIODS):
            groups = [*merge_groups(drop_period(one) for one in groups), *groups]
        names = await self.names(groups)
        return [statistic(one, found.get(one.place["key"], UNKNOWN), enough, names) for one in groups]

    async def names(self, groups: Sequence[Group]) -> dict[str, str]:
        """Return the names of the groups' assistants, by id."""
        return await self._assistants.names(one.place.get("assistant_id") for one in groups)

    async def sums(
        self, query: FeedbackQuery, by: Sequence[Dimension], limit: int
    ) -> tuple[list[Group], dict[str, KeyKind]]:
        """Return the sums of each group, and the kinds of their feedback keys. Errors: `Invalid`."""
        dimensions = _dimensions(by)
        merged = [name for name in dimensions if name in ("week", "month")]
        most = MAX_DAYS if merged else 2 * limit  # the groups of counterparts are read, too

        def work(db: Connection) -> tuple[list[Row], dict[str, KeyKind]]:
            found = kinds(db, query.key or None)
            asked = structs.replace(query, key=list(found)) if query.key else query
            return _count(db, asked, dimensions, found, most), found

        rows, found = await self._database.read(work)
        if len(rows) > most:
            raise _too_many(limit)
        groups = [Group(_place(row, dimensions), _sums(row)) for row in rows]
        groups = merge_groups(groups) if merged else groups
        groups = [one for one in join_counterparts(groups, found) if not query.key or one.place["key"] in query.key]
        if len(groups) > limit:
            raise _too_many(limit)
        return groups, found


def _too_many(limit: int) -> Invalid:
    return Invalid(f"There are more than {limit} groups; narrow the query, tell fewer apart, or raise `limit`")


def _dimensions(by: Sequence[Dimension]) -> list[Dimension]:
    for name in by:
        if name not in DIMENSIONS:
            raise Invalid(f"`by` is {name[:40]!r}; feedback is counted by {', '.join(DIMENSIONS)}")
    if len(set(by) & set(PERIODS)) > 1:
        raise Invalid("`by` names several of day, week and month; name one of them")
    return [name for name in DIMENSIONS if name == "key" or name in by]


def _count(
    db: Connection, query: FeedbackQuery, dimensions: Sequence[Dimension], found: Mapping[str, KeyKind], limit: int
) -> list[Row]:
    is_daily = query.asks_for_days
    where, parameters = query.days_sql() if is_daily else query.sql()
    if is_daily and not query.key and len(found) <= MAX_NAMES:  # the index of the counts begins with the key
        chosen, more = build_in_list("found", found)
        where, parameters = f"{where} AND key IN {chosen}", parameters | more
    if not query.source and "source" not in dimensions:
        apart, names_of_models = _without_models(db)
        where, parameters = where + apart, {**parameters, **names_of_models}
    mood, more = mood_sql(found)
    columns = list(dict.fromkeys("day" if name in PERIODS else name for name in dimensions))
    values = _COLUMNS | {"day": "day"} if is_daily else _COLUMNS
    selected = ", ".join(f"{values[name]} AS {_NAMES[name]}" for name in columns)
    names = ", ".join(_NAMES[name] for name in columns)
    order = ", ".join(f"{_NAMES[name]}{' DESC' if name in ('day', 'version') else ''}" for name in columns[::-1])
    table, weight = ("feedback_by_day", "weight") if is_daily else ("feedback", "1 AS weight")
    sql = f"""SELECT {names}, CAST(SUM(weight) AS BIGINT) AS count,
        CAST(SUM(CASE WHEN number IS NOT NULL THEN weight ELSE 0 END) AS BIGINT) AS scores,
        CAST(SUM(CASE WHEN {_SUMMABLE} THEN weight ELSE 0 END) AS BIGINT) AS summed,
        SUM(CASE WHEN {_SUMMABLE} THEN number * weight ELSE 0 END) AS total,
        SUM(CASE WHEN {_SQUARABLE} THEN number * number * weight ELSE 0 END) AS squares,
        CAST(SUM(CASE WHEN mood = 1 THEN weight ELSE 0 END) AS BIGINT) AS positives,
        CAST(SUM(CASE WHEN mood = -1 THEN weight ELSE 0 END) AS BIGINT) AS negatives
    FROM (SELECT {selected}, number, {mood} AS mood, {weight} FROM {table} WHERE {where}) AS scored
    GROUP BY {names} ORDER BY {order} LIMIT :limit"""
    return db.all(sql, **parameters, **more, limit=limit + 1)


def _without_models(db: Connection) -> tuple[str, dict[str, Any]]:
    """Return the condition that excludes models' scores of feedback keys that people use, too."""
    names = {f"model_{at}": row["key"] for at, row in enumerate(db.all(ONLY_MODELS))}
    own = f" OR key IN ({', '.join(f':{name}' for name in names)})" if names else ""
    return f" AND (source <> 'model'{own})", names


def _place(row: Row, dimensions: Sequence[Dimension]) -> Place:
    place = {_NAMES[name]: row[_NAMES[name]] for name in dimensions if name not in PERIODS}
    for name in dimensions:
        if name in PERIODS:
            place[name] = _first_day(name, (EPOCH + timedelta(days=row["day"])).date()).isoformat()
    return place


def _first_day(of: str, day: date) -> date:
    """Return the period's first day: the Monday of a week, the first of a month."""
    if of == "week":
        return day - timedelta(days=day.weekday())
    return date(day.year, day.month, 1) if of == "month" else day


def _sums(row: Row) -> Sums:
    return Sums(**{name: row[name] or 0 for name in Sums.__struct_fields__})


def statistic(group: Group, kind: KeyKind, enough: int, names: Mapping[str, str]) -> Statistic:
    """Return the statistics of a group whose feedback key has this kind."""
    sums, votes, moments = group.sums, group.votes, group.sums.moments
    is_directed = kind.has_direction and votes.scores > 0
    has_mean = moments.count > 0 and kind.name != "category"
    return Statistic(
        key=group.place["key"],
        kind=kind.name,
        is_kind_inferred=kind.is_inferred,
        has_direction=kind.has_direction,
        assistant_id=group.place.get("assistant_id"),
        assistant_version=group.place.get("assistant_version"),
        day=group.place.get("day"),
        week=group.place.get("week"),
        month=group.place.get("month"),
        count=sums.count,
        scores=sums.scores,
        mean=moments.mean if has_mean else None,
        mean_interval=mean_interval(moments, kind.low, kind.high) if has_mean else None,
        positives=sums.positives,
        negatives=sums.negatives,
        share=votes.positives / votes.scores if is_directed else None,
        interval=wilson(votes.positives, votes.scores) if is_directed else Interval(0.0, 1.0),
        negative_share=votes.negatives / votes.scores if is_directed else None,
        negative_interval=wilson(votes.negatives, votes.scores) if is_directed else Interval(0.0, 1.0),
        low=kind.low,
        high=kind.high,
        is_lower_score_better=kind.better == "lower",
        is_enough=votes.scores >= enough,
        review_status=group.place.get("review_status"),
        source=group.place.get("source"),
        assistant_name=names.get(group.place.get("assistant_id") or ""),
        title=kind.title,
        counterpart=Counterpart(kind.counterpart, group.other.scores) if kind.counterpart else None,
    )
