"""Agreement of human and automatic scores: Cohen's kappa, its bootstrap interval, and the best threshold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.reports.agreement import agreement, best_threshold, compute_at_threshold

COHEN = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15


def test_kappa_is_cohens() -> None:
    found = agreement(COHEN)
    assert (found.observedAgreement, found.expectedAgreement, found.kappa) == (0.7, 0.5, 0.4)
    assert (found.precision, found.recall, found.interpretation) == (0.666667, 0.8, "moderate")


def test_interval_holds_kappa_and_shrinks_with_size() -> None:
    small, large = agreement(COHEN).kappaInterval, agreement(COHEN * 40).kappaInterval
    assert small is not None
    assert large is not None
    assert small.low < 0.4 < small.high
    assert 0.1 < small.low < 0.2
    assert 0.6 < small.high < 0.7
    assert large.low > small.low
    assert large.high < small.high
    assert agreement(COHEN).kappaInterval == small


@pytest.mark.parametrize("pair", [(True, True), (False, False)])
def test_kappa_of_one_verdict_is_undefined(pair: tuple[bool, bool]) -> None:
    found = agreement([pair] * 5)
    assert (found.observedAgreement, found.kappa, found.kappaInterval, found.interpretation) == (1, None, None, None)


def test_best_threshold_separates() -> None:
    scored = [(False, 0.1), (False, 0.4), (True, 0.6), (True, 0.9)]
    best = best_threshold(scored)
    assert (best.threshold, best.kappa, best.accuracy) == (0.5, 1.0, 1.0)
    assert compute_at_threshold(scored, 0.95).kappa == 0.0


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5).map(float)), min_size=1, max_size=30))
def test_no_threshold_beats_the_best(scored: list[tuple[bool, float]]) -> None:
    best = best_threshold(scored)
    assert compute_at_threshold(scored, best.threshold) == best
    tried = [compute_at_threshold(scored, one / 2) for one in range(-13, 14)]
    assert all(one.kappa is None or (best.kappa is not None and one.kappa <= best.kappa) for one in tried)
