"""FeedbackConfig: the scores and values that a feedback key accepts, its kind, and the question for users."""

from __future__ import annotations

from typing import Any, Literal, Union

from msgspec import Struct, structs

from feedback.configs.key_texts import MAX_LABEL, MAX_TEXT, TEXTS, KeyTexts, check_translations, choose_texts
from feedback.errors import Invalid, Rejected
from feedback.validation import check_number, check_text

# typing.Union, since Litestar's OpenAPI plugins (`routes/openapi.py`) cannot take the unions that `|` makes.
Number = Union[int, float]  # noqa: UP007
Score = Union[bool, int, float, None]  # noqa: UP007
Value = Union[bool, int, float, str, dict[str, Any], list[Any], None]  # noqa: UP007
StoredValue = Union[bool, int, float, str, dict[str, Any], None]  # noqa: UP007

SubjectPolicy = Literal["replace", "append", "first"]
"""Whether a second submission of a subject replaces the first, is stored as well, or is refused (the first stands)."""
REPLACE: SubjectPolicy = "replace"
"""The default policy."""

ConfigKind = Literal["thumbs", "reversed_thumbs", "rating", "category", "number"]
"""How the scores of a feedback key are counted and shown; see `configs/kinds.py`."""
ConfigDirection = Literal["higher", "lower", "none"]
"""Which scores are better: higher ones, lower ones, or neither."""

MAX_CATEGORIES = 100
THUMBS = (-1, 0, 1)
DESCRIPTION = ("kind", "direction", "translations", *TEXTS)
"""The fields that describe a feedback key and do not restrict scores; an update that omits them keeps them."""


class FeedbackCategory(Struct, omit_defaults=True):
    """A category: its number, its label, and whether it is positive (true), negative (false) or neither."""

    value: Number
    label: str | None = None
    is_positive: bool | None = None

    def __str__(self) -> str:
        return f"{self.value:g} ({self.label})" if self.label else f"{self.value:g}"


