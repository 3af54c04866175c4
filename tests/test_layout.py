"""The layout of the packages: few entries at the top, one noun each."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_ENTRIES = {"agent_server": 24, "feedback": 28}


def has_content(path: Path) -> bool:
    """Return whether the entry is more than a folder of compiled files, which a moved package leaves behind."""
    files = [path] if path.is_file() else path.rglob("*")
    return any(file.is_file() and "__pycache__" not in file.parts for file in files)


@pytest.mark.parametrize("package", MOST_ENTRIES)
def test_top_of_package_has_few_entries(package: str) -> None:
    entries = sorted(path.name for path in (ROOT / package).iterdir() if has_content(path))
    assert len(entries) <= MOST_ENTRIES[package], entries
