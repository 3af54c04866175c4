"""Options that select feedback, and access to the open service for commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click
import msgspec

from feedback.plugin import FeedbackPlugin
from feedback.projects.scoped_database import DEFAULT
from feedback.records.reviews import STATUSES
from feedback.reports.query import FeedbackQuery
from feedback.services import ProjectServices

Work = Callable[[FeedbackPlugin], Awaitable[None]]
Do = Callable[[Work], None]
"""Run the work with the open service."""
PROJECT_OPTION = click.option("--project", default=DEFAULT, show_default=True, help="The name of the project.")
QUERY_OPTIONS = (
    PROJECT_OPTION,
    click.option("--run", multiple=True, help="Feedback on this run."),
    click.option("--thread", multiple=True, help="Feedback on runs of this thread."),
    click.option("--assistant", multiple=True, help="Feedback on this assistant."),
    click.option("--version", multiple=True, type=int, help="Feedback on this version of an assistant."),
    click.option("--key", multiple=True, help="Feedback for this feedback key."),
    click.option("--subject", multiple=True, help="Feedback of this user (user_id)."),
    click.option("--source", multiple=True, help="Feedback from this source: api, app or model."),
    click.option("--since", help="Feedback from this time on (ISO 8601)."),
    click.option("--until", help="Feedback before this time (ISO 8601)."),
    click.option("--min-score", type=float, help="Feedback with at least this score."),
    click.option("--max-score", type=float, help="Feedback with at most this score."),
    click.option("--text", help="Feedback with this in comment, value or correction."),
    click.option("--has-comment/--no-comment", default=None, help="Feedback with a comment, or without."),
    click.option("--has-correction/--no-correction", default=None, help="Feedback with a correction, or without."),
    click.option("--reason", multiple=True, help="Feedback with this reason."),
    click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Feedback with this review status."),
    click.option("--assignee", multiple=True, help="Feedback that this person is to review."),
    click.option("--metadata", multiple=True, help="Feedback on runs with this metadata, such as plan:pro."),
    click.option("--dataset", multiple=True, help="Feedback in this dataset."),
)


def querying(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with the options that select feedback."""
    for option in reversed(QUERY_OPTIONS):
        command = option(command)
    return command


async def find_services(service: FeedbackPlugin, project: str) -> ProjectServices:
    """Return the services of the project. Errors: `NotFound`."""
    return service.of((await service.projects.get(project)).name)


def query_of(given: dict[str, Any]) -> FeedbackQuery:
    """Return the query that those options describe."""
    lists = {name: list(value) or None for name, value in given.items() if isinstance(value, tuple)}
    return msgspec.convert({**given, **lists}, FeedbackQuery)
