"""CORS in the application with both packages: real preflights and the requests after them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.composition import build
from agent_server.config import Config, CorsRules, Http

App = AsyncTestClient[Litestar]
GOOD, OTHER = "https://app.example", "https://other.example"
THREAD = "/threads/0e5a0bbf-fe96-4d89-bf1b-18c5ae6dffe6"
RUN_ROUTES = ["/threads", "/runs/stream", "/assistants/search", f"{THREAD}/runs/wait"]
ADMINISTRATION = ["/feedback", "/feedback/tokens", "/feedback/09083437-01ae-4f83-9464-fdf0c66c0254"]
PREFIXES = ["", "/api", "/api/v1"]
ALLOWED = "access-control-allow-origin"


@pytest.fixture(params=[(GOOD,), ("*",)], ids=["restricted", "open"])
async def app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[App]:
    """Open the agent server with feedback beside it; pages of one origin, or of all, may call its run routes."""
    config = Config(tmp_path, data_dir=tmp_path, cors_origins=request.param, allow_anyone=True)
    async with AsyncTestClient(build(config), raise_server_exceptions=False) as client:
        client.headers["x-open"] = str("*" in request.param)
        yield client


async def preflight(app: App, path: str, origin: str, method: str = "POST") -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return await app.options(path, headers={**headers, "Access-Control-Request-Headers": "content-type,x-api-key"})


async def mint(app: App) -> str:
    body = {"run_id": str(uuid.uuid4()), "feedback_key": "k"}
    return "/feedback/tokens/" + str((await app.post("/feedback/tokens", json=body)).json()["id"])


def is_open(app: App) -> bool:
    return app.headers["x-open"] == "True"


async def test_run_routes_are_open_to_the_configured_origins(app: App, subtests: pytest.Subtests) -> None:
    for path in RUN_ROUTES:
        with subtests.test(path=path):
            allowed = await preflight(app, path, GOOD)
            assert allowed.status_code == 204
            assert allowed.headers[ALLOWED] == ("*" if is_open(app) else GOOD)
            assert allowed.headers["access-control-allow-headers"] == "content-type,x-api-key"
            assert "POST" in allowed.headers["access-control-allow-methods"]
            for body in ({}, {"metadata": 5}):
                response = await app.post(path, json=body, headers={"Origin": GOOD})
                assert response.headers[ALLOWED] == ("*" if is_open(app) else GOOD), response.status_code
                assert "x-pagination-total" in response.headers["access-control-expose-headers"]


async def test_run_routes_refuse_unlisted_origins(app: App, subtests: pytest.Subtests) -> None:
    for path in RUN_ROUTES:
        with subtests.test(path=path):
            allowed = await preflight(app, path, OTHER)
            response = await app.post(path, json={}, headers={"Origin": OTHER})
            if is_open(app):
                assert (allowed.status_code, allowed.headers[ALLOWED], response.headers[ALLOWED]) == (204, "*", "*")
            else:
                assert allowed.status_code == 400
                assert ALLOWED not in allowed.headers
                assert ALLOWED not in response.headers
                assert "origin" in response.headers["vary"].lower()


async def test_presigned_urls_are_open_to_every_origin(app: App, subtests: pytest.Subtests) -> None:
    for prefix in PREFIXES:
        with subtests.test(prefix=prefix):
            url = prefix + await mint(app)
            for origin in (GOOD, OTHER, "null"):
                for method in ("POST", "GET"):
                    allowed = await preflight(app, url, origin, method)
                    assert (allowed.status_code, allowed.headers[ALLOWED]) == (204, "*")
                    assert method in allowed.headers["access-control-allow-methods"]
                for body, status in (({"score": 1}, 200), ({"score": "x"}, 422)):
                    response = await app.post(url, json=body, headers={"Origin": origin})
                    assert (response.status_code, response.headers.get_list(ALLOWED)) == (status, ["*"])
                    assert "access-control-allow-credentials" not in response.headers


async def test_administration_of_feedback_is_closed_to_every_origin(app: App, subtests: pytest.Subtests) -> None:
    for prefix in PREFIXES:
        for path in ADMINISTRATION:
            with subtests.test(prefix=prefix, path=path):
                for origin in (GOOD, OTHER):
                    assert ALLOWED not in (await preflight(app, prefix + path, origin)).headers
                    for method in ("GET", "POST", "DELETE"):
                        response = await app.request(method, prefix + path, headers={"Origin": origin})
                        assert ALLOWED not in response.headers


async def test_programs_without_an_origin_see_nothing_of_it(app: App) -> None:
    response = await app.post("/threads", json={})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[App]:
    """Open a server with every setting that CORS has."""
    rules = CorsRules(
        origin_pattern=r"https://.*\.team\.example",
        methods=("get", "POST"),
        headers=("X-Mine",),
        exposed=("X-Mine-Too",),
        credentials=True,
        max_age=60,
    )
    config = Config(tmp_path, data_dir=tmp_path, cors_origins=(GOOD,), http=Http(cors=rules), allow_anyone=True)
    async with AsyncTestClient(build(config), raise_server_exceptions=False) as client:
        yield client


def preflight_headers(origin: str, method: str = "POST", headers: str = "x-mine, Content-Type") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


@pytest.mark.parametrize("origin", [GOOD, "https://a.team.example"])
async def test_every_cors_setting_takes_effect(strict: App, origin: str) -> None:
    allowed = await strict.options("/threads", headers=preflight_headers(origin))
    assert allowed.status_code == 204
    assert allowed.headers[ALLOWED] == origin
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert allowed.headers["access-control-allow-methods"] == "GET, POST"
    assert allowed.headers["access-control-max-age"] == "60"
    response = await strict.get("/info", headers={"Origin": origin})
    assert (response.headers[ALLOWED], response.headers["access-control-allow-credentials"]) == (origin, "true")
    assert response.headers["access-control-expose-headers"].endswith("x-feedback-token, x-mine-too")
    assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (preflight_headers("https://a.team.example.evil.example"), "pages of this origin"),
        (preflight_headers("https://other.example"), "pages of this origin"),
        (preflight_headers(GOOD, method="DELETE"), "with GET, POST only"),
        (preflight_headers(GOOD, headers="x-mine, x-other"), "may not send the header x-other"),
    ],
)
async def test_cors_refusal_explains_the_missing_rule(strict: App, headers: dict[str, str], message: str) -> None:
    allowed = await strict.options("/threads", headers=headers)
    assert (allowed.status_code, message in allowed.text) == (400, True)
    assert "access-control-allow-methods" not in allowed.headers


async def test_credentials_need_a_named_origin(tmp_path: Path) -> None:
    rules = Http(cors=CorsRules(credentials=True))
    config = Config(tmp_path, data_dir=tmp_path, cors_origins=("*",), http=rules, allow_anyone=True)
    async with AsyncTestClient(build(config)) as app:
        response = await app.get("/info", headers={"Origin": OTHER})
    assert (response.headers[ALLOWED], response.headers["vary"]) == (OTHER, "Origin")
