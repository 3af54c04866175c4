"""The layout of the packages: few entries at the top, one noun each."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_ENTRIES = {"agent_server": 24, "feedback": 28}


@pytest.mark.parametrize("package", MOST_ENTRIES)
def test_top_of_package_has_few_entries(package: str) -> None:
    entries = sorted(path.name for path in (ROOT / package).iterdir() if path.name != "__pycache__")
    assert len(entries) <= MOST_ENTRIES[package], entries
