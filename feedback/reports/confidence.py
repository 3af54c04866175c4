"""95 % confidence intervals of shares, means and their differences."""

from __future__ import annotations

from math import sqrt

from msgspec import Struct

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution, for intervals of 95 %."""
T95 = {1: 12.706204736, 2: 4.302652730}
"""The same quantile of Student's t, by degrees of freedom, where the approximation of `_t95` is inexact."""


class Interval(Struct, frozen=True):
    """A 95 % confidence interval from `low` to `high`."""

    low: float
    high: float


class Moments(Struct, frozen=True):
    """The number of scores, their mean, and the sum of squared deviations from it."""

    count: int
    mean: float
    squares: float

    @property
    def variance(self) -> float:
        """The sample variance; 0 for fewer than two scores."""
        return max(0.0, self.squares) / (self.count - 1) if self.count > 1 else 0.0


def wilson(positives: int, count: int, z: float = Z95) -> Interval:
    """Return the score interval of a share (Wilson 1927); 0 to 1 without scores.

    Unlike the share plus or minus two standard errors, it is valid for few scores and for shares near 0 and 1.
    """
    if count == 0:
        return Interval(0.0, 1.0)
    share, square = positives / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z * sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return Interval(0.0 if positives == 0 else middle - half, 1.0 if positives == count else middle + half)


def newcombe(positives: int, count: int, other_positives: int, other_count: int, z: float = Z95) -> Interval:
    """Return the interval of the other share minus the first (Newcombe 1998, method 10, from both Wilson intervals).

    It is -1 to 1 if either side has no score.
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


def mean_interval(of: Moments, low: float | None = None, high: float | None = None) -> Interval | None:
    """Return Student's interval of the mean, clipped to the scale `low` to `high`; None for fewer than two scores."""
    if of.count < 2:
        return None
    half = _t95(of.count - 1) * sqrt(of.variance / of.count)
    return Interval(
        of.mean - half if low is None else max(min(low, of.mean), of.mean - half),
        of.mean + half if high is None else min(max(high, of.mean), of.mean + half),
    )


def welch(one: Moments, other: Moments) -> Interval | None:
    """Return the interval of the other mean minus the first (Welch 1947); None if either has fewer than two scores."""
    if one.count < 2 or other.count < 2:
        return None
    of_one, of_other = one.variance / one.count, other.variance / other.count
    both, difference = of_one + of_other, other.mean - one.mean
    if both == 0:
        return Interval(difference, difference)
    freedom = both * both / (of_one**2 / (one.count - 1) + of_other**2 / (other.count - 1))
    half = _t95(freedom) * sqrt(both)
    return Interval(difference - half, difference + half)


def _t95(freedom: float) -> float:
    """Return the 97.5 % quantile of Student's t by Fisher's expansion (Abramowitz and Stegun 26.7.5), within 0.1 %."""
    if freedom < 3:
        return T95[max(1, int(freedom))]
    z, z2 = Z95, Z95 * Z95
    terms = (
        z * (z2 + 1) / 4,
        z * (5 * z2**2 + 16 * z2 + 3) / 96,
        z * (3 * z2**3 + 19 * z2**2 + 17 * z2 - 15) / 384,
        z * (79 * z2**4 + 776 * z2**3 + 1482 * z2**2 - 1920 * z2 - 945) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
