"""The kind of a feedback key: how its scores are counted, shown, compared, alerted on and exported.

| kind | figure | a score is positive |
| --- | --- | --- |
| `thumbs` | share of positive scores | 1 or true; 0, -1 or false is negative |
| `reversed_thumbs` | share of negative scores ("dislikes") | 0, -1 or false; 1 or true is negative |
| `rating` | mean and distribution on a scale | beyond the middle of a configured scale |
| `category` | how often each category was chosen | if the category has `is_positive` |
| `number` | median, quartiles, mean | never |
| `text` | only the amount of feedback | never: there are no scores |

A configuration names the kind, or implies it by type and range. Otherwise the kind is inferred from the scores
(`is_inferred`). Inferred thumbs have a direction, since 1 and 0 are unambiguous; inferred ratings and numbers have
none, since either end could be the good one. This is the only module that calls a score positive.
"""

from __future__ import annotations

import math
import re
from typing import Literal

from msgspec import Struct, structs

from feedback.configs.feedback_config import ConfigKind, FeedbackCategory, FeedbackConfig

KindName = Literal["thumbs", "reversed_thumbs", "rating", "category", "number", "text"]
Better = Literal["higher", "lower"]

COUNTERPARTS = {
    "user_liked": "user_disliked",
    "liked": "disliked",
    "like": "dislike",
    "thumbs_up": "thumbs_down",
    "upvote": "downvote",
}
"""Pairs of feedback keys for thumbs up and down; the official documents use `user_liked` and `user_disliked`.

A press of either is a score of 1 there, so that each key alone has scores of one side only.
"""
NEGATIVE = tuple(COUNTERPARTS.values())
"""Names of feedback keys in which 1 means dislike."""
RATING_NAME = re.compile(r"star|rating|nps|csat|grade", re.IGNORECASE)
"""Names of feedback keys whose first scores of 1 are the low end of a scale, and not thumbs."""
THUMBS = frozenset((-1.0, 0.0, 1.0))
STARS, TEN = (1.0, 5.0), (0.0, 10.0)
"""The usual scales of whole numbers."""
LOWEST, HIGHEST = -1.7976931348623157e308, 1.7976931348623157e308


class Range(Struct, frozen=True):
    """Scores from `low` to `high`, both included, that are all positive or all negative."""

    low: float
    high: float
    is_positive: bool


class SeenScores(Struct, frozen=True):
    """The different scores of a feedback key: the lowest ones (all, unless `has_more`), and the highest."""

    lowest: tuple[float, ...] = ()
    highest: float = 0.0
    has_more: bool = False

    @property
    def are_thumbs(self) -> bool:
        """Return whether every score is one of -1, 0 and 1."""
        return not self.has_more and THUMBS.issuperset(self.lowest)

    @property
    def are_whole(self) -> bool:
        """Return whether every score is known to be a whole number."""
        return not self.has_more and all(score.is_integer() for score in self.lowest)


class KeyKind(Struct, frozen=True):
    """The kind of a feedback key. `reason` is text that says where the kind comes from.

    `low` and `high` are the ends of the scale, if it is known or inferred, or the configured bounds of a number.
    `better` is the direction of a better mean. `counterpart` is the feedback key for the other thumb, if it has scores.
    """

    name: KindName
    reason: str
    is_inferred: bool = False
    low: float | None = None
    high: float | None = None
    better: Better | None = None
    title: str | None = None
    ranges: tuple[Range, ...] = ()
    categories: tuple[FeedbackCategory, ...] = ()
    counterpart: str | None = None

    @property
    def has_direction(self) -> bool:
        """Return whether a rule says which scores are positive."""
        return bool(self.ranges)

    def is_positive(self, score: float | None) -> bool | None:
        """Return whether the score is positive; None if no rule decides."""
        if score is None:
            return None
        for one in self.ranges:
            if one.low <= score <= one.high:
                return one.is_positive
        return None

    def explain_no_direction(self, score: float | None) -> str:
        """Return the reason, as text, why `is_positive` is None for the score."""
        if score is None or self.name == "text":
            return "has no score"
        if self.has_direction:
            return f"is neither positive nor negative on this {self.name}"
        return {
            "rating": "is on a scale without a direction; configure the key's `min` and `max`",
            "category": "is a category; mark categories with `is_positive` in the key's configuration",
        }.get(self.name, "is a number, which is neither positive nor negative")


def find_kind(key: str, config: FeedbackConfig | None, is_lower_better: bool, seen: SeenScores) -> KeyKind:
    """Return the kind of a feedback key with this configuration (or none) and these scores."""
    if config is None:
        return _infer_kind(key, is_lower_better, seen)
    return structs.replace(_derive_kind(key, config, is_lower_better, seen), title=config.title)


def find_counterpart(key: str) -> str | None:
    """Return the name of the feedback key for the other thumb; None if the key has only one."""
    return COUNTERPARTS.get(key) or next((up for up, down in COUNTERPARTS.items() if down == key), None)


def are_both_thumbs(one: KeyKind, other: KeyKind) -> bool:
    """Return whether one kind counts thumbs up and the other thumbs down."""
    return {one.name, other.name} == {"thumbs", "reversed_thumbs"}


