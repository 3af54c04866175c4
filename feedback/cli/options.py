"""Options that select feedback, and access to the open service for commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, get_args, get_origin

import click
import msgspec

from feedback.plugin import FeedbackPlugin
from feedback.projects.scoped_database import DEFAULT
from feedback.reports.query import FeedbackQuery, Filter, filters
from feedback.services import ProjectServices

Work = Callable[[FeedbackPlugin], Awaitable[None]]
Do = Callable[[Work], None]
"""Run the work with the open service."""
PROJECT_OPTION = click.option("--project", default=DEFAULT, show_default=True, help="The name of the project.")


def add_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with `--project` and an option for each filter of `FeedbackQuery`."""
    for one in reversed(filters()):
        command = _filter_option(one)(command)
    return PROJECT_OPTION(command)


def _filter_option(one: Filter) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name = one.name.replace("_", "-")
    if one.type is bool:
        return click.option(f"--{name}/--no-{name.removeprefix('has-')}", default=None, help=f"{one.description}.")
    is_list = get_origin(one.type) is list
    kind = get_args(one.type)[0] if is_list else one.type
    choice = click.Choice(get_args(kind)) if get_origin(kind) is Literal else kind
    more = "; may be repeated" if is_list else ""
    return click.option(f"--{name}", type=choice, multiple=is_list, help=f"{one.description}{more}.")


async def find_services(service: FeedbackPlugin, project: str) -> ProjectServices:
    """Return the services of the project. Errors: `NotFound`."""
    return service.get_services((await service.projects.get(project)).name)


def build_query(given: dict[str, Any]) -> FeedbackQuery:
    """Return the query that those options describe."""
    lists = {name: list(value) or None for name, value in given.items() if isinstance(value, tuple)}
    return msgspec.convert({**given, **lists}, FeedbackQuery)
