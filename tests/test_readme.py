"""The README's tables say what the code says."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import agent_server.runs.queue
from agent_server.config import VARIABLES, Config

README = Path(__file__).parent.parent / "README.md"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _table(header: str) -> list[list[str]]:
    """The rows of the README's table that begins with `header`."""
    lines = README.read_text().split(header, 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
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
    return (
        ",".join(default)
        if isinstance(default, tuple)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def configuration_rows() -> list[list[str]]:
    return [
        [f"`{variable}`", f"`{default}`" if (default := _default(setting)) else "", meaning]
        for variable, (setting, _, meaning) in VARIABLES.items()
    ]


def state_rows() -> list[list[str]]:
    table = (agent_server.runs.queue.__doc__ or "").split("Rules\n")[0]
    rows = [_cells(line) for line in table.splitlines() if line.count("|") == 3]
    return [row for row in rows if not set(row[0]) <= {"-"}][1:]


def test_configuration_table_lists_every_variable_with_its_default() -> None:
    assert _table("| variable | default | what it is |") == configuration_rows()


def test_state_table_is_that_of_the_code() -> None:
    assert _table("| from | by | to | when |") == state_rows()


def test_local_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_log_lines_that_the_readme_explains_are_written() -> None:
    source = "".join(file.read_text() for file in (README.parent / "agent_server").rglob("*.py"))
    events = re.findall(r"`(\w+)`", " ".join(row[0] for row in _table("| event | means | what to do |")))
    assert len(events) >= 10
    assert [event for event in events if not re.search(rf'log\.\w+\(\s*"{event}"', source)] == []


def test_features_are_shown_by_tests_that_exist_or_said_not_to_be_built() -> None:
    rows = _table("| feature | shown by |")
    assert rows
    for feature, shown in rows:
        tests = re.findall(r"`([^`]+\.py)::(\w+)`", shown)
        assert tests or shown.startswith("not built"), feature
        for file, test in tests:
            source = (README.parent / "tests" / file).read_text()
            assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), f"{file}::{test}"
