"""Distributions: the frequency of each score, category or range of numbers of a feedback key."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Struct

from feedback.configs.kind_lookup import UNKNOWN, kinds
from feedback.configs.kinds import LOWEST, KeyKind, KindName
from feedback.database import Connection
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.reports.query import FeedbackQuery

MAX_KEYS = 50
MAX_VALUES = 100
"""The maximum number of distinct values listed individually."""
MAX_STEPS = 12
"""The maximum number of distinct ratings or numbers listed individually; more are put into bins."""
MAX_HELD = 20_000
"""The maximum number of distinct scores binned in memory; beyond it, the database bins them."""
BINS = 20
QUARTILES = (0.25, 0.5, 0.75)


class Bucket(Struct):
    """The count of scores from `low` to `high`, or of one value with its label."""

    count: int
    low: float | None = None
    high: float | None = None
    label: str | None = None
    is_positive: bool | None = None


class Quartiles(Struct):
    """The first quartile, the median and the third quartile of the scores."""

    lowest: float
    lower: float
    median: float
    upper: float
    highest: float


class Distribution(Struct):
    """The scores of one feedback key. `reason` explains its kind; `left_out` counts values that are not listed."""

    key: str
    kind: KindName
    is_kind_inferred: bool
    has_direction: bool
    reason: str
    low: float | None
    high: float | None
    scores: int
    quartiles: Quartiles | None
    buckets: list[Bucket]
    left_out: int = 0
    title: str | None = None


class Distributions:
    """Reads the distributions of one project's feedback keys."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def compute(self, query: FeedbackQuery) -> list[Distribution]:
        """Return the distribution of each feedback key in the query. Errors: `Invalid` for none or too many."""
        keys = list(dict.fromkeys(query.key or ()))
        if not 1 <= len(keys) <= MAX_KEYS:
            raise Invalid(f"`key` names {len(keys)} feedback keys; name 1 to {MAX_KEYS}")

        def work(db: Connection) -> list[Distribution]:
            found = kinds(db, keys)
            return [_compute_distribution(db, query, key, found.get(key, UNKNOWN)) for key in keys]

        return await self._database.read(work)


def _compute_distribution(db: Connection, query: FeedbackQuery, key: str, kind: KeyKind) -> Distribution:
    source = _Source(db, query, key)
    found = Distribution(
        key, kind.name, kind.is_inferred, kind.has_direction, kind.reason, kind.low, kind.high, 0, None, [],
        title=kind.title,
    )  # fmt: skip
    values = source.values()
    is_measured = kind.name in ("rating", "number")
    if values is None:
        found.scores, found.buckets = source.bins(kind)
        found.quartiles = source.quartiles(found.scores) if is_measured else None
    else:
        found.scores = sum(count for _, count in values)
        is_short = len(values) <= (MAX_STEPS if is_measured else MAX_VALUES)
        found.buckets = _list_buckets(kind, values) if is_short else _count_in_bins(kind, values)
        found.quartiles = _quartiles(values, found.scores) if is_measured and values else None
    if kind.name in ("category", "text"):
        found.left_out = _add_chosen(found, source.read_chosen())
    return found


class _Source:
    """Reads one feedback key's scores and values."""

    def __init__(self, db: Connection, query: FeedbackQuery, key: str) -> None:
        self._db = db
        self._query = query
        self._where, self._parameters = query.sql()
        self._where += " AND key = :of_key"
        self._parameters["of_key"] = key
        table, weight = ("feedback_by_day", "weight") if query.asks_for_days else ("feedback", "1")
        self._scores = f"(SELECT number, {weight} AS weight FROM {table} WHERE {self._where} AND number IS NOT NULL) s"

    def values(self) -> list[tuple[float, int]] | None:
        """Return each distinct score with its count; None if there are too many to hold."""
        sql = f"""SELECT number, CAST(SUM(weight) AS BIGINT) AS times FROM {self._scores}
        GROUP BY number ORDER BY number LIMIT :limit"""
        rows = self._db.all(sql, limit=MAX_HELD + 1, **self._parameters)
        return None if len(rows) > MAX_HELD else [(row["number"], row["times"]) for row in rows]

    def bins(self, kind: KeyKind) -> tuple[int, list[Bucket]]:
        """Return the number of scores and their histogram over the scale, or over their range if there is no scale."""
        ends = self._db.one(f"SELECT MIN(number) AS low, MAX(number) AS high FROM {self._scores}", **self._parameters)
        edges, high = _edges(kind, ends["low"], ends["high"]) if ends else _edges(kind, 0.0, 1.0)
        bins = ", ".join(
            f"(CAST({at} AS BIGINT), CAST(:from_{at} AS DOUBLE PRECISION), CAST(:to_{at} AS DOUBLE PRECISION))"
            for at in range(BINS)
        )
        ranges = {f"from_{at}": edge if at else LOWEST for at, edge in enumerate(edges)}
        ranges |= {f"to_{at}": edge for at, edge in enumerate([*edges[1:], math.inf])}
        sql = f"""WITH bins (bin, low, high) AS (VALUES {bins})
        SELECT bin, CAST(SUM(weight) AS BIGINT) AS times FROM {self._scores}
        JOIN bins ON number >= low AND number < high GROUP BY bin"""
        counts = {row["bin"]: row["times"] for row in self._db.all(sql, **ranges, **self._parameters)}
        ends_of = zip(edges, [*edges[1:], high], strict=True)
        return sum(counts.values()), [Bucket(counts.get(at, 0), *both) for at, both in enumerate(ends_of)]

    def quartiles(self, scores: int) -> Quartiles | None:
        """Return the quartiles of the scores; each is an existing score."""
        sql = f"""SELECT MIN(number) AS lowest, MAX(number) AS highest,
            MIN(CASE WHEN upto >= :q1 THEN number END) AS lower, MIN(CASE WHEN upto >= :q2 THEN number END) AS median,
            MIN(CASE WHEN upto >= :q3 THEN number END) AS upper
        FROM (SELECT number, SUM(times) OVER (ORDER BY number) AS upto
            FROM (SELECT number, SUM(weight) AS times FROM {self._scores} GROUP BY number) AS each_score) AS counted"""
        places = {f"q{at}": share * scores for at, share in enumerate(QUARTILES, start=1)}
        row = self._db.one(sql, **places, **self._parameters)
        return None if row is None or row["median"] is None else Quartiles(**row)

    def read_chosen(self) -> list[tuple[Any, int]]:
        """Return each value without a score with its count, most frequent first."""
        sql = f"""SELECT value, COUNT(*) AS times FROM feedback WHERE {self._where} AND number IS NULL
            AND value IS NOT NULL GROUP BY value ORDER BY times DESC, value LIMIT :limit"""
        rows = self._db.all(sql, limit=10 * MAX_VALUES, **self._parameters)
        return [(msgspec.json.decode(row["value"]), row["times"]) for row in rows]


