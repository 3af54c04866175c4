"""Querying: the options that say which answers, and how a command gets at the open service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click
import msgspec

from feedback.plugin import FeedbackPlugin
from feedback.projects.scoped_database import DEFAULT
from feedback.reports.query import FeedbackQuery
from feedback.services import ProjectServices

Work = Callable[[FeedbackPlugin], Awaitable[None]]
Do = Callable[[Work], None]
"""Does the work with the open service."""
PROJECT_OPTION = click.option(
    "--project", default=DEFAULT, show_default=True, help="Whose answers: the name of a project."
)
QUERY_OPTIONS = (
    PROJECT_OPTION,
    click.option("--run", multiple=True, help="Answers about this run."),
    click.option("--thread", multiple=True, help="Answers about runs of this thread."),
    click.option("--assistant", multiple=True, help="Answers about this assistant."),
    click.option("--version", multiple=True, type=int, help="Answers about this version of an assistant."),
    click.option("--key", multiple=True, help="Answers for this feedback key."),
    click.option("--subject", multiple=True, help="Answers of this person (user_id)."),
    click.option("--since", help="Answers from this time on (ISO 8601)."),
    click.option("--until", help="Answers before this time (ISO 8601)."),
    click.option("--min-score", type=float, help="Answers with at least this score."),
    click.option("--max-score", type=float, help="Answers with at most this score."),
    click.option("--text", help="Answers with this in comment, value or correction."),
    click.option("--has-comment/--no-comment", default=None, help="Answers with a comment, or without."),
)


def querying(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options that say which answers it is about."""
    for option in reversed(QUERY_OPTIONS):
        command = option(command)
    return command


async def services_of(service: FeedbackPlugin, project: str) -> ProjectServices:
    """The rooms of the project. Errors: `NotFound`."""
    return service.of((await service.projects.get(project)).name)


def query_of(given: dict[str, Any]) -> FeedbackQuery:
    """What those options say."""
    lists = {name: list(value) or None for name, value in given.items() if isinstance(value, tuple)}
    return msgspec.convert({**given, **lists}, FeedbackQuery)