def _derive_kind(key: str, config: FeedbackConfig, is_lower_better: bool, seen: SeenScores) -> KeyKind:
    better = _find_better(config, is_lower_better)
    if config.kind is not None:
        return _build_named_kind(config.kind, config, better, seen)
    if config.type == "categorical":
        return _category(config)
    if config.type == "continuous" and config.min is not None and config.max is not None:
        if config.min in (0, -1) and config.max == 1 and seen.are_thumbs:
            return _thumbs(better, seen, config, f"a range from {config.min:g} to 1 with whole scores", True)
        return _build_rating(
            float(config.min), float(config.max), better, f"a range from {config.min:g} to {config.max:g}"
        )
    if config.type == "continuous" and not seen.are_thumbs:
        return _number(better, config, "a range without both ends")
    return _infer_kind(key, is_lower_better, seen)


def _find_better(config: FeedbackConfig, is_lower_better: bool) -> Better | None:
    """Return which scores are better; `is_lower_better` is the feedback key's and agrees with its configuration."""
    if config.direction == "none":
        return None
    return "lower" if is_lower_better or config.kind == "reversed_thumbs" or config.direction == "lower" else "higher"


def _build_named_kind(kind: ConfigKind, config: FeedbackConfig, better: Better | None, seen: SeenScores) -> KeyKind:
    reason = "the key's configuration names it"
    if kind in ("thumbs", "reversed_thumbs"):
        return _thumbs(better, seen, config, reason, False)
    if kind == "rating":
        low, high = config.scale or (None, None)
        return _build_rating(low, high, better, reason)
    return _category(config) if kind == "category" else _number(better, config, reason)


def _infer_kind(key: str, is_lower_better: bool, seen: SeenScores) -> KeyKind:
    """Return the kind that the scores suggest. Only thumbs get a direction that way."""
    if not seen.lowest:
        return KeyKind("text", "there are no scores", is_inferred=True)
    if seen.are_thumbs and not (RATING_NAME.search(key) and -1.0 not in seen.lowest):
        return _thumbs("lower" if is_lower_better else "higher", seen, None, "every score is 0, 1 or -1", True)
    lowest, highest = seen.lowest[0], seen.highest
    if seen.are_whole and lowest >= 0 and highest <= TEN[1]:
        low, high = _infer_scale(lowest, highest, RATING_NAME.search(key) is not None)
        return KeyKind("rating", f"every score is a whole number from {low:g} to {high:g}", True, low, high)
    if lowest >= 0 and highest <= 1:
        return KeyKind("rating", "every score is from 0 to 1", True, 0.0, 1.0)
    return KeyKind("number", "the scores are on no usual scale", True)


def _infer_scale(lowest: float, highest: float, is_named_rating: bool) -> tuple[float, float]:
    """Return the scale of these whole scores from 0 to 10.

    Scores of 0 to 5 alone do not suggest a scale to 10, unless the feedback key's name does: three categories sent as
    0, 1 and 2 would get a mean at the bad end of it.
    """
    if lowest >= STARS[0] and highest <= STARS[1]:
        return STARS
    return TEN if highest > STARS[1] or is_named_rating else (0.0, highest)


def _thumbs(
    better: Better | None, seen: SeenScores, config: FeedbackConfig | None, reason: str, is_inferred: bool
) -> KeyKind:
    has_minus = -1.0 in seen.lowest or (config is not None and config.min is not None and config.min < 0)
    name: KindName = "reversed_thumbs" if better == "lower" else "thumbs"
    low, middle = (-1.0, 0.0) if has_minus else (0.0, 0.5)
    categories = tuple(config.categories or ()) if config else ()
    return KeyKind(name, reason, is_inferred, low, 1.0, better, ranges=_ranges(middle, better), categories=categories)


def _build_rating(low: float | None, high: float | None, better: Better | None, reason: str) -> KeyKind:
    ranges = _ranges((low + high) / 2, better) if low is not None and high is not None else ()
    return KeyKind("rating", reason, False, low, high, better if ranges else None, ranges=ranges)


def _category(config: FeedbackConfig) -> KeyKind:
    categories = tuple(config.categories or ())
    ranges = tuple(
        Range(float(one.value), float(one.value), one.is_positive) for one in categories if one.is_positive is not None
    )
    return KeyKind("category", "the key has categories", ranges=ranges, categories=categories)


def _number(better: Better | None, config: FeedbackConfig, reason: str) -> KeyKind:
    """Return a number that improves downwards, or as its configuration says; upwards is only a default."""
    low, high = (None if end is None else float(end) for end in (config.min, config.max))
    return KeyKind(
        "number", reason, low=low, high=high, better=better if better == "lower" or config.direction else None
    )


def _ranges(middle: float, better: Better | None) -> tuple[Range, ...]:
    """Return the ranges above and below the middle; the middle itself is in neither."""
    if better is None:
        return ()
    above = Range(math.nextafter(middle, math.inf), HIGHEST, better == "higher")
    return above, Range(LOWEST, math.nextafter(middle, -math.inf), better == "lower")
