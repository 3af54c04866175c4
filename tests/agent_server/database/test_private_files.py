"""Every command creates database files and their directory without access for other users."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config
from agent_server.database import open_database
from agent_server.database.data_dir import hold_data_dir


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """Return the permissions of the folder and of all files in it."""
    return {one.name: oct(one.stat().st_mode & 0o777) for one in (folder, *folder.iterdir())}


def is_private(folder: Path) -> bool:
    return set(modes(folder).values()) <= {"0o700", "0o600"}


def test_first_command_makes_private_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    command = [sys.executable, "-m", "agent_server", "keys", "create", "shop", "--data-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, timeout=50)
    assert is_private(folder), modes(folder)


async def test_server_makes_private_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with AsyncTestClient(build(Config(tmp_path, data_dir=folder, allow_anyone=True))) as client:
        await client.post("/threads", json={})
        assert len(modes(folder)) > 3
        assert is_private(folder), modes(folder)


async def test_open_files_are_mended_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with AsyncTestClient(build(Config(tmp_path, data_dir=folder, allow_anyone=True))):
        pass
    folder.chmod(0o755)
    for one in folder.iterdir():
        one.chmod(0o644)
    with hold_data_dir(folder):
        assert is_private(folder), modes(folder)


def test_directory_of_a_project_stays_open(tmp_path: Path) -> None:
    (tmp_path / "agent.py").touch(0o644)
    (tmp_path / "runs.db").touch(0o644)
    tmp_path.chmod(0o755)
    with hold_data_dir(tmp_path):
        assert modes(tmp_path) == {tmp_path.name: "0o755", "agent.py": "0o644", "runs.db": "0o600", "lock": "0o600"}


async def test_any_database_file_is_private(tmp_path: Path) -> None:
    file = tmp_path / "new" / "own.db"
    async with open_database(f"sqlite:///{file}") as database:
        await database.write(lambda c: c.execute("CREATE TABLE one (n INTEGER)"))
        assert is_private(file.parent), modes(file.parent)
