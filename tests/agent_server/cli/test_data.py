"""`keys`, `feedback` and `backup` accept the data directory before and after the subcommand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from agent_server.__main__ import main
from agent_server.cli.feedback import feedback
from agent_server.cli.keys import keys


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AGENT_SERVER_", "DATABASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_data_dir_option_works_on_both_sides() -> None:
    assert run("keys", "create", "one", "--data-dir", "here").exit_code == 0
    for arguments in (("keys", "--data-dir", "here", "list"), ("keys", "list", "--data-dir", "here")):
        assert [one["name"] for one in json.loads(run(*arguments, "--json").stdout)] == ["one"]
    assert run("keys", "--data-dir", "elsewhere", "revoke", "one", "--data-dir", "here").exit_code == 0
    assert not Path("elsewhere").exists()


def test_config_is_taken_after_the_subcommand() -> None:
    Path("project").mkdir()
    Path("project", "langgraph.json").write_text("{}")
    assert run("keys", "create", "one", "--config", "project/langgraph.json").exit_code == 0
    assert Path("project", ".agent_server", "runs.db").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "list"),
        ("keys", "revoke", "one"),
        ("feedback", "list"),
        ("feedback", "stats"),
        ("feedback", "export"),
        ("feedback", "projects", "list"),
        ("feedback", "keys", "list"),
        ("backup", "copy"),
    ],
)
def test_mistyped_directory_is_named_and_not_made(command: tuple[str, ...]) -> None:
    done = run(*command, "--data-dir", "mistyped")
    assert (done.exit_code, "mistyped" in done.stderr) == (1, True)
    assert not Path("mistyped").exists()


def test_every_subcommand_takes_the_place() -> None:
    commands = [command for group in (keys, feedback) for command in leaves(group)]
    assert len(commands) > 15
    for command in commands:
        assert {"--config", "--data-dir"} <= {option for parameter in command.params for option in parameter.opts}


def leaves(command: click.Command) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from leaves(one)
    else:
        yield command
