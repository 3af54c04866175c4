"""Render the pages behind presigned URLs: question, thanks with an undo button, and failure.

Plain HTML from the templates in `web/pages`, with one inline style sheet, which the content security policy names by
its hash: no scripts, no external addresses. The templates escape all text.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig
from feedback.errors import FeedbackIsFinal, TokenExpired, TokenUsed
from feedback.pages.choices import Choices, build_choices, format_number
from feedback.pages.colours import accent_rules
from feedback.pages.texts import LANGUAGES, Texts
from feedback.schema import FeedbackSubmission
from feedback.settings.pages import PageSettings

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_TYPED = 4000
"""Characters that the comment box accepts; in any script they fit the limit of a comment."""
MAX_REPLY = 1000
"""Characters that are quoted of the agent's reply."""
_WEB = files("feedback") / "web"
_STYLE = "".join((_WEB / name).read_text(encoding="utf-8") for name in ("theme.css", "pages/page.css"))


@lru_cache(maxsize=1)
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # with the first page: its import delays a start

    templates = Environment(
        loader=FileSystemLoader(str(_WEB / "pages")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["number"] = format_number
    return templates


class Look(Struct, frozen=True):
    """How a page looks: its language, and what the settings say of the product."""

    language: str
    settings: PageSettings

    @property
    def texts(self) -> Texts:
        """Return the texts in the page's language."""
        return LANGUAGES[self.language]

    @property
    def content_security_policy(self) -> str:
        """Return the policy: it allows the page's own style sheet, and its embedded logo if there is one."""
        return _policy(self.settings.colour, bool(self.settings.logo))


class Question(Struct):
    """The content of a question page: the feedback key, what the link already submits, and the id of the feedback.

    `action` is the target of the form: the presigned URL, relative to itself and without its query. `refused` is a
    score or value that the feedback key does not take; `reply` is the agent's reply, if the page quotes it.
    """

    action: str
    config: FeedbackConfig | None
    given: FeedbackSubmission
    id: str
    redirect: str | None = None
    refused: str | None = None
    reply: str | None = None


def question_page(look: Look, question: Question, problem: str | None = None, title: str | None = None) -> str:
    """Return the question page: the link's choice preselected, a comment box, and a button that submits."""
    texts, given = look.texts, question.given
    config = question.config and question.config.translate_texts(look.language)
    choices = build_choices(config, given, texts, config.translate_labels(look.language) if config else {})
    title = title or (config and (config.question or config.title)) or texts.question
    score = given.value if given.score is None else given.score
    return _page(
        look,
        "question",
        title=title,
        problem=problem or (_explain_impossible(texts, choices, question.refused) if question.refused else None),
        reply=_clip_reply(question.reply),
        given=_describe_rating(given) if choices.kind == "words" else "",
        is_final=bool(given.user_id and config and config.subject_policy == "first"),
        action=question.action,
        hidden=_hidden_fields(question, choices),
        choices=choices,
        legend=(config and config.title) or texts.rating,
        ends=_ends(choices, config),
        hint=_range(choices, config),
        number=score * 1 if isinstance(score, (int, float)) else None,
        comment=given.comment or "",
        max_comment=MAX_TYPED,
    )


def thanks_page(look: Look, action: str, feedback_id: str | None, redirect: str | None) -> str:
    """Return the thanks page: an undo button if there is a feedback id, and a link to `redirect` if given."""
    onward = look.texts.onward.format(host=urlsplit(redirect).netloc) if redirect else ""
    fields = {"action": action, "feedback_id": feedback_id, "redirect": redirect, "onward": onward}
    return _page(look, "thanks", title=look.texts.thanks, **fields)


def failure_page(look: Look, status: int, detail: str, code: str, again: str | None = None) -> str:
    """Return a page that explains the error; `again` is the address for another try."""
    title, advice = _explain_error(look.texts, status, code)
    return _page(look, "failure", title=title, advice=advice, detail="" if advice else detail, again=again)


def _explain_error(texts: Texts, status: int, code: str) -> tuple[str, str]:
    """Return the title and the advice about an error; no advice if only its detail explains it."""
    if status >= 500:
        return texts.broken
    known = {
        FeedbackIsFinal.code: texts.is_final,
        TokenExpired.code: texts.expired,
        TokenUsed.code: texts.used,
        404: texts.incomplete,
        410: texts.closed,
        429: texts.busy,
    }
    return known.get(code) or known.get(status) or (texts.refused, "")


def _page(look: Look, template: str, **content: Any) -> str:
    common = {"language": look.language, "texts": look.texts, "brand": look.settings}
    style = _style(look.settings.colour)
    return _templates().get_template(f"{template}.html").render(**common, style=style, **content)


@lru_cache(maxsize=16)
def _style(colour: str) -> str:
    return _STYLE + (accent_rules(colour) if colour else "")


@lru_cache(maxsize=16)
def _policy(colour: str, has_logo: bool) -> str:
    digest = base64.b64encode(hashlib.sha256(_style(colour).encode()).digest()).decode()
    images = " img-src data:;" if has_logo else ""
    policy = f"default-src 'none'; style-src 'sha256-{digest}';{images} form-action 'self'"
    return f"{policy}; base-uri 'none'; frame-ancestors 'none'"


def _clip_reply(reply: str | None) -> str:
    text = (reply or "").strip()
    return text if len(text) <= MAX_REPLY else text[:MAX_REPLY].rsplit(None, 1)[0] + " …"


def _explain_impossible(texts: Texts, choices: Choices, refused: str) -> str:
    low, high = (None if bound is None else format_number(bound) for bound in (choices.low, choices.high))
    if low is not None and high is not None:
        advice = texts.between
    elif low is not None or high is not None:
        advice = texts.at_most if low is None else texts.at_least
    else:
        advice = texts.choose
    return f"{texts.not_possible.format(given=refused)} {advice.format(low=low, high=high)}"


def _ends(choices: Choices, config: FeedbackConfig | None) -> dict[str, str]:
    """Return the names of the ends of a scale with their numbers, such as `0 – not likely`; empty if it has none."""
    if config is None or choices.kind not in ("scale", "stars"):
        return {"low": "", "high": ""}
    names = {"low": (choices.options[0], config.low_label), "high": (choices.options[-1], config.high_label)}
    return {end: f"{option.label} – {label}" if label else "" for end, (option, label) in names.items()}


def _range(choices: Choices, config: FeedbackConfig | None) -> str:
    """Return the ends of a range of numbers with their names, such as `0 (not likely) – 100 (very likely)`."""
    if choices.kind != "number" or config is None or choices.low is None or choices.high is None:
        return ""
    ends = ((choices.low, config.low_label), (choices.high, config.high_label))
    return " – ".join(f"{format_number(bound)} ({label})" if label else format_number(bound) for bound, label in ends)


def _describe_rating(given: FeedbackSubmission) -> str:
    return ", ".join(
        one if isinstance(one, str) else msgspec.json.encode(one).decode()
        for one in (given.score, given.value)
        if one is not None
    )


def _hidden_fields(question: Question, choices: Choices) -> dict[str, str]:
    """Return the hidden fields: the feedback's id, and everything from the link that the form does not show."""
    given = question.given
    along: dict[str, Any] = {"id": question.id, "user_id": given.user_id, "redirect": question.redirect}
    along |= {"correction": given.correction, "metadata": given.metadata}
    if given.scale is not None:
        along["scale"] = ",".join(map(format_number, given.scale))
    if choices.kind == "words":
        along |= {"score": given.score, "value": given.value}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in along.items()
        if value is not None
    }
