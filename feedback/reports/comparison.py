"""Comparison of two versions of an assistant by their feedback for one feedback key."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from feedback.configs.kind_lookup import UNKNOWN
from feedback.configs.kinds import KeyKind, KindName
from feedback.errors import Invalid
from feedback.reports.confidence import Interval, mean_interval, newcombe, welch, wilson
from feedback.reports.groups import Sums
from feedback.reports.query import FeedbackQuery
from feedback.reports.stats import ENOUGH, Statistics

Measure = Literal["share", "mean"]
Verdict = Literal["better", "worse", "higher", "lower", "no difference shown", "too few scores", "no direction"]


class Sample(Struct):
    """The scores of one version, with those of the feedback key's counterpart (`user_liked` and `user_disliked`)."""

    version: int
    scores: int
    positives: int
    mean: float | None
    share: float | None
    interval: Interval
    mean_interval: Interval | None = None


class Comparison(Struct):
    """The candidate's figure minus the baseline's, with its 95 % interval.

    `measure` is the figure: the `share` of positive scores (Newcombe's interval), or the `mean` of a rating or number
    (Welch's). The verdict is `higher` or `lower` instead of better or worse if the feedback key has no direction.
    Categories that are not marked as good or bad have no figure to compare: `no direction`.
    """

    key: str
    kind: KindName
    assistant_id: str
    measure: Measure
    baseline: Sample
    candidate: Sample
    difference: float | None
    interval: Interval | None
    is_lower_score_better: bool
    verdict: Verdict
    low: float | None = None
    high: float | None = None


async def compare(
    statistics: Statistics, query: FeedbackQuery, baseline: int, candidate: int, enough: int = ENOUGH
) -> Comparison:
    """Return the difference of two versions' feedback for a feedback key; a verdict needs `enough` scores of each.

    The query names the feedback key and the assistant. Errors: `Invalid`.
    """
    if len(query.assistant or ()) != 1 or len(query.key or ()) != 1:
        raise Invalid("Name one `assistant`, since versions of two are not each other's, and one `key`")
    [assistant], [key] = query.assistant or [], query.key or []
    query.version = [baseline, candidate]
    groups, kinds = await statistics.sums(query, ("key", "version"), 2)
    found = {one.place["assistant_version"]: one.votes for one in groups}
    kind, one, other = kinds.get(key, UNKNOWN), found.get(baseline, Sums()), found.get(candidate, Sums())
    measure = choose_measure(kind)
    difference, interval = differ(measure, kind, one, other)
    return Comparison(
        key=key,
        kind=kind.name,
        assistant_id=assistant,
        measure=measure,
        baseline=_sample(baseline, one, kind),
        candidate=_sample(candidate, other, kind),
        difference=difference,
        interval=interval,
        is_lower_score_better=kind.better == "lower",
        verdict=_verdict(measure, kind, interval, min(one.scores, other.scores) >= enough),
        low=kind.low,
        high=kind.high,
    )


def choose_measure(kind: KeyKind) -> Measure:
    """Return the figure that the comparison uses for the kind."""
    return "mean" if kind.name in ("rating", "number") else "share"


def differ(measure: Measure, kind: KeyKind, one: Sums, other: Sums) -> tuple[float | None, Interval | None]:
    """Return `other`'s figure minus `one`'s, and its interval; None where a figure is missing."""
    if measure == "mean":
        if not one.summed or not other.summed:
            return None, None
        return other.moments.mean - one.moments.mean, welch(one.moments, other.moments)
    if not kind.has_direction:
        return None, None
    interval = newcombe(one.positives, one.scores, other.positives, other.scores)
    if not one.scores or not other.scores:
        return None, interval
    return other.positives / other.scores - one.positives / one.scores, interval


def _sample(version: int, sums: Sums, kind: KeyKind) -> Sample:
    moments, is_directed = sums.moments, kind.has_direction and sums.scores > 0
    return Sample(
        version,
        sums.scores,
        sums.positives,
        moments.mean if moments.count else None,
        sums.positives / sums.scores if is_directed else None,
        wilson(sums.positives, sums.scores) if is_directed else Interval(0.0, 1.0),
        mean_interval(moments, kind.low, kind.high),
    )


def _verdict(measure: Measure, kind: KeyKind, interval: Interval | None, is_enough: bool) -> Verdict:
    if measure == "share" and not kind.has_direction:
        return "no direction"
    if not is_enough or interval is None:
        return "too few scores"
    if interval.low <= 0 <= interval.high:
        return "no difference shown"
    is_higher = interval.low > 0
    if measure == "share":
        return "better" if is_higher else "worse"
    if kind.better is None:
        return "higher" if is_higher else "lower"
    return "better" if is_higher == (kind.better == "higher") else "worse"
