"""The input of a feedback page, by the configuration of its feedback key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig, Number
from feedback.pages.texts import Texts
from feedback.schema import FeedbackSubmission

Kind = Literal["thumbs", "yes_no", "stars", "scale", "labels", "number", "words"]
MAX_STEPS = 11
"""The longest scale of whole numbers that is shown step by step, such as 0 to 10."""


class Option(Struct, frozen=True):
    """One option: its form value and its label."""

    value: str
    label: str
    chosen: bool = False


class Choices(Struct, frozen=True):
    """The input of a page: one of the options (or several), a number, or text alone.

    The form field `name` sends the options.
    """

    kind: Kind
    name: Literal["score", "value"] = "score"
    options: tuple[Option, ...] = ()
    several: bool = False
    low: Number | None = None
    high: Number | None = None


def build_choices(
    config: FeedbackConfig | None, given: FeedbackSubmission, texts: Texts, labels: Mapping[str, str]
) -> Choices:
    """Return the input for a configuration, with what the link already submits preselected.

    `labels` maps the categories' labels, or their numbers, to labels in the page's language, if those differ.
    """
    if config is None:
        plain = given.value is None and given.score in (None, 0, 1)
        return Choices("yes_no", options=_options({1: texts.yes, 0: texts.no}, given)) if plain else Choices("words")
    if config.type == "categorical":
        return _labels(config, given, labels)
    return _numbers(config, given, texts) if config.type == "continuous" else Choices("words")


def _numbers(config: FeedbackConfig, given: FeedbackSubmission, texts: Texts) -> Choices:
    low, high = config.min, config.max
    if (low, high) == (0, 1) and _score(given) in (None, 0, 1):
        return Choices("thumbs", options=_options({1: texts.good, 0: texts.bad}, given))
    if low is None or high is None or low != int(low) or high != int(high) or not 0 < high - low < MAX_STEPS:
        return Choices("number", low=low, high=high)
    steps = {step: format_number(step) for step in range(int(low), int(high) + 1)}
    if _score(given) not in (None, *steps) and low <= _as_number(_score(given)) <= high:
        return Choices("number", low=low, high=high)
    return Choices("stars" if (low, high) == (1, 5) else "scale", options=_options(steps, given), low=low, high=high)


def _labels(config: FeedbackConfig, given: FeedbackSubmission, labels: Mapping[str, str]) -> Choices:
    given_values = given.value if isinstance(given.value, list) else [given.value, given.score]
    several = config.allows_multiple_categories
    options = []
    for category in config.categories or []:
        is_chosen = any(one is not None and one in (category.label, category.value) for one in given_values)
        number = format_number(category.value)
        name = category.label or number
        options.append(Option(number, labels.get(name) or name, is_chosen))
    return Choices("labels", "value" if several else "score", tuple(options), several)


def _options(labels: dict[int, str], given: FeedbackSubmission) -> tuple[Option, ...]:
    return tuple(Option(format_number(number), label, _score(given) == number) for number, label in labels.items())


def _score(given: FeedbackSubmission) -> object:
    return given.value if given.score is None else given.score


def _as_number(given: object) -> float:
    return given if isinstance(given, (int, float)) else float("nan")


def format_number(number: Number) -> str:
    """Return a number as JSON, a whole one without a decimal point."""
    whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
    return msgspec.json.encode(int(number) if whole else number).decode()
