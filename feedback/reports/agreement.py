"""Agreement of a scorer's verdicts with people's, and the threshold with the best agreement.

Cohen's kappa is the agreement beyond what chance would give: 1 is perfect, 0 is chance. Its interval is a percentile
bootstrap over the pairs. Source: J. Cohen, "A coefficient of agreement for nominal scales" (1960); B. Efron,
R. Tibshirani, "An introduction to the bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec import Struct

LEVEL = 0.95
RESAMPLES = 2000
DRAWS = 2_000_000
"""The maximum number of pairs drawn for an interval: larger samples need fewer resamples."""
MIN_RESAMPLES = 200
_SCALE = ((0.8, "almost perfect"), (0.6, "substantial"), (0.4, "moderate"), (0.2, "fair"), (0.0, "slight"))


class Confusion(Struct, frozen=True):
    """A confusion matrix: positive means pass, and people's verdicts are the ground truth."""

    truePositive: int
    falsePositive: int
    falseNegative: int
    trueNegative: int

    @property
    def size(self) -> int:
        """The number of pairs."""
        return self.truePositive + self.falsePositive + self.falseNegative + self.trueNegative


class KappaInterval(Struct, frozen=True):
    """A confidence interval and its level."""

    low: float
    high: float
    level: float = LEVEL


class Agreement(Struct, frozen=True):
    """Measures of agreement. `accuracy` is another name of `observedAgreement`.

    `kappa` is null if all verdicts of both sides are the same: chance explains them.
    """

    n: int
    confusion: Confusion
    observedAgreement: float
    accuracy: float
    expectedAgreement: float
    kappa: float | None
    kappaInterval: KappaInterval | None
    interpretation: str | None
    precision: float | None
    recall: float | None


class Threshold(Struct, frozen=True):
    """A threshold and its agreement; scores at or above the threshold pass."""

    threshold: float
    kappa: float | None
    accuracy: float
    confusion: Confusion


def count_confusion(pairs: Sequence[tuple[bool, bool]]) -> Confusion:
    """Return the confusion matrix of (people's verdict, scorer's verdict) pairs."""
    both = sum(human and machine for human, machine in pairs)
    human_only = sum(human and not machine for human, machine in pairs)
    machine_only = sum(machine and not human for human, machine in pairs)
    return Confusion(both, machine_only, human_only, len(pairs) - both - human_only - machine_only)


def agreement(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    """Return the agreement of one or more (people's verdict, scorer's verdict) pairs."""
    table = count_confusion(pairs)
    kappa = None if (exact := _kappa(table)) is None else _round(exact)
    return Agreement(
        n=table.size,
        confusion=table,
        observedAgreement=_round(_compute_observed(table)),
        accuracy=_round(_compute_observed(table)),
        expectedAgreement=_round(_compute_expected(table)),
        kappa=kappa,
        kappaInterval=None if kappa is None else _bootstrap(table),
        interpretation=None if kappa is None else _interpretation(kappa),
        precision=_share(table.truePositive, table.falsePositive),
        recall=_share(table.truePositive, table.falseNegative),
    )


def compute_at_threshold(scored: Sequence[tuple[bool, float]], threshold: float) -> Threshold:
    """Return the agreement if scores at or above `threshold` pass."""
    return _threshold(threshold, count_confusion([(human, score >= threshold) for human, score in scored]))


def best_threshold(scored: Sequence[tuple[bool, float]], current: float | None = None) -> Threshold:
    """Return the threshold with the highest kappa; accuracy, then nearness to `current`, break ties.

    Only thresholds between two scores matter, so the function tries the middle of each gap, highest first.
    """
    ordered = sorted(scored, key=lambda one: -one[1])
    positives = sum(human for human, _ in ordered)
    best = _threshold(ordered[0][1] + 1.0, Confusion(0, 0, positives, len(ordered) - positives))
    both = machine = 0
    for at, (human, score) in enumerate(ordered):
        both, machine = both + human, machine + 1
        following = ordered[at + 1][1] if at + 1 < len(ordered) else None
        if following == score:
            continue
        table = Confusion(both, machine - both, positives - both, len(ordered) - machine - positives + both)
        middle = score if following is None else (score + following) / 2
        best = max(best, _threshold(middle, table), key=lambda one: _rank(one, current))
    return best


def _rank(one: Threshold, current: float | None) -> tuple[float, float, float]:
    kappa = -2.0 if one.kappa is None else one.kappa
    return kappa, one.accuracy, 0.0 if current is None else -abs(one.threshold - current)


def _threshold(threshold: float, table: Confusion) -> Threshold:
    kappa = _kappa(table)
    rounded = None if kappa is None else _round(kappa)
    return Threshold(_round(threshold), rounded, _round(_compute_observed(table)), table)


def _compute_observed(table: Confusion) -> float:
    return (table.truePositive + table.trueNegative) / table.size


def _compute_expected(table: Confusion) -> float:
    """Return the chance agreement: that of two random sides with the same frequencies."""
    human = (table.truePositive + table.falseNegative) / table.size
    machine = (table.truePositive + table.falsePositive) / table.size
    return human * machine + (1 - human) * (1 - machine)


def _kappa(table: Confusion) -> float | None:
    expected = _compute_expected(table)
    return None if expected >= 1 else (_compute_observed(table) - expected) / (1 - expected)


def _bootstrap(table: Confusion) -> KappaInterval:
    """Return the interval of kappa. A fixed seed makes it reproducible."""
    cells = (table.truePositive, table.falsePositive, table.falseNegative, table.trueNegative)
    resamples = max(MIN_RESAMPLES, min(RESAMPLES, DRAWS // table.size))
    drawn = random.Random(20261129)
    kappas = sorted(
        kappa for _ in range(resamples) if (kappa := _kappa(_resample(drawn, cells, table.size))) is not None
    )
    tail = (1 - LEVEL) / 2
    low, high = kappas[int(tail * len(kappas))], kappas[min(len(kappas) - 1, int((1 - tail) * len(kappas)))]
    return KappaInterval(_round(low), _round(high))


def _resample(drawn: random.Random, cells: tuple[int, int, int, int], size: int) -> Confusion:
    chosen = drawn.choices(range(4), weights=cells, k=size)
    return Confusion(*(chosen.count(cell) for cell in range(4)))


def _interpretation(kappa: float) -> str:
    """Return the label of J. Landis and G. Koch (1977) for a kappa."""
    return next((words for bound, words in _SCALE if kappa >= bound), "poor")


def _share(part: int, rest: int) -> float | None:
    return _round(part / (part + rest)) if part + rest else None


def _round(number: float) -> float:
    return round(number, 6)
