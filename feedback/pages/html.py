"""Render the pages behind presigned URLs: question, thanks with an undo button, and failure.

Plain HTML with one inline style sheet, which the content security policy names by its hash: no scripts, no external
addresses. `html.escape` escapes all outside text.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig
from feedback.errors import FeedbackIsFinal
from feedback.pages.choices import Choices, Option, choices_for, format_number
from feedback.schema import FeedbackSubmission

_WEB = files("feedback") / "web"
_SHELL = Template((_WEB / "page.html").read_text(encoding="utf-8"))
_STYLE = "".join((_WEB / name).read_text(encoding="utf-8") for name in ("theme.css", "page.css"))
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
QUESTION = "How was this answer?"
MAX_TYPED = 4000
"""Characters that the comment box accepts; in any script they fit the limit of a comment."""

_THUMB = (
    "M7 10v11H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zm0 0 4-7.2c1.5 0 2.6 1.1 2.6 2.6V9h5.3"
    "a2 2 0 0 1 2 2.3l-1.3 8a2 2 0 0 1-2 1.7H7"
)
_ICONS = {
    "1": f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{_THUMB}"/></svg>',
    "0": f'<svg viewBox="0 0 24 24" aria-hidden="true"><path transform="rotate(180 12 12)" d="{_THUMB}"/></svg>',
}
_STAR = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="m12 3 2.8 5.8 6.2.9-4.5 4.4 1.1 6.2L12 17.3l-5.6 3 1.1-6.2L3 9.7l6.2-.9z"/></svg>'
)
_TICK = '<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="m5 12.5 4.5 4.5L19 7.5"/></svg>'
_GONE: dict[int | str, str] = {
    404: "This link is not complete",
    410: "This link is no longer open",
    429: "One moment, please",
    FeedbackIsFinal.code: "You have given feedback already",
}
_ADVICE: dict[int | str, str] = {
    FeedbackIsFinal.code: "Your first feedback is stored and cannot be changed. Thank you for it.",
    404: "Perhaps it was cut on its way, as mail programs sometimes do. Try the link in the message once more.",
    410: "It was made for a limited time, and accepts no more feedback. Thank you for trying to give some.",
    429: "There was very much feedback just now. Please wait a little, then try again.",
}


class Question(Struct):
    """The content of a question page: the feedback key, what the link already submits, and the id of the feedback.

    `action` is the target of the form: the presigned URL, relative to itself and without its query.
    """

    action: str
    key: str
    config: FeedbackConfig | None
    given: FeedbackSubmission
    id: str
    redirect: str | None = None


def question_page(question: Question, problem: str | None = None, title: str = QUESTION) -> str:
    """Return the question page: the link's choice preselected, a comment box, and a button that submits."""
    choices = choices_for(question.config, question.given)
    parts = [f"<h1>{escape(title)}</h1>", _intro(question, choices, problem)]
    parts += [
        f'<form method="post" action="{escape(question.action)}">',
        _hidden_fields(question, choices),
        _fields(question, choices),
    ]
    comment = escape(question.given.comment or "")
    parts.append(
        '<label class="field" for="comment">Anything to add? <small>(optional)</small></label>'
        f'<textarea id="comment" name="comment" dir="auto" maxlength="{MAX_TYPED}" rows="3">\n{comment}</textarea>'
        "<button>Send</button></form>"
    )
    return _page(title, "".join(parts))


def thanks_page(action: str, feedback_id: str | None, redirect: str | None) -> str:
    """Return the thanks page: an undo button if there is a feedback id, and a link to `redirect` if given."""
    onward = _onward(redirect)
    hidden = _hidden({"undo": feedback_id, "redirect": redirect})
    undo = f'<form method="post" action="{escape(action)}">{hidden}<button class="quiet">Undo</button></form>'
    undo = undo if feedback_id else ""
    return _page("Thank you", f'{_TICK}<h1>Thank you</h1><p role="status">Your feedback was stored.</p>{onward}{undo}')


def failure_page(status: int, detail: str, code: str, again: str | None = None) -> str:
    """Return a page that explains the error; `again` is the address for another try."""
    known = code if code in _GONE else status
    title = _GONE.get(known, "That did not work" if status < 500 else "Something broke here")
    advice = _ADVICE.get(known, "Please try again in a while." if status >= 500 else detail)
    link = f'<a class="button" href="{escape(again)}">Try again</a>' if again else ""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(advice)}</p>{link}")


def _page(title: str, body: str) -> str:
    return _SHELL.substitute(title=escape(title), style=_STYLE, body=body)


def _onward(redirect: str | None) -> str:
    if not redirect:
        return ""
    where = escape(urlsplit(redirect).netloc)
    return f'<a class="button" rel="noreferrer" href="{escape(redirect)}">Continue to {where}</a>'


def _intro(question: Question, choices: Choices, problem: str | None) -> str:
    if problem:
        return f'<p class="wrong" role="alert">{escape(problem)}</p>'
    is_final = question.given.user_id and question.config and question.config.subject_policy == "first"
    rating = _describe_rating(question.given) if choices.kind == "words" else ""
    if rating:
        more = ". It cannot be changed later." if is_final else ""
        return f"<p>Your feedback: <strong>{escape(rating)}</strong>{more}</p>"
    return f"<p>It counts once you press Send{', and cannot be changed later' if is_final else ''}.</p>"


def _describe_rating(given: FeedbackSubmission) -> str:
    return ", ".join(
        one if isinstance(one, str) else msgspec.json.encode(one).decode()
        for one in (given.score, given.value)
        if one is not None
    )


def _hidden_fields(question: Question, choices: Choices) -> str:
    """Return the hidden fields: the feedback's id, and everything from the link that the form does not show."""
    given = question.given
    along: dict[str, Any] = {"id": question.id, "user_id": given.user_id, "redirect": question.redirect}
    along |= {"correction": given.correction, "metadata": given.metadata}
    if choices.kind == "words":
        along |= {"score": given.score, "value": given.value}
    return _hidden(along)


def _hidden(fields: dict[str, Any]) -> str:
    texts = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in fields.items()
        if value is not None
    }
    return "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in texts.items())


def _fields(question: Question, choices: Choices) -> str:
    label = escape(question.key.replace("_", " ").strip().capitalize() or question.key)
    if choices.kind == "words":
        return ""
    if choices.kind == "number":
        return _number(label, choices, question.given)
    options = "".join(_option(choices, option) for option in choices.options)
    return f'<fieldset class="{choices.kind}"><legend>{label}</legend><div class="options">{options}</div></fieldset>'


def _option(choices: Choices, option: Option) -> str:
    kind = "checkbox" if choices.several else "radio"
    icon = _ICONS[option.value] if choices.kind == "thumbs" else _STAR if choices.kind == "stars" else ""
    label = f"<span>{escape(option.label)}</span>"
    checked = " checked" if option.chosen else ""
    return (
        f'<label class="choice"><input type="{kind}" name="{choices.name}" value="{escape(option.value)}"{checked}>'
        f"{icon}{label}</label>"
    )


def _number(label: str, choices: Choices, given: FeedbackSubmission) -> str:
    bounds = "".join(
        f' {name}="{format_number(bound)}"'
        for name, bound in (("min", choices.low), ("max", choices.high))
        if bound is not None
    )
    score = given.value if given.score is None else given.score
    value = f' value="{format_number(score * 1)}"' if isinstance(score, (int, float)) else ""
    return (
        f'<label class="field" for="score">{label}</label>'
        f'<input class="number" id="score" name="score" type="number" step="any" inputmode="decimal"{bounds}{value}>'
    )
