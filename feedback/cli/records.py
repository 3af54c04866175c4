"""`list`, `export` and `erase`: commands on feedback itself."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from feedback.cli.options import PROJECT_OPTION, Do, add_filters, build_query, find_services
from feedback.cli.output import JSON_OPTION, echo_json, make_printable, print_done, progress, table
from feedback.plugin import FeedbackPlugin
from feedback.records.erasure import Erased
from feedback.records.reviews import ReviewedFeedback
from feedback.reports.export import FORMATS, ExportReport, Format
from feedback.reports.reader import MAX_PAGE

HEAD = ("time", "key", "score", "value", "who", "assistant", "run", "comment")


@click.command("list")
@add_filters
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@JSON_OPTION
@click.pass_obj
def list_feedback_records(do: Do, /, limit: int, as_json: bool, project: str, **given: Any) -> None:
    """List feedback, newest first."""

    async def work(service: FeedbackPlugin) -> None:
        reader = (await find_services(service, project)).reader
        found: list[ReviewedFeedback] = []
        cursor = None
        while len(found) < limit:
            page = await reader.page(build_query(given), min(MAX_PAGE, limit - len(found)), cursor)
            found += page.feedback
            if (cursor := page.next_cursor) is None:
                break
        if as_json:
            echo_json(found)
        else:
            table(
                ("time", "key", "score", "value", "who", "assistant", "run", "comment"), [_cells(one) for one in found]
            )

    do(work)


def _cells(feedback: ReviewedFeedback) -> tuple[Any, ...]:
    source = feedback.feedback_source
    name = feedback.assistant_name or feedback.assistant_id
    return (
        feedback.created_at[:19],
        feedback.key,
        feedback.score,
        feedback.value,
        source.user_id or source.type,
        name if name is None or feedback.assistant_version is None else f"{name} v{feedback.assistant_version}",
        feedback.run_id or feedback.run_name,
        feedback.comment,
    )


@click.command()
@add_filters
@click.option("--format", "form", type=click.Choice(FORMATS), default="jsonl", help="What to write (default: jsonl).")
@click.option("-o", "--output", type=click.File("wb", atomic=True), default="-", help="The file.")
@click.pass_obj
def export(do: Do, /, form: Format, output: BinaryIO, project: str, **given: Any) -> None:
    """Write all feedback that fits: a table, lines of JSON, or a training set (kto, dpo, sft) as TRL takes it."""
    last = ExportReport()

    def show_progress(report: ExportReport) -> None:
        nonlocal last
        last = report
        progress(f"{report.read:,} pieces of feedback read, {report.written:,} written")

    async def work(service: FeedbackPlugin) -> None:
        exports = (await find_services(service, project)).exports
        async for part in exports.stream(build_query(given), form, show_progress):
            output.write(part)
        output.flush()

    do(work)
    print_done(f"{last.written:,} pieces of feedback written")
    for reason, count in sorted(last.left_out.items(), key=lambda one: -one[1]):
        print_done(f"{count:,} left out: {make_printable(reason, wide=True)}")


@click.command()
@click.option("--subject", help="All feedback of this person (user_id).")
@click.option("--run", "run_id", help="All feedback on this run; its URLs accept no more.")
@click.option("--thread", help="All feedback on this thread's runs; their URLs accept no more.")
@PROJECT_OPTION
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON_OPTION
@click.pass_obj
def erase(
    do: Do,
    /,
    subject: str | None,
    run_id: str | None,
    thread: str | None,
    project: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase feedback permanently, with their history."""
    named = {name: value for name, value in (("subject", subject), ("run", run_id), ("thread", thread)) if value}
    if len(named) != 1:
        raise click.UsageError("Name one of --subject, --run and --thread")
    [(kind, name)] = named.items()
    if not yes:
        click.confirm(
            f"Erase all feedback of {kind} {make_printable(name)} in {make_printable(project)}, for good?",
            abort=True,
            err=True,
        )

    async def work(service: FeedbackPlugin) -> None:
        erasure = (await find_services(service, project)).erasure
        ways = {"subject": erasure.erase_subject, "run": erasure.erase_run, "thread": erasure.erase_thread}
        erased = await ways[kind](name, lambda so_far: progress(_format_erased(so_far)))
        print_done(_format_erased(erased))
        if as_json:
            echo_json(erased)

    do(work)


def _format_erased(erased: Erased) -> str:
    count = f"{erased.feedback:,} pieces of feedback, {erased.history:,} earlier versions"
    return f"{count}, {erased.grants:,} grants of URLs and {erased.examples:,} examples copied from runs erased"
