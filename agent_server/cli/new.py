"""`agent-server new`: write a small project that runs."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import click

from agent_server.config.json_schema import json_schema
from agent_server.config.load_errors import INSTALL

FILES = {
    "agent.py": "agent.py.txt",
    "web.py": "web.py.txt",
    "page.html": "page.html",
    "langgraph.json": "langgraph.json",
    ".env": "env.example",
    ".env.example": "env.example",
    ".gitignore": "gitignore",
}
"""The files to write, and the template of each."""


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
def new(directory: Path) -> None:
    """Write a small project into DIRECTORY: an agent, its configuration, and a page with thumbs.

    No file that is there already is changed.
    """
    taken = [name for name in (*FILES, "langgraph.schema.json") if (directory / name).exists()]
    if taken:
        raise click.ClickException(f"{directory} has {', '.join(taken)} already; name another directory")
    templates = files("agent_server.cli") / "project"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, template in FILES.items():
            (directory / name).write_bytes((templates / template).read_bytes())
        (directory / "langgraph.schema.json").write_text(json.dumps(json_schema(), indent=2) + "\n")
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be written: {error.strerror}") from None
    needs = "" if find_spec("langgraph") else f"\n  {INSTALL}    # the agent is a LangGraph graph"
    click.echo(
        f"Wrote {', '.join(FILES)} and langgraph.schema.json. Next:\n{needs}\n  cd {directory}\n  agent-server dev"
    )