class FeedbackConfig(Struct, omit_defaults=True):
    """The scores and values that a feedback key accepts: a number from `min` to `max`, one of `categories`, or any.

    `subject_policy` says what a subject's second submission does; the default is the feedback key's, else `replace`.
    `kind` and `direction` say what the scores mean; they default to what type and range imply. Users see `title` and
    `question`; `low_label` and `high_label` name the ends of a scale. `translations` has these texts by language, such
    as `de` or `pt-BR`.
    """

    type: Literal["continuous", "categorical", "freeform"]
    min: Number | None = None
    max: Number | None = None
    categories: list[FeedbackCategory] | None = None
    allows_multiple_categories: bool = False
    subject_policy: SubjectPolicy | None = None
    kind: ConfigKind | None = None
    direction: ConfigDirection | None = None
    title: str | None = None
    question: str | None = None
    low_label: str | None = None
    high_label: str | None = None
    translations: dict[str, KeyTexts] | None = None

    def translate_texts(self, language: str) -> FeedbackConfig:
        """Return the configuration with its texts in the language, as far as it has them, except for the labels."""
        texts = choose_texts(language, self.translations or {})
        return structs.replace(self, **{name: getattr(texts, name) or getattr(self, name) for name in TEXTS})

    def translate_labels(self, language: str) -> dict[str, str]:
        """Return the categories' labels in the language, by their own label or number, as far as it has them."""
        return choose_texts(language, self.translations or {}).labels or {}

    @property
    def scale(self) -> tuple[float, float] | None:
        """Return the ends of the range, or of the categories; None if unknown."""
        if self.type == "categorical" and self.categories:
            values = [float(category.value) for category in self.categories]
            return min(values), max(values)
        return None if self.min is None or self.max is None else (float(self.min), float(self.max))

    def validate(self) -> None:
        """Reject a configuration that no score could satisfy, or that contradicts itself (`Invalid`)."""
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is not None:
                check_number(f"feedback_config.{name}", bound)
        if self.type == "continuous" and self.min is not None and self.max is not None and self.min > self.max:
            raise Invalid(f"`feedback_config.min` ({self.min:g}) is above `feedback_config.max` ({self.max:g})")
        if self.type == "categorical":
            _check_categories(self.categories or [])
        for name in TEXTS:
            if (text := getattr(self, name)) is not None:
                check_text(f"feedback_config.{name}", text, MAX_TEXT)
        check_translations(self.translations or {})
        self._check_kind()

    def _check_kind(self) -> None:
        """Reject a kind or direction that contradicts the type and range (`Invalid`)."""
        if self.kind == "category" and self.type != "categorical":
            raise Invalid("`feedback_config.kind` is category; send `type` categorical, with `categories`")
        if self.kind == "rating" and self.scale is None:
            raise Invalid("`feedback_config.kind` is rating; send the ends of its scale as `min` and `max`")
        if self.kind == "number" and self.type == "categorical":
            raise Invalid("`feedback_config.kind` is number; send `type` continuous")
        if self.kind in ("thumbs", "reversed_thumbs"):
            self._check_thumbs()
        if self.direction == "none" and self.kind in ("thumbs", "reversed_thumbs"):
            raise Invalid(f"`feedback_config.kind` is {self.kind}, which has a direction; leave `direction` out")
        if (self.kind, self.direction) in (("thumbs", "lower"), ("reversed_thumbs", "higher")):
            raise Invalid(
                f"`feedback_config.kind` is {self.kind}, and `direction` {self.direction}; send one of the two"
            )

    def _check_thumbs(self) -> None:
        values = [category.value for category in self.categories or []] if self.type == "categorical" else []
        values += [bound for bound in (self.min, self.max) if bound is not None]
        if not set(values) <= set(THUMBS):
            raise Invalid(
                f"`feedback_config.kind` is {self.kind}, whose scores are 0 and 1 (or -1 and 1); send that range"
            )

    def keep_description(self, earlier: FeedbackConfig) -> FeedbackConfig:
        """Return this configuration, with the description fields that it omits taken from the earlier one.

        An empty text removes a text.
        """
        kept = {
            name: getattr(earlier, name) if (mine := getattr(self, name)) is None else mine or None
            for name in DESCRIPTION
        }
        kept["kind"] = kept["kind"] if self.kind or self._accepts_kind(kept["kind"]) else None
        return structs.replace(self, **kept)

    def _accepts_kind(self, kind: ConfigKind | None) -> bool:
        try:
            structs.replace(self, kind=kind, direction=None)._check_kind()
        except Invalid:
            return False
        return True

    def is_met_by(self, other: FeedbackConfig) -> bool:
        """Return whether the other configuration equals this one, ignoring description fields that this one omits."""
        same = {name: getattr(other, name) for name in DESCRIPTION if getattr(self, name) is None}
        return structs.replace(self, **same) == other

    def check(self, score: Score, value: Value) -> tuple[Score, Value]:
        """Return the score and value to store: as sent, with a missing one filled in. `Rejected` if they do not fit."""
        if self.type == "continuous":
            return self._continuous(score, value)
        if self.type == "categorical":
            return self._categorical(score, value)
        return score, _check_no_array(value)

    def _continuous(self, score: Score, value: Value) -> tuple[Score, Value]:
        if score is None and value is None:
            return None, None
        if score is None:
            if not isinstance(value, (bool, int, float)):
                raise Rejected(f"This key takes a number: send `score` {self._range()}")
            score, value = value, None
        if (self.min is not None and score < self.min) or (self.max is not None and score > self.max):
            raise Rejected(f"`score` is {_format_value(score)}; this key takes a number {self._range()}")
        return score, _check_no_array(value)

    def _range(self) -> str:
        if self.min is not None and self.max is not None:
            return f"from {self.min:g} to {self.max:g}"
        if self.min is not None:
            return f"of at least {self.min:g}"
        return f"of at most {self.max:g}" if self.max is not None else "of any size"

    def _categorical(self, score: Score, value: Value) -> tuple[Score, Value]:
        if isinstance(value, dict) and isinstance(value.get("labels"), list):
            value = value["labels"]
        if isinstance(value, list):
            return self._check_several(score, value)
        by_score = None if score is None else self._find("score", score)
        by_value = None if value is None else self._find("value", value)
        if by_score and by_value and by_score.value != by_value.value:
            raise Rejected(f"`score` names the category {by_score} and `value` names {by_value}; send one of the two")
        chosen = by_score or by_value
        if chosen is None:
            return None, None
        return (chosen.value if score is None else score), chosen.label

    def _check_several(self, score: Score, choices: list[Any]) -> tuple[Score, Value]:
        if not self.allows_multiple_categories:
            raise Rejected(f"This key takes one category, not an array; {self._choices()}")
        if score is not None:
            raise Rejected("Several categories have no one `score`; send the array as `value` alone")
        chosen = {category.value: category for category in (self._find("value", choice) for choice in choices)}
        if not chosen:
            raise Rejected(f"`value` is an empty array; {self._choices()}")
        if len(chosen) == 1:
            only = next(iter(chosen.values()))
            return only.value, only.label
        return None, {"labels": [category.label for category in chosen.values()], "values": list(chosen)}

    def _find(self, field: str, given: object) -> FeedbackCategory:
        for category in self.categories or []:
            if isinstance(given, str) and given == category.label:
                return category
            if isinstance(given, (bool, int, float)) and given == category.value:
                return category
        raise Rejected(f"`{field}` is {_format_value(given)}; {self._choices()}")

    def _choices(self) -> str:
        return "this key takes one of " + ", ".join(str(category) for category in self.categories or [])


def _check_categories(categories: list[FeedbackCategory]) -> None:
    if not 1 <= len(categories) <= MAX_CATEGORIES:
        raise Invalid(f"`feedback_config.categories` has {len(categories)} entries; 1 to {MAX_CATEGORIES} are taken")
    labels = [category.label for category in categories if category.label is not None]
    for category in categories:
        check_number("feedback_config.categories[].value", category.value)
    for label in labels:
        check_text("feedback_config.categories[].label", label, MAX_LABEL)
    if len({category.value for category in categories}) < len(categories) or len(set(labels)) < len(labels):
        raise Invalid("`feedback_config.categories` names a value or a label twice; make each different")
    if "" in labels:
        raise Invalid("`feedback_config.categories[].label` is empty; leave it out or give it text")


def _check_no_array(value: Value) -> Value:
    if isinstance(value, list):
        raise Rejected("`value` is an array; send a number, true or false, text or an object")
    return value


def _format_value(given: object) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    return repr(given[:60]) if isinstance(given, str) else str(given)[:60]


FREE = FeedbackConfig(type="freeform")
"""The configuration of a feedback key that has none."""
