"""Intervals: how much a share of few answers really says."""

from __future__ import annotations

from math import sqrt

from msgspec import Struct

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution, for intervals of 95 %."""


class Interval(Struct, frozen=True):
    """From `low` to `high`: where the true value is, in 95 of 100 such cases."""

    low: float
    high: float


def wilson(positives: int, count: int, z: float = Z95) -> Interval:
    """The share's score interval (Wilson 1927); all from 0 to 1 where there is no answer.

    Unlike the mean plus or minus two standard errors it is right for few answers and for shares near 0 and 1.
    """
    if count == 0:
        return Interval(0.0, 1.0)
    share, square = positives / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z * sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return Interval(0.0 if positives == 0 else middle - half, 1.0 if positives == count else middle + half)


def newcombe(positives: int, count: int, other_positives: int, other_count: int, z: float = Z95) -> Interval:
    """The interval of the other share less the one (Newcombe 1998, method 10: from the Wilson interval of each).

    From -1 to 1 where either has no answer.
    """
    if count == 0 or other_count == 0:
        return Interval(-1.0, 1.0)
    one, other = positives / count, other_positives / other_count
    of_one, of_other = wilson(positives, count, z), wilson(other_positives, other_count, z)
    difference = other - one
    return Interval(
        difference - sqrt((other - of_other.low) ** 2 + (of_one.high - one) ** 2),
        difference + sqrt((of_other.high - other) ** 2 + (one - of_one.low) ** 2),
    )
