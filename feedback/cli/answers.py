"""`list`, `export` and `erase`: the answers themselves."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from feedback.cli.options import PROJECT_OPTION, Do, query_of, querying, services_of
from feedback.cli.output import JSON_OPTION, done, echo_json, printable, progress, table
from feedback.plugin import FeedbackPlugin
from feedback.records.erasure import Erased
from feedback.reports.export import FORMATS, Format
from feedback.reports.query import MAX_PAGE
from feedback.schema import Feedback


@click.command("list")
@querying
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@JSON_OPTION
@click.pass_obj
def list_answers(do: Do, /, limit: int, as_json: bool, project: str, **given: Any) -> None:
    """List answers, newest first."""

    async def work(service: FeedbackPlugin) -> None:
        reader = (await services_of(service, project)).reader
        found: list[Feedback] = []
        cursor = None
        while len(found) < limit:
            page = await reader.page(query_of(given), min(MAX_PAGE, limit - len(found)), cursor)
            found += page.feedback
            if (cursor := page.next_cursor) is None:
                break
        if as_json:
            echo_json(found)
        else:
            table(("time", "key", "score", "value", "who", "run", "comment"), [_answer_cells(one) for one in found])

    do(work)


def _answer_cells(answer: Feedback) -> tuple[Any, ...]:
    source = answer.feedback_source
    run = answer.run_id or answer.run_name
    return (
        answer.created_at[:19],
        answer.key,
        answer.score,
        answer.value,
        source.user_id or source.type,
        run,
        answer.comment,
    )


@click.command()
@querying
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="jsonl", help="What to write: jsonl, if not said."
)
@click.option("-o", "--output", type=click.File("wb", atomic=True), default="-", help="The file.")
@click.pass_obj
def export(do: Do, /, form: Format, output: BinaryIO, project: str, **given: Any) -> None:
    """Write all answers that fit: a table, lines of JSON, or a training set (kto, dpo, sft) as TRL takes it."""
    told = [0, 0]

    def tell(read: int, written: int) -> None:
        told[:] = read, written
        progress(f"{read:,} answers read, {written:,} written")

    async def work(service: FeedbackPlugin) -> None:
        exports = (await services_of(service, project)).exports
        async for part in exports.stream(query_of(given), form, tell):
            output.write(part)
        output.flush()

    do(work)
    left = (
        f", {told[0] - told[1]:,} left out: their run is gone, or says nothing to learn from"
        if told[0] > told[1]
        else ""
    )
    done(f"{told[1]:,} answers written{left}")


@click.command()
@click.option("--subject", help="All that this person (user_id) answered.")
@click.option("--run", "run_id", help="All answers about this run; its URLs take no more.")
@click.option("--thread", help="All answers about this thread's runs; their URLs take no more.")
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
    """Erase answers for good, with their history."""
    named = {name: value for name, value in (("subject", subject), ("run", run_id), ("thread", thread)) if value}
    if len(named) != 1:
        raise click.UsageError("Name one of --subject, --run and --thread")
    [(kind, name)] = named.items()
    if not yes:
        click.confirm(
            f"Erase all answers of {kind} {printable(name)} in {printable(project)}, for good?", abort=True, err=True
        )

    async def work(service: FeedbackPlugin) -> None:
        erasure = (await services_of(service, project)).erasure
        ways = {"subject": erasure.of_subject, "run": erasure.of_run, "thread": erasure.of_thread}
        erased = await ways[kind](name, lambda so_far: progress(_erased(so_far)))
        done(_erased(erased))
        if as_json:
            echo_json(erased)

    do(work)


def _erased(erased: Erased) -> str:
    return f"{erased.answers:,} answers, {erased.history:,} earlier ones and {erased.grants:,} grants of URLs erased"
