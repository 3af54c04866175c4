"""Output: tables for people, JSON for programs, and progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

WIDEST = 60
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="JSON for programs, instead of a table.")


def echo_json(value: Any) -> None:
    """Print JSON for programs, on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str = "No feedback fits.") -> None:
    """Print columns side by side, without characters that move the cursor or colour the screen; or `nothing`."""
    cells = [list(head), *([make_printable(_format_cell(value)) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(cells) == 1:
        click.echo(nothing, err=True)


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def make_printable(text: str, wide: bool = False) -> str:
    """Return the text on one line, without characters that move the cursor; cut to a column's width unless `wide`."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if wide or len(shown) <= WIDEST else shown[: WIDEST - 1] + "…"


def number(value: float | None) -> str:
    """Return a number with three digits."""
    return "" if value is None else f"{value:.3g}"


def percent(share: float | None) -> str:
    """Return a share as a percentage."""
    return "" if share is None else f"{share:.1%}"


def progress(text: str) -> None:
    """Replace the progress on standard error; print nothing if that is no terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def print_done(text: str) -> None:
    """Print the result of the work on standard error."""
    click.echo(f"\r\x1b[K{text}" if sys.stderr.isatty() else text, err=True)
