"""`stats`: answers counted, and two versions compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from feedback.cli.options import Do, query_of, querying, services_of
from feedback.cli.output import JSON_OPTION, echo_json, number, percent, table
from feedback.plugin import FeedbackPlugin
from feedback.reports.stats import ENOUGH, MAX_GROUPS, Comparison, Dimension, Statistic


@click.command()
@querying
@click.option(
    "--by", multiple=True, type=click.Choice(("assistant", "version", "day")), help="What to tell apart besides keys."
)
@click.option("--enough", type=click.IntRange(1), default=ENOUGH, show_default=True, help="Scores for a verdict.")
@click.option("--compare", type=(int, int), help="Compare two versions of one --assistant, for one --key.")
@JSON_OPTION
@click.pass_obj
def stats(
    do: Do,
    /,
    by: tuple[Dimension, ...],
    enough: int,
    compare: tuple[int, int] | None,
    as_json: bool,
    project: str,
    **given: Any,
) -> None:
    """Count answers: means, shares of positives, and how sure they are (95 % intervals)."""

    async def work(service: FeedbackPlugin) -> None:
        statistics = (await services_of(service, project)).statistics
        if compare is not None:
            compared = await statistics.comparison(query_of(given), *compare, enough)
            return echo_json(compared) if as_json else _show_comparison(compared)
        found = await statistics.groups(query_of(given), by, enough, MAX_GROUPS)
        return echo_json(found) if as_json else _show_statistics(found, by)

    do(work)


def _show_statistics(found: Sequence[Statistic], by: Sequence[Dimension]) -> None:
    names = [name for name in ("day", "assistant", "version") if name in by]
    fields = {"day": "day", "assistant": "assistant_id", "version": "assistant_version"}
    head = (*names, "key", "answers", "scores", "mean", "positive", "from", "to", "")
    table(head, [
        (*(getattr(one, fields[name]) for name in names), one.key, one.answers, one.scores, number(one.mean),
         percent(one.share), percent(one.interval.low), percent(one.interval.high), "" if one.is_enough else "few")
        for one in found
    ])  # fmt: skip


def _show_comparison(compared: Comparison) -> None:
    samples = (compared.baseline, compared.candidate)
    table(("version", "scores", "mean", "positive", "from", "to"), [
        (one.version, one.scores, number(one.mean), percent(one.share), percent(one.interval.low),
         percent(one.interval.high)) for one in samples
    ])  # fmt: skip
    low, high = percent(compared.interval.low), percent(compared.interval.high)
    click.echo(f"Difference {percent(compared.difference)}, from {low} to {high}: {compared.verdict}")
