"""Which scores and values a feedback key accepts."""

from __future__ import annotations

from typing import Any

import pytest

from feedback import FeedbackConfig
from feedback.configs.feedback_config import FeedbackCategory, Score, Value
from feedback.errors import Invalid, Rejected

STARS = FeedbackConfig("continuous", min=1, max=5)
OPEN = FeedbackConfig("continuous", min=0)
YES_NO = FeedbackConfig("categorical", categories=[FeedbackCategory(1, "yes"), FeedbackCategory(0, "no")])
BARE = FeedbackConfig("categorical", categories=[FeedbackCategory(1), FeedbackCategory(2)])
TOPICS = FeedbackConfig(
    "categorical",
    categories=[FeedbackCategory(0, "a"), FeedbackCategory(1, "b"), FeedbackCategory(2, "c")],
    allows_multiple_categories=True,
)
TEXT = FeedbackConfig("freeform")


@pytest.mark.parametrize(
    ("config", "score", "value", "stored"),
    [
        (STARS, 1, None, (1, None)),
        (STARS, 4.5, "good", (4.5, "good")),
        (STARS, None, 3, (3, None)),
        (STARS, None, None, (None, None)),
        (OPEN, 10**9, None, (10**9, None)),
        (OPEN, True, None, (True, None)),
        (YES_NO, 1, None, (1, "yes")),
        (YES_NO, True, None, (True, "yes")),
        (YES_NO, None, "no", (0, "no")),
        (YES_NO, None, 0, (0, "no")),
        (YES_NO, 1, "yes", (1, "yes")),
        (YES_NO, None, None, (None, None)),
        (BARE, 2, None, (2, None)),
        (TOPICS, None, ["a", 2], (None, {"labels": ["a", "c"], "values": [0, 2]})),
        (TOPICS, None, {"labels": ["a", "c"], "values": [0, 2]}, (None, {"labels": ["a", "c"], "values": [0, 2]})),
        (TOPICS, None, ["b", "b"], (1, "b")),
        (TOPICS, None, "b", (1, "b")),
        (TEXT, None, "anything", (None, "anything")),
        (TEXT, 7, {"a": 1}, (7, {"a": 1})),
    ],
)
def test_fitting_submission_is_stored_with_score_and_value(
    config: FeedbackConfig, score: Score, value: Value, stored: tuple[Any, Any]
) -> None:
    assert repr(config.check(score, value)) == repr(stored)


@pytest.mark.parametrize(
    ("config", "score", "value", "message"),
    [
        (STARS, 6, None, "`score` is 6; this key takes a number from 1 to 5"),
        (STARS, 0.99, None, "from 1 to 5"),
        (STARS, None, "great", "send `score` from 1 to 5"),
        (STARS, False, None, "`score` is false"),
        (OPEN, -1, None, "of at least 0"),
        (FeedbackConfig("continuous", max=1), 2, None, "of at most 1"),
        (YES_NO, 0.5, None, "`score` is 0.5; this key takes one of 1 (yes), 0 (no)"),
        (YES_NO, None, "maybe", "`value` is 'maybe'; this key takes one of 1 (yes), 0 (no)"),
        (YES_NO, 1, "no", "`score` names the category 1 (yes) and `value` names 0 (no)"),
        (YES_NO, None, ["yes"], "one category, not an array"),
        (YES_NO, None, {"a": 1}, "this key takes one of"),
        (TOPICS, None, ["a", "z"], "`value` is 'z'"),
        (TOPICS, None, [], "empty array"),
        (TOPICS, 1, ["a", "b"], "no one `score`"),
        (TEXT, None, [1], "`value` is an array"),
    ],
)
def test_mismatched_score_is_rejected_with_the_allowed_values(
    config: FeedbackConfig, score: Score, value: Value, message: str
) -> None:
    with pytest.raises(Rejected) as refused:
        config.check(score, value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FeedbackConfig("continuous", min=2, max=1), "above"),
        (FeedbackConfig("continuous", min=10**400), "2**63"),
        (FeedbackConfig("categorical"), "0 entries"),
        (FeedbackConfig("categorical", categories=[FeedbackCategory(1, "a"), FeedbackCategory(1, "b")]), "twice"),
        (FeedbackConfig("categorical", categories=[FeedbackCategory(1, "a"), FeedbackCategory(2, "a")]), "twice"),
        (FeedbackConfig("categorical", categories=[FeedbackCategory(1, "")]), "empty"),
    ],
)
def test_unsatisfiable_config_is_refused(config: FeedbackConfig, message: str) -> None:
    with pytest.raises(Invalid, match=message.replace("*", r"\*")):
        config.validate()
