"""The command line `agent-server feedback`: its tables, its JSON, and its use beside a running server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from litestar import Litestar

from agent_server.__main__ import main
from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.schema import FeedbackPatch
from tests.feedback.conftest import RUN, serving
from tests.feedback.stored_feedback import insert, row


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a data directory with some feedback; clear every environment variable that would change it."""
    for name in [name for name in os.environ if name.startswith(("AGENT_SERVER_", "DATABASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    about = {"assistant_id": "a", "run_id": RUN, "key": "user_score"}
    rows = [row(1, **about, assistant_version=1 + at % 2, subject=f"user {at}", comment=f"#{at}") for at in range(6)]

    async def fill(service: FeedbackPlugin) -> None:
        await insert(service, [*rows, row(None, key="words", comment="\x1b[31mred\n" + "long " * 50)])

    folder = tmp_path / "data"
    with_service(folder, fill)
    return folder


def with_service(folder: Path, work: Callable[[FeedbackPlugin], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        async with FeedbackPlugin(open_database(f"sqlite:///{folder / 'feedback.db'}")).open() as service:
            return await work(service)

    return asyncio.run(inside())


def run(data_dir: Path, *arguments: str, **more: Any) -> Result:
    result = CliRunner().invoke(main, ["feedback", "--data-dir", str(data_dir), *arguments], **more)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_list_is_a_table_for_people(data_dir: Path) -> None:
    lines = run(data_dir, "list").stdout.splitlines()
    assert lines[0].split() == ["time", "key", "score", "value", "who", "assistant", "run", "comment"]
    assert len(lines) == 8
    assert "\x1b" not in "".join(lines)


def test_list_is_json_for_programs(data_dir: Path) -> None:
    found = json.loads(run(data_dir, "list", "--key", "user_score", "--limit", "4", "--json").stdout)
    assert [len(found), {one["key"] for one in found}] == [4, {"user_score"}]
    assert json.loads(run(data_dir, "list", "--text", "#3", "--json").stdout)[0]["comment"] == "#3"


def test_history_shows_current_and_earlier_feedback(data_dir: Path) -> None:
    [feedback] = json.loads(run(data_dir, "list", "--text", "#3", "--json").stdout)

    async def change(service: FeedbackPlugin) -> None:
        for score in (2, 3):
            await service.default.store.update(feedback["id"], FeedbackPatch(score=score, correction={"a": score}))

    with_service(data_dir, change)
    lines = run(data_dir, "history", feedback["id"]).stdout.splitlines()
    assert ["stands" in lines[1], "updated" in lines[2], "updated" in lines[3], len(lines)] == [True, True, True, 4]
    found = json.loads(run(data_dir, "history", feedback["id"], "--json").stdout)
    assert (found["current"]["score"], [one["score"] for one in found["versions"]]) == (3, [2, 1])
    missing = run(data_dir, "history", RUN)
    assert (missing.exit_code, "never was" in missing.stderr) == (1, True)


def test_stats_count_and_compare(data_dir: Path) -> None:
    assert "user_score" in run(data_dir, "stats", "--by", "version").stdout
    [found] = json.loads(run(data_dir, "stats", "--key", "user_score", "--json").stdout)
    assert (found["count"], found["share"]) == (6, 1)
    compared = run(data_dir, "stats", "--key", "user_score", "--assistant", "a", "--compare", "1", "2")
    assert compared.stdout.splitlines()[-1].endswith("too few scores")


def test_export_writes_a_file_and_its_count(data_dir: Path, tmp_path: Path) -> None:
    result = run(data_dir, "export", "--format", "csv", "-o", str(tmp_path / "out.csv"))
    assert (result.stdout, result.stderr) == ("", "7 pieces of feedback written\n")
    assert (tmp_path / "out.csv").read_text().count("\n") >= 8
    lines = run(data_dir, "export").stdout.splitlines()
    assert len([json.loads(line) for line in lines]) == 7


def test_training_export_reports_runs_that_it_left_out(data_dir: Path) -> None:
    result = run(data_dir, "export", "--format", "kto")
    assert result.stdout == ""
    assert "0 pieces of feedback written\n6 left out: the run is not known any more" in result.stderr


def test_erase_confirms_and_reports_counts(data_dir: Path) -> None:
    refused = run(data_dir, "erase", "--subject", "user 1", input="n\n")
    assert refused.exit_code == 1
    assert len(json.loads(run(data_dir, "list", "--json").stdout)) == 7
    erased = run(data_dir, "erase", "--subject", "user 1", "--yes", "--json")
    assert json.loads(erased.stdout) == {"feedback": 1, "history": 0, "grants": 0, "examples": 0}
    assert json.loads(run(data_dir, "erase", "--run", RUN, "--yes", "--json").stdout)["feedback"] == 5


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["list", "--since", "soon"], "ISO 8601"),
        (["stats", "--compare", "1", "2"], "Name one `assistant`"),
        (["erase", "--yes"], "Name one of --subject"),
        (["erase", "--run", "a", "--thread", "b"], "Name one of --subject"),
        (["export", "--format", "xml"], "is not one of"),
        (["list", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_wrong_command_says_what_would_be_right(data_dir: Path, arguments: list[str], received: str) -> None:
    result = run(data_dir, *arguments)
    assert result.exit_code != 0
    assert received in result.stderr
    assert "Traceback" not in result.stderr


def test_directory_without_feedback_is_reported_not_created(data_dir: Path) -> None:
    result = run(data_dir / "nowhere", "list")
    assert "There is no data in" in result.stderr
    assert not (data_dir / "nowhere").exists()


def test_rotated_keys_keep_old_urls_valid(data_dir: Path) -> None:
    app = Litestar(plugins=[FeedbackPlugin(open_database(f"sqlite:///{data_dir / 'feedback.db'}"))])
    with serving(app) as address:

        def mint() -> str:
            body = {"run_id": RUN, "feedback_key": "k"}
            return str(httpx.post(f"{address}/feedback/tokens", json=body).raise_for_status().json()["url"])

        old = mint()
        assert json.loads(run(data_dir, "keys", "rotate", "--json").stdout) == {"number": 2}
        for url in (old, mint()):
            assert httpx.post(url, json={"score": 1}).status_code == 200
        listed = json.loads(run(data_dir, "keys", "list", "--json").stdout)
        assert [(key["number"], key["living_grants"]) for key in listed] == [(2, 1), (1, 1)]
        assert "seals new URLs" in run(data_dir, "keys", "list").stdout.splitlines()[1]
        assert len(json.loads(run(data_dir, "list", "--key", "k", "--json").stdout)) == 2


def test_projects_are_made_changed_listed_and_removed(data_dir: Path) -> None:
    created = run(data_dir, "projects", "create", "shop", "--origin", "https://shop.example", "--json")
    assert [(one["origins"], one["rate"]) for one in json.loads(created.stdout)] == [(["https://shop.example"], None)]
    run(data_dir, "projects", "update", "shop", "--any-origin", "--rate", "300/60")
    lines = run(data_dir, "projects", "list").stdout.splitlines()
    assert lines[0].split() == ["name", "id", "made", "rate", "origins", "product"]
    assert [line.split()[0::3] for line in lines[1:]] == [["default", "off"], ["shop", "300/60"]]
    assert "Remove the project shop" in run(data_dir, "projects", "delete", "shop", input="n\n").stderr
    assert "is removed" in run(data_dir, "projects", "delete", "shop", "--yes").stderr
    gone = run(data_dir, "projects", "delete", "shop", "--yes")
    assert (gone.exit_code, "There is no project 'shop'" in gone.stderr) == (1, True)
    (data_dir / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    look = ("--product", "Kiosk", "--color", "#fe0", "--logo", str(data_dir / "logo.svg"), "--quote", "--json")
    made = json.loads(run(data_dir, "projects", "create", "kiosk", *look).stdout)
    assert made[0]["pages"] == {"product": "Kiosk", "color": "#ffee00", "quote": True, "logo": "own"}
    reset = run(data_dir, "projects", "update", "kiosk", "--server-pages", "--product", "Stand", "--json")
    pages = {"product": "Stand", "color": None, "quote": None, "logo": "server"}
    assert json.loads(reset.stdout)[0]["pages"] == pages
    wrong = run(data_dir, "projects", "update", "kiosk", "--logo", str(data_dir / "none.png"))
    assert (wrong.exit_code, "cannot be read" in wrong.stderr) == (2, True)
    refused = run(data_dir, "projects", "create", "My Shop")
    assert (refused.exit_code, "lower-case letters" in refused.stderr) == (1, True)


def test_every_command_uses_the_named_project(data_dir: Path) -> None:
    run(data_dir, "projects", "create", "shop")
    feedback = row(0, key="taste", subject="ada", project="shop", comment="of the shop")
    with_service(data_dir, lambda service: insert(service, [feedback]))
    shop = ("--project", "shop")
    assert [one["comment"] for one in json.loads(run(data_dir, "list", *shop, "--json").stdout)] == ["of the shop"]
    assert len(json.loads(run(data_dir, "list", "--json").stdout)) == 7
    assert [one["key"] for one in json.loads(run(data_dir, "stats", *shop, "--json").stdout)] == ["taste"]
    assert len(run(data_dir, "export", *shop).stdout.splitlines()) == 1
    assert json.loads(run(data_dir, "history", *shop, feedback["id"], "--json").stdout)["current"]["project"] == "shop"
    assert run(data_dir, "history", feedback["id"]).exit_code == 1
    assert json.loads(run(data_dir, "erase", "--subject", "ada", "--yes", "--json").stdout)["feedback"] == 0
    assert json.loads(run(data_dir, "erase", *shop, "--subject", "ada", "--yes", "--json").stdout)["feedback"] == 1
    assert run(data_dir, "list", "--project", "nobody").exit_code == 1
