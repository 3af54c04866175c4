"""Rows of thumbs or stars for e-mail and Slack, made of a run's presigned URLs.

    row = thumbs(urls["user_liked"], urls["user_disliked"], lang="de")
    mail = f"<p>{escape(answer)}</p>{row.html()}"
    client.chat_postMessage(channel="#help", text=answer, blocks=row.slack())

The links lead to a page with a button that submits the feedback, so scanners of mail and chat may follow them.
With `lang`, the row speaks that language (such as `de` or `fr-CA`) and so does the page; without, the row speaks
English, and the page the language of the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from msgspec import Struct

from feedback.pages.texts import DEFAULT_LANGUAGE, LANGUAGES, find_language

MAX_SLACK_TEXT = 3000
_LINK = (
    "display:inline-block;padding:8px 12px;font-size:20px;line-height:24px;text-decoration:none;color:#1d1b29;"
    "background:#f3f2f8;border:1px solid #d6d3e4;border-radius:8px"
)
_TEXT = "margin:0 0 8px;font:15px/22px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"


class Labels(Struct, frozen=True):
    """The labels of choices in one language."""

    good: str
    bad: str
    stars: str


LABELS = {
    "en": Labels("Good answer", "Bad answer", "{score} of {most} stars"),
    "de": Labels("Gute Antwort", "Schlechte Antwort", "{score} von {most} Sternen"),
    "fr": Labels("Bonne réponse", "Mauvaise réponse", "{score} sur {most} étoiles"),
    "es": Labels("Buena respuesta", "Mala respuesta", "{score} de {most} estrellas"),
    "ja": Labels("良い回答", "良くない回答", "星{most}つのうち{score}つ"),
}


class Link(Struct, frozen=True):
    """One choice: its symbol, its label for screen readers, and its URL."""

    symbol: str
    label: str
    url: str


class Row(Struct, frozen=True):
    """Choices side by side, in a language of `LABELS`."""

    links: tuple[Link, ...]
    language: str = DEFAULT_LANGUAGE

    @property
    def question(self) -> str:
        """Return the question that is asked if none is given."""
        return LANGUAGES[self.language].question

    def html(self, question: str | None = None) -> str:
        """Return a question and its choices as HTML for mail: a table with inline styles, as mail programs need."""
        cells = "".join(
            f'<td style="padding:0 6px 0 0"><a href="{escape(link.url)}" style="{_LINK}" title="{escape(link.label)}" '
            f'aria-label="{escape(link.label)}">{escape(link.symbol)}</a></td>'
            for link in self.links
        )
        table = f'<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>{cells}</tr></table>'
        asked = escape(question or self.question)
        return f'<div lang="{self.language}"><p style="{_TEXT}">{asked}</p>{table}</div>'

    def text(self, question: str | None = None) -> str:
        """Return the same as plain text for mail: a line for each choice."""
        return "\n".join([question or self.question, *(f"{link.label}: {link.url}" for link in self.links)])

    def slack(self, question: str | None = None) -> list[dict[str, Any]]:
        """Return the same as Slack's Block Kit blocks: a section, and a button with a link for each choice."""
        buttons = [
            {
                "type": "button",
                "action_id": f"feedback_{place}",
                "text": {"type": "plain_text", "text": link.symbol, "emoji": True},
                "accessibility_label": link.label,
                "url": link.url,
            }
            for place, link in enumerate(self.links)
        ]
        text = {"type": "plain_text", "text": (question or self.question)[:MAX_SLACK_TEXT], "emoji": True}
        return [{"type": "section", "text": text}, {"type": "actions", "elements": buttons}]


def thumbs(positive: str, negative: str | None = None, *, lang: str | None = None, **more: str) -> Row:
    """Return thumbs up and down: one URL for score 1 or 0, or two (`user_liked`, `user_disliked`) for score 1 each.

    `lang` is the language of the row and of the page. `more` is added to the links: `user_id` (the subject: a second
    choice replaces the first), `redirect` (the next page). Errors: `ValueError`.
    """
    language, more = _choose_language(lang, more)
    labels, bad = LABELS[language], ((negative, 1) if negative else (positive, 0))
    return Row(
        (
            Link("👍", labels.good, add_feedback(positive, {"score": 1, **more})),
            Link("👎", labels.bad, add_feedback(bad[0], {"score": bad[1], **more})),
        ),
        language,
    )


def stars(url: str, most: int = 5, *, lang: str | None = None, **more: str) -> Row:
    """Return one to `most` stars, with their scale: score 1 to `most`. `lang` and `more` are as those of `thumbs`."""
    if not 2 <= most <= 10:
        raise ValueError(f"{most} stars cannot be shown in a row; ask for 2 to 10")
    language, more = _choose_language(lang, more)
    label = LABELS[language].stars
    links = (
        Link(f"{score} ★", label.format(score=score, most=most), add_feedback(url, _star(score, most) | more))
        for score in range(1, most + 1)
    )
    return Row(tuple(links), language)


def _choose_language(lang: str | None, more: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the language of the row, and what its links add so that the page speaks it, too."""
    if lang is None:
        return DEFAULT_LANGUAGE, more
    if (language := find_language(lang)) is None:
        raise ValueError(f"There are no texts in {lang[:40]!r}; ask for one of {', '.join(LABELS)}")
    return language, {**more, "lang": language}


def _star(score: int, most: int) -> dict[str, object]:
    return {"score": score, "scale": f"1,{most}"}


def add_feedback(url: str, submission: Mapping[str, object]) -> str:
    """Return the presigned URL with feedback in its query. `ValueError` if it is not an absolute web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("This is no presigned URL; give the absolute address that the run's feedback event has")
    query = "&".join(part for part in (parts.query, urlencode(dict(submission))) if part)
    return urlunsplit(parts._replace(query=query))
