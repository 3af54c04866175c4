"""`agent-server demo`: serve the example agents and their chat page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from agent_server.cli.dev import run_dev
from agent_server.cli.settings import DATA_DIR_OPTION

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "demo", _PACKAGE.parent / "examples")
"""The locations of the examples: in the wheel, and in the repository."""


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.  [default: 2024, or the next free]")
@DATA_DIR_OPTION
def demo(**given: Any) -> None:
    """Serve the example agents, with a chat page, thumbs and the dashboard. No key and no network are needed."""
    directory = next((one for one in _PLACES if (one / "langgraph.json").is_file()), None)
    if directory is None:
        raise click.ClickException("The examples are missing from this installation; install the package anew")
    data_dir = given["data_dir"] or _home() / "demo"
    click.echo(f"The demo keeps its data in {data_dir}")
    options = {"config_path": directory / "langgraph.json", "allow_anyone": None, "verbose": None}
    run_dev({**given, **options, "data_dir": data_dir}, reload=False)


def _home() -> Path:
    """Return the directory for a program's own data (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "agent-server"
