"""One process at a time uses a data directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_server.database.data_dir import hold_data_dir
from agent_server.errors import Unavailable


def test_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    with hold_data_dir(tmp_path / "new"):
        assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_second_holder_is_refused_until_the_first_releases(tmp_path: Path) -> None:
    with hold_data_dir(tmp_path), pytest.raises(Unavailable, match="Another agent server"), hold_data_dir(tmp_path):
        pass
    with hold_data_dir(tmp_path):
        pass


def test_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file/data cannot be used"), hold_data_dir(tmp_path / "file" / "data"):
        pass
