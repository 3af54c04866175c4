"""`keys`: the signing keys of feedback URLs."""

from __future__ import annotations

import click

from feedback.cli.options import Do
from feedback.cli.output import JSON_OPTION, echo_json, table
from feedback.plugin import FeedbackPlugin
from feedback.validation import from_micros


@click.group()
def keys() -> None:
    """The signing keys of feedback URLs."""


@keys.command("list")
@JSON_OPTION
@click.pass_obj
def list_keys(do: Do, /, as_json: bool) -> None:
    """List the signing keys, newest first, and how many live grants of URLs each has sealed."""

    async def work(service: FeedbackPlugin) -> None:
        rows = await service.ring.list_keys()
        found = [
            {**row, "created_at": from_micros(row["created_at"]), "retired_at": _time(row["retired_at"])}
            for row in rows
        ]
        if as_json:
            echo_json(found)
        else:
            table(("number", "made", "living grants", ""), [
                (one["number"], one["created_at"][:19], one["living_grants"],
                 "retired" if one["retired_at"] else "" if at else "seals new URLs")
                for at, one in enumerate(found)
            ])  # fmt: skip

    do(work)


@keys.command("rotate")
@JSON_OPTION
@click.pass_obj
def rotate_keys(do: Do, /, as_json: bool) -> None:
    """Make a new signing key, which seals URLs from now on. URLs of older keys stay valid until they expire."""

    async def work(service: FeedbackPlugin) -> None:
        number = await service.ring.rotate()
        if as_json:
            echo_json({"number": number})
        else:
            click.echo(f"Key {number} seals new URLs from now on. Those of older keys stay good until they expire.")

    do(work)


@keys.command("retire")
@click.argument("number", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def retire_key(do: Do, /, number: int, yes: bool) -> None:
    """Revoke all URLs and tokens that signing key NUMBER sealed, permanently: it may have leaked. Rotate first."""
    if not yes:
        click.confirm(f"End all URLs and tokens that key {number} sealed, for good?", abort=True, err=True)

    async def work(service: FeedbackPlugin) -> None:
        await service.ring.retire(number)
        click.echo(f"Key {number} is retired. Tokens that it sealed accept no more submissions.")

    do(work)


def _time(micros: int | None) -> str | None:
    return None if micros is None else from_micros(micros)