def _edges(kind: KeyKind, low: float, high: float) -> tuple[list[float], float]:
    """Return the bins' lower edges and the last upper edge, over the scale if it covers all scores, or their range."""
    is_scale = kind.name != "number"  # the bounds of a number may be far from its scores
    if is_scale and kind.low is not None and kind.high is not None and kind.low <= low and high <= kind.high:
        low, high = kind.low, kind.high
    return [low + (high / BINS - low / BINS) * at for at in range(BINS)], high


def _count_in_bins(kind: KeyKind, values: Sequence[tuple[float, int]]) -> list[Bucket]:
    """Return the histogram of the sorted scores."""
    edges, high = _edges(kind, values[0][0], values[-1][0])
    counts = [0] * BINS
    for number, count in values:
        counts[max(0, bisect_right(edges, number) - 1)] += count
    return [
        Bucket(count, *ends) for count, ends in zip(counts, zip(edges, [*edges[1:], high], strict=True), strict=True)
    ]


def _quartiles(values: Sequence[tuple[float, int]], scores: int) -> Quartiles:
    """Return the quartiles of the sorted scores; each is an existing score."""
    upto = list(accumulate(count for _, count in values))
    lower, median, upper = (values[bisect_left(upto, share * scores)][0] for share in QUARTILES)
    return Quartiles(values[0][0], lower, median, upper, values[-1][0])


def _list_buckets(kind: KeyKind, values: Sequence[tuple[float, int]]) -> list[Bucket]:
    """Return a bucket for each existing score and for each possible step of the scale or category."""
    counts: dict[float, int] = dict(_steps(kind))
    for number, count in values:
        counts[number] = count
    labels = {float(one.value): one.label for one in kind.categories}
    return [
        Bucket(counts[number], number, number, labels.get(number), kind.is_positive(number))
        for number in sorted(counts)
    ]


def _steps(kind: KeyKind) -> list[tuple[float, int]]:
    if kind.categories:
        return [(float(one.value), 0) for one in kind.categories]
    if kind.name in ("thumbs", "reversed_thumbs"):
        return [(float(kind.low or 0), 0), (1.0, 0)]
    if kind.name != "rating" or kind.low is None or kind.high is None:
        return []
    is_whole = kind.low.is_integer() and kind.high.is_integer() and 1 < kind.high - kind.low <= 10
    return [(float(step), 0) for step in range(int(kind.low), int(kind.high) + 1)] if is_whole else []


def _add_chosen(found: Distribution, chosen: Sequence[tuple[Any, int]]) -> int:
    """Count values without a score: several categories at once, or free texts. Return the number left out."""
    by_value = {bucket.low: bucket for bucket in found.buckets}
    texts: Counter[str] = Counter()
    left_out = 0
    for value, count in chosen:
        numbers = value.get("values") if isinstance(value, dict) else None
        if isinstance(numbers, list):
            for number in numbers:
                if isinstance(number, (int, float)) and (bucket := by_value.get(float(number))):
                    bucket.count += count
        elif isinstance(value, (str, bool, int, float)):
            texts[value if isinstance(value, str) else msgspec.json.encode(value).decode()] += count
        else:
            left_out += count
    most = texts.most_common(MAX_VALUES)
    found.buckets += [Bucket(count, label=text) for text, count in most]
    return left_out + texts.total() - sum(count for _, count in most)
