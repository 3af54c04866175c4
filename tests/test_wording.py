"""Users and contributors read plain words: OpenAPI, command-line help, messages, pages, tests."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent_server.__main__ import main
from agent_server.composition import build
from agent_server.config import Config
from agent_server.config.json_schema import json_schema

ROOT = Path(__file__).parents[1]
MOST_WORDS = 8
UNCLEAR = ("whoever", "nobody", "somebody", "anybody", "everybody", "told", "house", "rooms", "theirs")
"""Words of a private dialect that this project once used; plain words replace them."""
UNCLEAR_WORDS = re.compile(rf"\b({'|'.join(UNCLEAR)})\b", re.IGNORECASE)
UNCLEAR_PARTS = {*UNCLEAR, "room", "hear", "hears", "heard", "bell", "bells", "tells", "says"}
"""Words that no identifier contains."""
AGENTS_ANSWERS = {"ANSWER_FIELDS", "ANSWER", "test_dpo_prefers_the_correction_to_the_answer"}
"""The identifiers of `feedback` and its tests about what agents answer; what users submit is feedback."""


def texts(value: Any) -> Iterator[str]:
    """Yield all strings in a JSON document."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def commands(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """Yield the name and help of a command and of all its subcommands."""
    context = click.Context(command, info_name=name)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            if child := command.get_command(context, child_name):
                yield from commands(child, f"{name} {child_name}")


def literals(file: Path) -> Iterator[str]:
    """Yield the string literals of a module, without docstrings."""
    tree = ast.parse(file.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def prose(file: Path) -> Iterator[str]:
    """Yield the docstrings and the comments of a module, and the messages of its assertions."""
    text = file.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
        elif isinstance(node, ast.Assert) and node.msg is not None:
            yield ast.unparse(node.msg)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def identifiers(file: Path) -> Iterator[str]:
    """Yield the names that a module defines: classes, functions, parameters, variables, attributes."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def words(name: str) -> set[str]:
    """Return the words of an identifier, in lower case."""
    return set(re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().split("_"))


def modules(*packages: str) -> list[Path]:
    return [file for package in packages for file in (ROOT / package).rglob("*.py")]


def test_openapi_document_has_plain_words(tmp_path: Path) -> None:
    document = build(Config(directory=tmp_path, data_dir=tmp_path)).openapi_schema.to_schema()
    assert [text for text in texts(document) if UNCLEAR_WORDS.search(text)] == []


def test_command_help_has_plain_words() -> None:
    found = dict(commands(main, "agent-server"))
    assert "agent-server feedback" in found
    assert [name for name, text in found.items() if UNCLEAR_WORDS.search(text)] == []


def test_messages_have_plain_words() -> None:
    sources = modules("agent_server", "feedback")
    assert [(file.name, text) for file in sources for text in literals(file) if UNCLEAR_WORDS.search(text)] == []


def test_schema_of_settings_has_plain_words() -> None:
    assert [text for text in texts(json_schema()) if UNCLEAR_WORDS.search(text)] == []


def test_identifiers_have_plain_words() -> None:
    files = modules("agent_server", "feedback", "tests")
    names = [(file.name, name) for file in files for name in identifiers(file) if not name.startswith("test_")]
    assert [found for found in names if words(found[1]) & UNCLEAR_PARTS] == []


def test_users_feedback_is_not_called_answer() -> None:
    names = [(file.name, name) for file in modules("feedback", "tests/feedback") for name in identifiers(file)]
    answers = [found for found in names if words(found[1]) & {"answer", "answers", "answered"}]
    assert [found for found in answers if found[1] not in AGENTS_ANSWERS] == []


def test_docstrings_and_comments_have_plain_words() -> None:
    sources = [file for file in modules("agent_server", "feedback", "tests") if file != Path(__file__)]
    assert [(file.name, text) for file in sources for text in prose(file) if UNCLEAR_WORDS.search(text)] == []


def test_pages_have_plain_words() -> None:
    folders = (ROOT / "feedback" / "web", ROOT / "examples")
    files = [file for folder in folders for file in folder.rglob("*") if file.suffix in (".html", ".js", ".ts", ".tsx")]
    lines = [(file.name, line.strip()) for file in files for line in file.read_text().splitlines()]
    assert [found for found in lines if UNCLEAR_WORDS.search(found[1])] == []


def cases() -> list[tuple[str, str]]:
    """Return the file and name of each test."""
    return [
        (file.name, node.name)
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def test_names_of_tests_have_at_most_eight_words() -> None:
    assert [(file, name) for file, name in cases() if len(name.removeprefix("test_").split("_")) > MOST_WORDS] == []


def test_names_of_tests_have_plain_words() -> None:
    unclear = UNCLEAR_PARTS - {"says", "tells"}
    assert [(file, name) for file, name in cases() if words(name) & unclear] == []
