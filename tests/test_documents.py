"""The documents agree with the code: tables, links, sizes, and plain words."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import agent_server.runs.queue
from agent_server.config import VARIABLES, Config
from feedback.settings import VARIABLES as FEEDBACK_VARIABLES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SERVER = ROOT / "agent_server" / "README.md"
OPERATIONS = ROOT / "agent_server" / "OPERATIONS.md"
FEEDBACK = ROOT / "feedback" / "README.md"
TESTS = ROOT / "tests" / "README.md"
DOCUMENTS = [
    README,
    ROOT / "agent_server" / "protocols" / "README.md",
    SERVER,
    OPERATIONS,
    ROOT / "agent_server" / "protocols" / "README.md",
    FEEDBACK,
    ROOT / "feedback" / "integrations" / "README.md",
    TESTS,
    ROOT / "tests" / "browser" / "README.md",
    ROOT / "examples" / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
]
UNCLEAR_WORDS = re.compile(r"\b(whoever|nobody|somebody|anybody|told|house|rooms?)\b", re.IGNORECASE)
"""Words of a private dialect that this project once used; plain words replace them."""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table(document: Path, header: str) -> list[list[str]]:
    """Return the rows of the document's table that begins with `header`."""
    rows = []
    for line in document.read_text().split(header, 1)[1].splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append(_cells(line))
    return rows


def _default(setting: str) -> str:
    default = next(field.default for field in fields(Config) if field.name == setting)
    if default is MISSING or default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def configuration_rows() -> list[list[str]]:
    """Return the rows of both tables of variables."""
    return [
        [f"`{variable}`", f"`{default}`" if (default := _default(setting)) else "", meaning]
        for variable, (setting, _, meaning) in VARIABLES.items()
    ] + [
        [f"`{variable}`", f"`{default}`" if default else "", meaning]
        for variable, (_, _, default, meaning) in FEEDBACK_VARIABLES.items()
    ]


def state_rows() -> list[list[str]]:
    """Return the table of run states in the docstring of `runs/queue.py`."""
    text = (agent_server.runs.queue.__doc__ or "").split("Rules\n")[0]
    rows = [_cells(line) for line in text.splitlines() if line.count("|") == 3]
    return [row for row in rows if not set(row[0]) <= {"-"}][1:]


def test_configuration_tables_list_every_variable() -> None:
    header = "| variable | default | what it is |"
    assert sorted(table(SERVER, header) + table(FEEDBACK, header)) == sorted(configuration_rows())


def test_state_table_matches_the_code() -> None:
    assert table(SERVER, "| from | by | to | when |") == state_rows()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_local_links_resolve(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_to_sections_resolve(document: Path) -> None:
    for file, section in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
        target = document.parent / file if file else document
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
        slugs = [re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings]
        assert section in slugs, f"{file}#{section}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_documents_are_short_and_plain(document: Path) -> None:
    text = document.read_text()
    assert len(text.encode()) <= (9_000 if document == README else 20_480)
    assert UNCLEAR_WORDS.findall(text) == []


def test_documented_log_events_are_written() -> None:
    source = "".join(file.read_text() for file in (ROOT / "agent_server").rglob("*.py"))
    events = re.findall(r"`(\w+)`", " ".join(row[0] for row in table(OPERATIONS, "| event | means | what to do |")))
    assert len(events) >= 10
    assert [event for event in events if not re.search(rf'(log\.\w+|FailureLog)\(\s*"{event}"', source)] == []


def test_every_feature_names_existing_tests() -> None:
    rows = table(TESTS, "| feature | shown by |")
    assert rows
    for feature, shown in rows:
        tests = re.findall(r"`([^`]+\.py)::(\w+)`", shown)
        assert tests, feature
        for file, test in tests:
            source = (ROOT / "tests" / file).read_text()
            assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), f"{file}::{test}"


def test_examples_table_lists_every_example() -> None:
    text = (ROOT / "examples" / "README.md").read_text()
    examples = {one.name for one in (ROOT / "examples").iterdir()} - {"README.md", "screenshots", "__pycache__"}
    assert {name for name in examples if f"({name}" not in text} == set()
    tests = re.findall(r"`([\w/]+\.py)` \|$", text, re.MULTILINE)
    assert [test for test in tests if not (ROOT / "tests" / test).exists()] == []


def test_readme_shows_the_lines_of_the_thumbs_page() -> None:
    page = [line.strip() for line in (ROOT / "examples" / "thumbs.html").read_text().splitlines()]
    [snippet] = re.findall(r"```javascript\n(import \{ streamRun.*?)```", README.read_text(), re.DOTALL)
    assert [line for line in snippet.splitlines() if line.strip() not in page] == []
