"""The command `agent-server`. Each subcommand is imported when it is used, so that each starts fast."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import click

from agent_server.cli.deferred_packages import defer_packages


class Lazy(NamedTuple):
    """The location of a command, as `module:variable`, and its line in the help."""

    target: str
    help: str


COMMANDS: Mapping[str, Lazy] = {
    "dev": Lazy("agent_server.cli.dev:dev", "Serve on this machine while you write your agent."),
    "serve": Lazy("agent_server.cli.serving:serve", "Serve with production settings."),
    "worker": Lazy("agent_server.cli.serving:worker", "Execute runs for servers that run with --no-worker."),
    "demo": Lazy("agent_server.cli.demo:demo", "Serve the example agents, with a chat page."),
    "new": Lazy("agent_server.cli.new:new", "Write a small project that runs."),
    "check": Lazy("agent_server.cli.check:check", "Validate langgraph.json and import what it names."),
    "schema": Lazy("agent_server.cli.check:schema", "Print the JSON Schema of langgraph.json."),
    "keys": Lazy("agent_server.cli.keys:keys", "Create, list and revoke API keys."),
    "feedback": Lazy("agent_server.cli.feedback:feedback", "Read, count, export and erase feedback."),
    "backup": Lazy("agent_server.cli.backup:backup", "Copy the data, also while the server runs."),
}


UNUSED = ("greenlet", "pygments", "rich", "watchfiles")
"""What httpx, structlog and Uvicorn import, if it is installed, for output, green threads and a reloader of their own:
7 MB, none of it used here."""


@contextmanager
def _without(modules: Sequence[str]) -> Iterator[None]:
    """Block imports of the modules, unless they are there already."""
    blocked = [module for module in modules if module not in sys.modules]
    for module in blocked:
        sys.modules[module] = None  # type: ignore[assignment]  # which is how an import learns that it is not there
    try:
        yield
    finally:
        for module in blocked:
            del sys.modules[module]


class LazyGroup(click.Group):
    """A group that imports its commands when they are used; the help does not import them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        defer_packages()
        with _without(UNUSED):
            command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="agent-server")
def main(**_: Any) -> None:
    """Run AI agents over HTTP, and collect the feedback of their users.

    Everything is embedded by default: one process, SQLite files in one data directory. DATABASE_URL=postgresql://…
    moves the data to PostgreSQL.
    """
