"""The static files below `/feedback/`: open to every origin and without an API key, the same in every application."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config
from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.routes.assets import ASSETS, is_same

App = AsyncTestClient[Litestar]


def app_with_key(folder: Path) -> Litestar:
    return Litestar(plugins=[FeedbackPlugin(open_database(f"sqlite:///{folder / 'feedback.db'}"), api_keys=["secret"])])


def app_of_agent_server(folder: Path) -> Litestar:
    return build(Config(folder, data_dir=folder, cors_origins=("https://only.example",)))


@pytest.mark.parametrize("make", [app_with_key, app_of_agent_server])
async def test_modules_load_from_every_origin_without_a_key(make: object, tmp_path: Path) -> None:
    async with AsyncTestClient(make(tmp_path)) as client:  # type: ignore[operator]
        for name in ASSETS:
            response = await client.get(f"/feedback/{name}", headers={"Origin": "https://other.example"})
            assert response.status_code == 200
            assert response.content == (files("feedback") / "web" / name).read_bytes()
            assert response.headers["access-control-allow-origin"] == "*"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["content-type"].startswith(
                "text/javascript" if name.endswith(".js") else "text/plain"
            )


async def test_cached_version_is_not_sent_again(client: App) -> None:
    first = await client.get("/feedback/feedback-client.js")
    assert first.headers["cache-control"] == "no-cache"
    for tag in (first.headers["etag"], f'"old", W/{first.headers["etag"]}', "*"):
        again = await client.get("/feedback/feedback-client.js", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = await client.get("/feedback/feedback-client.js", headers={"If-None-Match": '"old"'})
    assert other.status_code == 200


async def test_head_has_the_length_and_no_body(client: App) -> None:
    full = await client.get("/feedback/feedback-client.js")
    head = await client.head("/feedback/feedback-client.js")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(full.content))


async def test_nothing_but_the_named_files_is_served(client: App) -> None:
    for name in ("page.html", "page.css", "..%2fplugin.py", "feedback-client.js%00", "FEEDBACK-CLIENT.JS"):
        assert (await client.get(f"/feedback/{name}")).status_code in (404, 422), name


async def test_feedback_by_id_is_readable_beside_assets(client: App) -> None:
    feedback = (await client.post("/feedback", json={"key": "k", "score": 1})).json()
    for prefix in ("", "/api", "/api/v1"):
        assert (await client.get(f"{prefix}/feedback/{feedback['id']}")).json()["score"] == 1


def test_missing_header_names_no_version() -> None:
    assert not is_same('"a"', None)
