"""The group `feedback`, which a program adds to its own commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import click

from feedback.cli.alerts import alerts
from feedback.cli.history import history
from feedback.cli.keys import keys
from feedback.cli.options import Work
from feedback.cli.outbox import outbox
from feedback.cli.projects import projects
from feedback.cli.records import erase, export, list_feedback_records
from feedback.cli.stats import stats
from feedback.plugin import FeedbackPlugin

Open = Callable[[Path | None, Path | None], AbstractAsyncContextManager[FeedbackPlugin]]
"""Open the service with a configuration file and a data directory, if the command line names them."""


def feedback_commands(open_service: Open) -> click.Group:
    """Return the group `feedback`, whose commands use the service that `open_service` opens."""

    @click.group("feedback")
    @click.option("--config", "config", type=click.Path(dir_okay=False, path_type=Path), help="The configuration file.")
    @click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the SQLite files are.")
    @click.pass_context
    def group(context: click.Context, config: Path | None, data_dir: Path | None) -> None:
        """Read, count, export and erase feedback, also while a server runs."""
        context.obj = lambda work: _run(open_service(config, data_dir), work)

    for command in (list_feedback_records, history, stats, export, erase, keys, alerts, outbox, projects):
        group.add_command(command)
    return group


def _run(service: AbstractAsyncContextManager[FeedbackPlugin], work: Work) -> None:
    async def inside() -> None:
        async with service as plugin:
            await work(plugin)

    try:
        asyncio.run(inside())
    except Exception as error:  # errors with a status are the caller's to fix; any other is a bug
        if not hasattr(error, "status_code"):
            raise
        raise click.ClickException(str(error)) from None
