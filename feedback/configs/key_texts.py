"""KeyTexts: what people read of a feedback key, in one language."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from feedback.errors import Invalid
from feedback.validation import check_text

MAX_LABEL = 500
MAX_TEXT = 1000
MAX_LANGUAGES = 30
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
TEXTS = ("title", "question", "low_label", "high_label")
"""The texts that users see of a feedback key."""


class KeyTexts(Struct, omit_defaults=True):
    """The texts of a feedback key in one language; what is missing is shown as the configuration itself has it.

    `labels` maps the label of a category (its number as text, if it has none) to its label in the language. Labels of
    no category are ignored.
    """

    title: str | None = None
    question: str | None = None
    low_label: str | None = None
    high_label: str | None = None
    labels: dict[str, str] | None = None


def check_translations(translations: Mapping[str, KeyTexts]) -> None:
    """Reject texts of no language, or that are too long (`Invalid`, `TooLarge`)."""
    if len(translations) > MAX_LANGUAGES:
        raise Invalid(f"`feedback_config.translations` has {len(translations)} languages; at most {MAX_LANGUAGES}")
    for language, texts in translations.items():
        where = f"feedback_config.translations.{language[:40]}"
        if not LANGUAGE.fullmatch(language):
            raise Invalid(f"`{where}` is no language; name it as HTML's `lang` does: de, or pt-BR")
        for name in TEXTS:
            if (text := getattr(texts, name)) is not None:
                check_text(f"{where}.{name}", text, MAX_TEXT)
        for label, text in (texts.labels or {}).items():
            check_text(f"{where}.labels", label, MAX_LABEL)
            check_text(f"{where}.labels", text, MAX_LABEL)


def choose_texts(language: str, translations: Mapping[str, KeyTexts]) -> KeyTexts:
    """Return the texts in a language such as `de-AT`, or else in its primary language `de`; none if there are none."""
    wanted = language.lower()
    by_name = {name.lower(): texts for name, texts in translations.items()}
    return by_name.get(wanted) or by_name.get(wanted.partition("-")[0]) or KeyTexts()
