"""The command line of feedback: `list`, `stats`, `export`, `erase` and `keys`, as a group that a program mounts.

Tables are for people, `--json` for programs; how long work gets on is told on the error output. All of it works
while servers run on the same database.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from feedback.erasure import Erased
from feedback.export import FORMATS, Format
from feedback.limits import from_micros
from feedback.plugin import FeedbackPlugin
from feedback.reading import MAX_PAGE, FeedbackQuery
from feedback.schema import Feedback
from feedback.stats import ENOUGH, MAX_GROUPS, Comparison, Dimension, Statistic

Open = Callable[[Path | None, Path | None], AbstractAsyncContextManager[FeedbackPlugin]]
"""Opens the service of a configuration file and a data directory, where the command line names them."""
Work = Callable[[FeedbackPlugin], Awaitable[None]]
Do = Callable[[Work], None]
"""Does the work with the open service."""
WIDEST = 60
QUERY_OPTIONS = (
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
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="JSON for programs, instead of a table.")


def feedback_commands(open_service: Open) -> click.Group:
    """The group `feedback`, whose commands work with the service that `open_service` opens."""

    @click.group("feedback")
    @click.option("--config", "config", type=click.Path(dir_okay=False, path_type=Path), help="The configuration file.")
    @click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the SQLite files are.")
    @click.pass_context
    def group(context: click.Context, config: Path | None, data_dir: Path | None) -> None:
        """Read, count, export and erase what people answered, also while a server runs."""
        context.obj = lambda work: _run(open_service(config, data_dir), work)

    for command in (list_answers, stats, export, erase, keys):
        group.add_command(command)
    return group


def _run(service: AbstractAsyncContextManager[FeedbackPlugin], work: Work) -> None:
    async def inside() -> None:
        async with service as plugin:
            await work(plugin)

    try:
        asyncio.run(inside())
    except Exception as error:  # those that say whose fault they are; any other is a bug, and shown as one
        if not hasattr(error, "status_code"):
            raise
        raise click.ClickException(str(error)) from None


def _querying(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(QUERY_OPTIONS):
        command = option(command)
    return command


def _query(given: dict[str, Any]) -> FeedbackQuery:
    lists = {name: list(value) or None for name, value in given.items() if isinstance(value, tuple)}
    return msgspec.convert({**given, **lists}, FeedbackQuery)


@click.command("list")
@_querying
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@JSON_OPTION
@click.pass_obj
def list_answers(do: Do, /, limit: int, as_json: bool, **given: Any) -> None:
    """List answers, newest first."""

    async def work(service: FeedbackPlugin) -> None:
        found: list[Feedback] = []
        cursor = None
        while len(found) < limit:
            page = await service.reading.page(_query(given), min(MAX_PAGE, limit - len(found)), cursor)
            found += page.feedback
            if (cursor := page.next_cursor) is None:
                break
        if as_json:
            _echo_json(found)
        else:
            _table(("time", "key", "score", "value", "who", "run", "comment"), [_answer_cells(one) for one in found])

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
@_querying
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
    **given: Any,
) -> None:
    """Count answers: means, shares of positives, and how sure they are (95 % intervals)."""

    async def work(service: FeedbackPlugin) -> None:
        if compare is not None:
            compared = await service.statistics.comparison(_query(given), *compare, enough)
            return _echo_json(compared) if as_json else _show_comparison(compared)
        found = await service.statistics.groups(_query(given), by, enough, MAX_GROUPS)
        return _echo_json(found) if as_json else _show_statistics(found, by)

    do(work)


def _show_statistics(found: Sequence[Statistic], by: Sequence[Dimension]) -> None:
    names = [name for name in ("day", "assistant", "version") if name in by]
    fields = {"day": "day", "assistant": "assistant_id", "version": "assistant_version"}
    head = (*names, "key", "answers", "scores", "mean", "positive", "from", "to", "")
    _table(head, [
        (*(getattr(one, fields[name]) for name in names), one.key, one.answers, one.scores, _number(one.mean),
         _percent(one.share), _percent(one.interval.low), _percent(one.interval.high), "" if one.is_enough else "few")
        for one in found
    ])  # fmt: skip


def _show_comparison(compared: Comparison) -> None:
    samples = (compared.baseline, compared.candidate)
    _table(("version", "scores", "mean", "positive", "from", "to"), [
        (one.version, one.scores, _number(one.mean), _percent(one.share), _percent(one.interval.low),
         _percent(one.interval.high)) for one in samples
    ])  # fmt: skip
    low, high = _percent(compared.interval.low), _percent(compared.interval.high)
    click.echo(f"Difference {_percent(compared.difference)}, from {low} to {high}: {compared.verdict}")


@click.command()
@_querying
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="jsonl", help="What to write: jsonl, if not said."
)
@click.option("-o", "--output", type=click.File("wb", atomic=True), default="-", help="The file.")
@click.pass_obj
def export(do: Do, /, form: Format, output: BinaryIO, **given: Any) -> None:
    """Write all answers that fit: a table, lines of JSON, or a training set (kto, dpo, sft) as TRL takes it."""
    told = [0, 0]

    def tell(read: int, written: int) -> None:
        told[:] = read, written
        _progress(f"{read:,} answers read, {written:,} written")

    async def work(service: FeedbackPlugin) -> None:
        async for part in service.exports.stream(_query(given), form, tell):
            output.write(part)
        output.flush()

    do(work)
    left = (
        f", {told[0] - told[1]:,} left out: their run is gone, or says nothing to learn from"
        if told[0] > told[1]
        else ""
    )
    _done(f"{told[1]:,} answers written{left}")


@click.command()
@click.option("--subject", help="All that this person (user_id) answered.")
@click.option("--run", "run_id", help="All answers about this run; its URLs take no more.")
@click.option("--thread", help="All answers about this thread's runs; their URLs take no more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON_OPTION
@click.pass_obj
def erase(do: Do, /, subject: str | None, run_id: str | None, thread: str | None, yes: bool, as_json: bool) -> None:
    """Erase answers for good, with their history."""
    named = {name: value for name, value in (("subject", subject), ("run", run_id), ("thread", thread)) if value}
    if len(named) != 1:
        raise click.UsageError("Name one of --subject, --run and --thread")
    [(kind, name)] = named.items()
    if not yes:
        click.confirm(f"Erase all answers of {kind} {_printable(name)}, for good?", abort=True, err=True)

    async def work(service: FeedbackPlugin) -> None:
        ways = {
            "subject": service.erasure.of_subject,
            "run": service.erasure.of_run,
            "thread": service.erasure.of_thread,
        }
        erased = await ways[kind](name, lambda so_far: _progress(_erased(so_far)))
        _done(_erased(erased))
        if as_json:
            _echo_json(erased)

    do(work)


def _erased(erased: Erased) -> str:
    return f"{erased.answers:,} answers, {erased.history:,} earlier ones and {erased.grants:,} grants of URLs erased"


@click.group()
def keys() -> None:
    """The keys that seal feedback URLs."""


@keys.command("list")
@JSON_OPTION
@click.pass_obj
def list_keys(do: Do, /, as_json: bool) -> None:
    """List the keys, newest first, and how many grants of URLs each has sealed that are not over yet."""

    async def work(service: FeedbackPlugin) -> None:
        rows = await service.ring.listed()
        found = [{**row, "created_at": from_micros(row["created_at"])} for row in rows]
        if as_json:
            _echo_json(found)
        else:
            _table(("number", "made", "living grants", ""), [
                (one["number"], one["created_at"][:19], one["living_grants"], "" if at else "seals new URLs")
                for at, one in enumerate(found)
            ])  # fmt: skip

    do(work)


@keys.command("rotate")
@JSON_OPTION
@click.pass_obj
def rotate_keys(do: Do, /, as_json: bool) -> None:
    """Make a new key, which seals URLs from now on. URLs of older keys live on until they expire."""

    async def work(service: FeedbackPlugin) -> None:
        number = await service.ring.rotate()
        if as_json:
            _echo_json({"number": number})
        else:
            click.echo(f"Key {number} seals new URLs from now on. Those of older keys stay good until they expire.")

    do(work)


def _echo_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns side by side, without what would move the cursor or colour the screen."""
    cells = [list(head), *([_printable(_shown(value)) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(cells) == 1:
        click.echo("No answers fit.", err=True)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _printable(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= WIDEST else shown[: WIDEST - 1] + "…"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def _done(text: str) -> None:
    click.echo(f"\r\x1b[K{text}" if sys.stderr.isatty() else text, err=True)
