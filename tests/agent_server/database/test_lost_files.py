"""Database files are deleted, changed or locked under a running server: nothing acknowledged is lost."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from agent_server.composition import build
from agent_server.config import Config
from agent_server.database import Database, open_database
from agent_server.database.lost_file import warn_of_lost_feedback
from agent_server.errors import Unavailable
from tests.agent_server.api import serving

App = AsyncTestClient[Litestar]
HEALTH = "/ok?check_db=1"


def unlink(file: Path) -> None:
    file.unlink()


def unlink_all(file: Path) -> None:
    for one in file.parent.glob(file.name + "*"):
        one.unlink()


def unlink_log(file: Path) -> None:
    Path(f"{file}-wal").unlink()


def replace(file: Path) -> None:
    shutil.copy(file, copy := file.with_suffix(".copy"))
    copy.rename(file)


def remake(file: Path) -> None:
    unlink_all(file)
    file.touch()


LOSSES: list[Callable[[Path], None]] = [unlink, unlink_all, unlink_log, replace, remake]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    config = Config(tmp_path, data_dir=tmp_path / "data", allow_anyone=True)
    async with AsyncTestClient(build(config), raise_server_exceptions=False) as client:
        await client.post("/threads", json={})
        await submit(client)
        yield client


async def submit(app: App) -> httpx.Response:
    return await app.post("/api/v1/feedback", json={"run_id": str(uuid.uuid4()), "key": "k", "score": 1})


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
async def test_lost_feedback_file_acknowledges_nothing(app: App, tmp_path: Path, lose: Callable[[Path], None]) -> None:
    lose(tmp_path / "data" / "feedback.db")
    with capture_logs() as lines:
        for _ in range(3):
            refused = await submit(app)
            assert (refused.status_code, "was deleted or replaced" in refused.json()["detail"]) == (503, True)
        health = await app.get(HEALTH)
    assert (health.status_code, list(health.json()["services"])) == (503, ["feedback"])
    assert "was deleted or replaced" in health.json()["services"]["feedback"]
    assert causes(lines) == 1
    assert (await app.get("/ok")).status_code == 200


@pytest.mark.parametrize("name", ["runs", "store"])
async def test_every_lost_file_is_named(sqlite_url: str, tmp_path: Path, name: str) -> None:
    async with serving(sqlite_url, tmp_path) as api:
        unlink(tmp_path / f"{name}.db")
        health = await api.send("GET", HEALTH)
        assert (health.status_code, list(health.json()["services"])) == (503, [name])


async def test_locked_file_is_named(app: App, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "feedback.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        health = await app.get(HEALTH)
        assert (health.status_code, "feedback: the database does not respond: database is locked") == (
            503,
            health.json()["detail"],
        )
    assert (await app.get(HEALTH)).json() == {"ok": True, "services": {}}


async def test_corrupt_file_is_named(app: App, tmp_path: Path) -> None:
    file = tmp_path / "data" / "feedback.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as raw:
        raw.write(b"garbage! " * 8000)
    with capture_logs() as lines:
        health = await app.get(HEALTH)
    assert (health.status_code, list(health.json()["services"])) == (503, ["feedback"])
    assert "database_unavailable" in [line["event"] for line in lines]


async def test_reads_fail_as_well(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        await database.write(lambda c: c.execute("CREATE TABLE one (n INTEGER)"))
        unlink(Path(sqlite_url.removeprefix("sqlite:///")))
        for work in (database.read, database.write):
            with pytest.raises(Unavailable, match="was deleted or replaced"):
                await work(lambda c: c.all("SELECT * FROM one"))


async def test_missing_feedback_beside_runs_is_loud(tmp_path: Path) -> None:
    assert not warn_of_lost_feedback(tmp_path)
    config = Config(tmp_path, data_dir=tmp_path, allow_anyone=True)
    async with AsyncTestClient(build(config)):
        pass
    assert not warn_of_lost_feedback(tmp_path)
    with closing(sqlite3.connect(tmp_path / "runs.db")) as raw:
        columns = {row[1]: row[2] for row in raw.execute("PRAGMA table_info(runs)") if row[3] and row[4] is None}
        values = ["0" if "INT" in kind.upper() else "'{}'" for kind in columns.values()]
        raw.execute(f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join(values)})")
        raw.commit()
    assert not warn_of_lost_feedback(tmp_path)
    for empty in (None, b""):
        (tmp_path / "feedback.db").unlink(missing_ok=True)
        if empty is not None:
            (tmp_path / "feedback.db").write_bytes(empty)
        with capture_logs() as lines:
            assert warn_of_lost_feedback(tmp_path)
        assert [line["event"] for line in lines] == ["feedback_database_is_missing"]


def causes(lines: list[Any]) -> int:
    return len([line for line in lines if line["event"] == "database_unavailable"])


async def test_outage_is_logged_once_and_its_end(database: Database) -> None:
    outages = database._outages  # type: ignore[attr-defined]
    with capture_logs() as lines:
        for _ in range(3):
            outages.note(Unavailable("the disk is full"))
            outages.note(Unavailable("no connection"))
        await database.read(lambda c: c.one("SELECT 1 AS one"))
        await database.read(lambda c: c.one("SELECT 1 AS one"))
    assert [line["event"] for line in lines] == ["database_unavailable"] * 2 + ["database_answers_again"]
