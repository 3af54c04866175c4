"""What users read has plain words: OpenAPI, command-line help, messages in the code, pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent_server.__main__ import main
from agent_server.composition import build
from agent_server.config import Config

ROOT = Path(__file__).parents[1]
MOST_WORDS = 8
UNCLEAR_WORDS = re.compile(r"\b(whoever|nobody|somebody|anybody|told|house|rooms)\b", re.IGNORECASE)
"""Words of a private dialect that this project once used; plain words replace them."""


def texts(value: Any) -> Iterator[str]:
    """All strings in a JSON document."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def commands(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """The help of a command and of all its subcommands."""
    context = click.Context(command, info_name=name)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            if child := command.get_command(context, child_name):
                yield from commands(child, f"{name} {child_name}")


def literals(file: Path) -> Iterator[str]:
    """The string literals of a module, without docstrings."""
    tree = ast.parse(file.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_openapi_document_has_plain_words(tmp_path: Path) -> None:
    document = build(Config(directory=tmp_path, data_dir=tmp_path)).openapi_schema.to_schema()
    assert [text for text in texts(document) if UNCLEAR_WORDS.search(text)] == []


def test_command_help_has_plain_words() -> None:
    found = dict(commands(main, "agent-server"))
    assert "agent-server feedback" in found
    assert [name for name, text in found.items() if UNCLEAR_WORDS.search(text)] == []


def test_messages_have_plain_words() -> None:
    sources = [file for package in ("agent_server", "feedback") for file in (ROOT / package).rglob("*.py")]
    assert [(file.name, text) for file in sources for text in literals(file) if UNCLEAR_WORDS.search(text)] == []


def test_pages_have_plain_words() -> None:
    folders = (ROOT / "feedback" / "web", ROOT / "examples")
    files = [file for folder in folders for file in folder.rglob("*") if file.suffix in (".html", ".js", ".ts", ".tsx")]
    lines = [(file.name, line.strip()) for file in files for line in file.read_text().splitlines()]
    assert [found for found in lines if UNCLEAR_WORDS.search(found[1])] == []


def test_names_of_tests_have_at_most_eight_words() -> None:
    names = [
        (file.name, node.name)
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert [(file, name) for file, name in names if len(name.removeprefix("test_").split("_")) > MOST_WORDS] == []
