"""`agent-server check` names every mistake and exits with a status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner, Result

from agent_server.__main__ import main

PLAIN = "async def agent(given):\n    yield {}\n"
Check = Callable[..., Result]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return a function that checks a configuration with these files beside it and restores the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("AGENT_SERVER_CONFIG", "AGENT_SERVER_VERBOSE"):
        monkeypatch.setenv(name, "")

    def run(document: object, *options: str, **files: str) -> Result:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "langgraph.json").write_text(document if isinstance(document, str) else json.dumps(document))
        return CliRunner().invoke(main, ["check", *options])

    return run


def test_project_that_is_right_passes(check: Check, tmp_path: Path) -> None:
    done = check({"graphs": {"one": "./a.py:agent"}, "python_version": "3.12"}, a=PLAIN)
    assert (done.exit_code, "ok     graph 'one' (Plain)" in done.stdout) == (0, True)
    assert "note   python_version has no effect" in done.stdout
    assert not (tmp_path / ".agent_server").exists()


def test_every_problem_is_named(check: Check) -> None:
    document = {
        "graph": {},
        "graphs": {"one": "./a.py:agent", "two": "./b.py:agent", "three": "./c.py:agent"},
        "auth": {"path": "./d.py:auth"},
        "http": {"app": "./e.py:app"},
    }
    done = check(document, a=PLAIN, b="import no_such_module_here\n")
    assert done.exit_code == 1
    for text in (
        "graph has no effect: this server does not know it; did you mean graphs?",
        "graph 'two': b.py:1: ModuleNotFoundError",
        "graph 'three': there is no file",
        "auth: there is no file",
        "http.app: there is no file",
    ):
        assert text in done.stderr
    assert "ok     graph 'one'" in done.stdout


@pytest.mark.parametrize(
    ("document", "problem"),
    [("{", "cannot be read as JSON"), ({"graphs": 5}, "graphs is 5"), ({"http": {"cors": {"x": 1}}}, "'x'")],
)
def test_file_that_is_wrong_fails(check: Check, document: object, problem: str) -> None:
    done = check(document)
    assert (done.exit_code, problem in done.stderr) == (1, True)


def test_traceback_comes_with_verbose(check: Check) -> None:
    done = check({"graphs": {"one": "./f.py:agent"}}, "--verbose", f="def inner():\n    1 / 0\ninner()\n")
    assert "in inner" in done.stderr


def test_settings_are_checked_too(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SERVER_FEEDBACK_SECRET", "hush")
    done = check({"graphs": {}})
    assert (done.exit_code, "at least 16" in done.stderr) == (1, True)


def test_schema_is_printed_for_editors() -> None:
    done = CliRunner().invoke(main, ["schema"])
    jsonschema_rs.meta.validate(json.loads(done.stdout))
    assert os.linesep in done.stdout
