"""`stats`: count feedback, and compare two versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from feedback.cli.options import Do, add_filters, build_query, find_services
from feedback.cli.output import JSON_OPTION, echo_json, number, percent, table
from feedback.plugin import FeedbackPlugin
from feedback.reports.comparison import Comparison, Sample
from feedback.reports.comparison import compare as compare_versions
from feedback.reports.confidence import Interval
from feedback.reports.stats import DIMENSIONS, ENOUGH, MAX_GROUPS, Dimension, Statistic


@click.command()
@add_filters
@click.option("--by", multiple=True, type=click.Choice(tuple(DIMENSIONS)), help="What to count apart besides keys.")
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
    """Count feedback: the figures of each key's kind, with their confidence intervals (95 %)."""

    async def work(service: FeedbackPlugin) -> None:
        statistics = (await find_services(service, project)).statistics
        if compare is not None:
            compared = await compare_versions(statistics, build_query(given), *compare, enough)
            return echo_json(compared) if as_json else _show_comparison(compared)
        found = await statistics.groups(build_query(given), by, enough, MAX_GROUPS)
        return echo_json(found) if as_json else _show_statistics(found, by)

    do(work)


FIELDS = {
    "day": "day", "week": "week", "month": "month", "assistant": "assistant_id", "version": "assistant_version",
    "source": "source", "status": "review_status",
}  # fmt: skip


def _show_statistics(found: Sequence[Statistic], by: Sequence[Dimension]) -> None:
    names = [name for name in FIELDS if name in by]
    head = (*names, "key", "kind", "feedback", "scores", "figure", "from", "to", "")
    table(head, [
        (*(_dimension(one, name) for name in names), one.key, _kind(one), one.count, one.scores, *_figure(one),
         "" if one.is_enough else "few") for one in found
    ])  # fmt: skip


def _dimension(one: Statistic, name: str) -> Any:
    return one.assistant_name if name == "assistant" and one.assistant_name else getattr(one, FIELDS[name])


def _kind(one: Statistic) -> str:
    return f"{one.kind} (inferred)" if one.is_kind_inferred else one.kind


def _figure(one: Statistic) -> tuple[str, str, str]:
    """Return the figure of the feedback key's kind, and the ends of its confidence interval."""
    if one.kind == "reversed_thumbs" and one.negative_share is not None:
        return f"{percent(one.negative_share)} negative", *_ends(one.negative_interval, percent)
    if one.kind in ("thumbs", "category") and one.share is not None:
        return f"{percent(one.share)} positive", *_ends(one.interval, percent)
    if one.kind in ("rating", "number") and one.mean is not None:
        return f"mean {number(one.mean)}", *_ends(one.mean_interval, number)
    return "", "", ""


def _ends(interval: Interval | None, shown: Callable[[float], str]) -> tuple[str, str]:
    return ("", "") if interval is None else (shown(interval.low), shown(interval.high))


def _show_comparison(compared: Comparison) -> None:
    shown = percent if compared.measure == "share" else number
    samples = (compared.baseline, compared.candidate)
    table(("version", "scores", compared.measure, "from", "to"), [
        (one.version, one.scores, shown(getattr(one, compared.measure)), *_ends(_find_interval(one, compared), shown))
        for one in samples
    ])  # fmt: skip
    if compared.difference is None:
        click.echo(f"No difference: {compared.verdict}")
        return
    low, high = _ends(compared.interval, shown)
    click.echo(f"Difference {shown(compared.difference)}, from {low} to {high}: {compared.verdict}")


def _find_interval(one: Sample, compared: Comparison) -> Interval | None:
    return one.interval if compared.measure == "share" else one.mean_interval
