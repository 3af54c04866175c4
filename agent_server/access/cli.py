"""`agent-server keys`: create, list and revoke API keys, also while servers run on the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import click
import msgspec

from agent_server.access.api_keys import ApiKey, ApiKeys
from agent_server.access.key_cache import FRESH_SECONDS
from agent_server.config.api_keys import SCOPES, USUAL, Scope, check_project_name
from agent_server.errors import AgentServerError

Open = Callable[[Path | None, Path | None, bool], AbstractAsyncContextManager[ApiKeys]]
"""Opens the keys of a configuration file and a data directory, if the command line names them; creates missing files if
the third argument is true."""
Work = Callable[[ApiKeys], Awaitable[None]]


class Do(Protocol):
    """Runs the work with the open keys."""

    def __call__(self, work: Work, creates: bool = False) -> None: ...


JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="JSON for programs, instead of text.")


def keys_commands(open_keys: Open) -> click.Group:
    """Return the group `keys`, whose commands use the keys that `open_keys` opens."""

    @click.group("keys")
    @click.option("--config", "config", type=click.Path(dir_okay=False, path_type=Path), help="The configuration file.")
    @click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the SQLite files are.")
    @click.pass_context
    def group(context: click.Context, config: Path | None, data_dir: Path | None) -> None:
        """Create, list and revoke API keys.

        Once any API key exists, requests without one get 401. (The keys that seal feedback URLs are others:
        `agent-server feedback keys`.)
        """
        context.obj = lambda work, creates=False: _run(open_keys(config, data_dir, creates), work)

    for command in (create, list_keys, revoke):
        group.add_command(command)
    return group


def _run(opened: AbstractAsyncContextManager[ApiKeys], work: Work) -> None:
    async def inside() -> None:
        async with opened as keys:
            await work(keys)

    try:
        asyncio.run(inside())
    except AgentServerError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help=f"What the key may do; may be given several times. [default: {', '.join(s for s in SCOPES if s in USUAL)}]",
)
@click.option("--project", help="Whose feedback it is for, alone.  [default: every project's that a request names]")
@click.option("--days", type=click.IntRange(1, 36500), help="For how long it is good.  [default: until it is revoked]")
@JSON_OPTION
@click.pass_obj
def create(
    do: Do, /, name: str, scopes: tuple[Scope, ...], project: str | None, days: int | None, as_json: bool
) -> None:
    """Create an API key named NAME, and show it once.

    run: run agents, read and change assistants, threads, crons and the store. feedback-read: read feedback.
    feedback-mint: create feedback URLs, nothing else. feedback-write: that, and add and change feedback. admin: all of
    that, erase feedback, and manage projects. (`agent-server feedback projects create` makes a project.)
    """
    try:
        of = check_project_name(project) if project is not None else None
    except ValueError as error:
        raise click.UsageError(f"--project {error}") from None

    async def work(keys: ApiKeys) -> None:
        key, made = await keys.create(name, scopes or USUAL, timedelta(days=days) if days else None, of)
        if as_json:
            _echo_json({"key": key, **msgspec.to_builtins(made)})
        else:
            click.echo(key)
            click.echo(f"Keep it: it cannot be shown again. It may: {_may(made)}.", err=True)

    do(work, creates=True)


@click.command("list")
@JSON_OPTION
@click.pass_obj
def list_keys(do: Do, /, as_json: bool) -> None:
    """List the keys of the database, newest first, without those of AGENT_SERVER_API_KEYS."""

    async def work(keys: ApiKeys) -> None:
        found = await keys.list_keys()
        if as_json:
            _echo_json(found)
        elif found:
            _table(("id", "name", "ends with", "may", "project", "made", "expires", ""), [_cells(key) for key in found])
        else:
            click.echo("There are no keys yet; `agent-server keys create NAME` makes one.", err=True)

    do(work)


@click.command()
@click.argument("key")
@JSON_OPTION
@click.pass_obj
def revoke(do: Do, /, key: str, as_json: bool) -> None:
    """Revoke the key with this id or name. Requests still need a key after the last one is revoked."""

    async def work(keys: ApiKeys) -> None:
        revoked = await keys.revoke(key)
        if as_json:
            _echo_json(revoked)
        else:
            click.echo(f"{revoked.name} ({revoked.key_id}) is refused {FRESH_SECONDS:.0f} seconds from now.")

    do(work)


def _may(key: ApiKey) -> str:
    return ", ".join(key.scopes) + (f" (feedback of the project {key.project} only)" if key.project else "")


def _cells(key: ApiKey) -> tuple[str, ...]:
    expires = key.expires_at[:16] if key.expires_at else "never"
    shown = "".join(letter if letter.isprintable() else " " for letter in key.name)
    state = "revoked" if key.revoked_at else ""
    return (
        key.key_id,
        shown,
        f"…{key.ending}",
        ", ".join(key.scopes),
        key.project or "",
        key.created_at[:16],
        expires,
        state,
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _echo_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
