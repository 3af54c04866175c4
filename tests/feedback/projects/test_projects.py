"""Projects: created, named by requests and API keys, with their own rules; data from before projects existed."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from langsmith import Client
from langsmith.utils import LangSmithError, LangSmithNotFoundError
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import Database, open_database
from feedback import FeedbackPlugin
from feedback.errors import Conflict, Invalid, TokenRevoked, TokenUnknown
from feedback.integrations.workflowai import OutcomeCreate
from feedback.projects.projects import TENANT, Projects, project_id
from feedback.projects.schema import ProjectCreate, ProjectPatch
from feedback.projects.scoped_database import ProjectDatabase
from feedback.reports.alert_rules import AlertRule
from feedback.reports.alerts import Alerts
from feedback.reports.query import FeedbackQuery
from feedback.schema import FeedbackCreate, FeedbackSubmission
from feedback.tokens.sealed import SealedTokens
from tests.feedback.conftest import RUN, serving
from tests.feedback.delivery.test_webhooks import SECRET
from tests.feedback.stored_feedback import insert, row

App = AsyncTestClient[Litestar]
FEEDBACK = "/api/v1/feedback"
SHOP, OTHER = "https://shop.example", "https://other.example"
ALLOWED = "access-control-allow-origin"


async def make(app: httpx.AsyncClient, name: str = "shop", **more: object) -> dict[str, Any]:
    response = await app.post(f"{FEEDBACK}/projects", json={"name": name, **more})
    assert response.status_code == 200, response.text
    created: dict[str, Any] = response.json()
    return created


async def mint(app: httpx.AsyncClient, project: str | None = None, key: str = "thumbs") -> str:
    named = {"project": project} if project else {}
    response = await app.post("/feedback/tokens", json={"run_id": RUN, "feedback_key": key}, params=named)
    assert response.status_code == 200, response.text
    return "/feedback/tokens/" + str(response.json()["id"])


async def comments(app: httpx.AsyncClient, **named: Any) -> list[str]:
    response = await app.get("/feedback", **named)
    assert response.status_code == 200, response.text
    return [one["comment"] for one in response.json()]


async def test_project_is_made_listed_changed_and_removed(client: App) -> None:
    created = await make(client, origins=["https://Shop.example"], rate="300/60")
    assert created == {
        "name": "shop", "id": project_id("shop"), "origins": [SHOP], "rate": "300/60",
        "created_at": created["created_at"],
        "pages": {"product": None, "color": None, "quote": None, "logo": "server"},
    }  # fmt: skip
    assert uuid.UUID(created["id"]).version == 5
    listed = (await client.get(f"{FEEDBACK}/projects")).json()
    assert [(one["name"], one["id"]) for one in listed] == [("default", TENANT), ("shop", created["id"])]
    changed = (await client.patch(f"{FEEDBACK}/projects/shop", json={"rate": None})).json()
    assert (changed["origins"], changed["rate"]) == ([SHOP], None)
    assert (await client.delete(f"{FEEDBACK}/projects/shop")).status_code == 204
    assert len((await client.get(f"{FEEDBACK}/projects")).json()) == 1


WRONG_PROJECTS: list[tuple[dict[str, Any], int, str]] = [
    ({"name": "Shop"}, 422, "lower-case letters"),
    ({"name": "-shop"}, 422, "lower-case letters"),
    ({"name": "x" * 64}, 422, "lower-case letters"),
    ({"name": "0" * 32}, 422, "lower-case letters"),
    ({"name": "default"}, 409, "already"),
    ({"name": "shop", "origins": ["https://shop.example/page"]}, 422, "without a path"),
    ({"name": "shop", "origins": ["*"]}, 422, "without a path"),
    ({"name": "shop", "rate": "many"}, 422, "such as 300/60"),
    ({"name": "shop", "rate": "0/60"}, 422, "such as 300/60"),
    ({"name": "shop", "pages": {"color": "green"}}, 422, "`pages.color` is 'green'"),
    ({"name": "shop", "pages": {"logo": "https://shop.example/logo.png"}}, 422, "as a `data:` URL"),
    ({"name": "shop", "pages": {"logo": "data:text/html;base64,PGI+"}}, 422, "as a `data:` URL"),
    ({"name": "shop", "pages": {"logo": "data:image/png;base64,no base64"}}, 422, "not base64"),
    ({"name": "shop", "pages": {"logo": "data:image/png;base64," + "A" * 200_000}}, 422, "at most"),
    ({"name": "shop", "pages": {"product": "x" * 201}}, 413, "201 bytes"),
]


async def test_wrong_project_is_refused_in_words(client: App, subtests: pytest.Subtests) -> None:
    for body, status, message in WRONG_PROJECTS:
        with subtests.test(body=body, status=status, message=message):
            response = await client.post(f"{FEEDBACK}/projects", json=body)
            assert (response.status_code, message in response.json()["detail"]) == (status, True), response.text


async def test_unknown_project_is_404_and_default_stays(client: App) -> None:
    assert (await client.patch(f"{FEEDBACK}/projects/nobody", json={})).status_code == 404
    assert (await client.delete(f"{FEEDBACK}/projects/nobody")).status_code == 404
    refusal = await client.delete(f"{FEEDBACK}/projects/default", params={"erase": True})
    assert (refusal.status_code, "it stays" in refusal.text) == (409, True)


async def test_project_with_feedback_is_deleted_only_with_it(client: App) -> None:
    await make(client)
    url = await mint(client, "shop")
    assert (await client.post(url, json={"score": 1})).status_code == 200
    refused = await client.delete(f"{FEEDBACK}/projects/shop")
    reason = "holds 1 pieces of feedback, 0 earlier versions and 1 grants"
    assert (refused.status_code, reason in refused.text) == (409, True)
    assert (await client.delete(f"{FEEDBACK}/projects/shop", params={"erase": True})).status_code == 204
    assert (await client.post(url, json={"score": 1})).status_code == 410
    await make(client)
    assert await comments(client, params={"project": "shop"}) == []


async def test_sealed_tokens_of_a_removed_project_are_refused(service: FeedbackPlugin) -> None:
    await service.projects.create(ProjectCreate("shop"))
    old, others = service.get_run_urls("shop").token_for_run(RUN), service.token_for_run(RUN)
    await service.projects.delete("shop", service.get_services("shop").erasure)
    await service.projects.create(ProjectCreate("shop"))
    with pytest.raises(TokenRevoked):
        await service.default.workflowai_feedback.submit(OutcomeCreate(old, "positive"))
    for good in (others, service.get_run_urls("shop").token_for_run(RUN)):
        assert await service.default.workflowai_feedback.submit(OutcomeCreate(good, "positive"))


async def test_request_names_its_project_by_name_or_id(client: App) -> None:
    shop = await make(client)
    for at, named in enumerate(
        [
            {"params": {"project": "shop"}}, {"params": {"project": shop["id"]}}, {"headers": {"X-Tenant-Id": "shop"}},
            {"headers": {"X-Tenant-Id": shop["id"].upper()}},
        ]
    ):  # fmt: skip
        body = {"key": "k", "score": 1, "run_id": RUN, "comment": str(at)}
        created = await client.post("/feedback", json=body, **named)  # type: ignore[arg-type]
        assert created.json()["project"] == "shop"
        assert len(await comments(client, **named)) == at + 1
    for own in ({}, {"params": {"project": "default"}}, {"headers": {"X-Tenant-Id": TENANT}}):
        assert await comments(client, **own) == []
    contradiction = await client.get("/feedback", params={"project": "default"}, headers={"X-Tenant-Id": "shop"})
    assert contradiction.status_code == 404


async def test_other_services_tenants_mean_default_without_projects(client: App) -> None:
    other = {"X-Tenant-Id": str(uuid.uuid4())}
    assert (await client.get("/feedback", headers=other)).status_code == 200
    assert (await client.get("/v1/acme/agents/_/feedback")).status_code == 200
    assert (await client.get("/feedback", params={"project": "shpo"})).status_code == 404
    await make(client)
    for response in (await client.get("/feedback", headers=other), await client.get("/v1/acme/agents/_/feedback")):
        assert (response.status_code, "There is no project" in response.text) == (404, True)
    assert (await client.get("/v1/shop/agents/_/feedback")).json() == {"items": [], "count": 0}


async def test_same_run_key_and_person_stay_apart(client: App) -> None:
    await make(client)
    urls = {name: await mint(client, name) for name in ("default", "shop")}
    for name, url in urls.items():
        submission = {"score": 1, "user_id": "ada", "comment": name}
        assert (await client.post(url, json=submission, headers={"Idempotency-Key": "1"})).json()["status"] == "created"
        created = {"key": "thumbs", "score": 0, "run_id": RUN, "comment": f"{name} too"}
        again = [
            (await client.post("/feedback", json=created, params={"project": name}, headers={"Idempotency-Key": "2"}))
            for _ in range(2)
        ]
        assert again[0].json()["id"] == again[1].json()["id"]
    for name in urls:
        here = {"params": {"project": name}}
        assert sorted(await comments(client, **here)) == [name, f"{name} too"]
        [counted] = (await client.get(f"{FEEDBACK}/statistics", **here)).json()
        assert (counted["count"], counted["positives"]) == (2, 1)
        assert len((await client.get("/feedback/tokens", params={"run_id": RUN, "project": name})).json()) == 1


async def test_id_of_another_projects_feedback_conflicts(client: App) -> None:
    await make(client)
    name = str(uuid.uuid4())
    assert (await client.post("/feedback", json={"key": "k", "id": name, "score": 1})).status_code == 200
    refused = await client.post("/feedback", json={"key": "k", "id": name, "score": 0}, params={"project": "shop"})
    assert (refused.status_code, "the id of other feedback" in refused.text) == (409, True)
    assert (await client.get(f"/feedback/{name}")).json()["score"] == 1


async def test_configurations_are_each_projects_own(client: App) -> None:
    shop = {"params": {"project": "shop"}}
    await make(client)
    config = {"feedback_key": "stars", "feedback_config": {"type": "continuous", "min": 1, "max": 5}}
    created = (await client.post("/feedback-configs", json=config, **shop)).json()
    assert created["tenant_id"] == project_id("shop")
    assert (await client.get("/feedback-configs")).json() == []
    lower = {"feedback_key": "stars", "is_lower_score_better": True}
    assert (await client.patch("/feedback-configs", json=lower, **shop)).status_code == 200
    for project, status in (("shop", 422), ("default", 200)):
        assert (await client.post(await mint(client, project, "stars"), json={"score": 9})).status_code == status
    [counted] = (await client.get(f"{FEEDBACK}/statistics")).json()
    assert not counted["is_lower_score_better"]


async def test_retention_is_each_projects_own(service: FeedbackPlugin) -> None:
    await service.projects.create(ProjectCreate("shop"))
    await insert(service, [row(1), row(1, project="shop"), row(1, project="shop", key="kept")])
    await service.get_services("shop").erasure.keep_for("thumbs", 1)
    assert (await service.default.erasure.rules(), await service.get_services("shop").erasure.rules()) == (
        {},
        {"thumbs": 1},
    )
    for one in (service.default.erasure, service.get_services("shop").erasure):
        await one.sweep()
    left = {name: await service.get_services(name).reader.count(FeedbackQuery()) for name in ("default", "shop")}
    assert left == {"default": 1, "shop": 1}


async def test_alert_looks_at_each_project_apart(service: FeedbackPlugin) -> None:
    await service.projects.create(ProjectCreate("shop"))
    at = {"at": (await _now(service))}
    await insert(service, [row(1, **at) for _ in range(30)] + [row(0, project="shop", **at) for _ in range(30)])
    alerts = Alerts(service.database, service.get_statistics_by_project, [AlertRule("thumbs", 0.5)])
    [fired] = await alerts.look()
    assert (fired.id, fired.finding.project) == ("thumbs below 0.5 in 24h of 20 / project shop", "shop")
    await service.get_services("shop").erasure.erase_all()
    [over] = await alerts.look()
    assert (over.id, over.firing) == (fired.id, False)


async def _now(service: FeedbackPlugin) -> Any:
    from datetime import UTC, datetime

    assert service
    return datetime.now(UTC)


async def test_webhooks_name_the_project(database_url: str) -> None:
    from feedback import Webhook

    hook = Webhook("http://127.0.0.1:9/hook", SECRET)
    async with FeedbackPlugin(open_database(database_url), webhooks=[hook]).open() as service:
        await service.webhooks.register()
        await service.projects.create(ProjectCreate("shop"))
        await service.get_services("shop").store.create(FeedbackCreate("k", score=1))
        [received] = await service.database.read(lambda db: db.all("SELECT payload FROM feedback_outbox"))
    assert json.loads(received["payload"])["data"]["project"] == "shop"


async def test_tokens_of_another_project_cannot_be_taken_back(service: FeedbackPlugin) -> None:
    await service.projects.create(ProjectCreate("shop"))
    url = (await service.get_run_urls("shop").urls_for_run(RUN, ["k"], "http://here"))["k"].rpartition("/")[2]
    sealed = service.get_run_urls("shop").token_for_run(RUN)
    for token in (url, sealed):
        with pytest.raises(TokenUnknown):
            await service.default.revocation.revoke_token(token)
    assert (await service.default.revocation.revoke_run(RUN)).revoked == 0
    assert (await service.default.revocation.revoke_ring_key(1)).revoked == 0
    await service.default.erasure.erase_run(RUN)
    assert await service.default.store.submit(await service.default.tokens.open(url), FeedbackSubmission(1))
    assert await service.default.workflowai_feedback.submit(OutcomeCreate(sealed, "positive"))
    assert (await service.get_services("shop").revocation.revoke_run(RUN)).revoked == 1
    with pytest.raises(TokenRevoked):
        await service.default.store.submit(await service.default.tokens.open(url), FeedbackSubmission(1))


async def test_statement_that_forgets_the_project_is_refused(database: Database) -> None:
    mine = ProjectDatabase(database, "shop")
    with pytest.raises(LookupError, match="lacks `:project`"):
        await mine.read(lambda db: db.all("SELECT 1 AS x"))
    assert await mine.read(lambda db: db.one("SELECT CAST(:project AS TEXT) AS x")) == {"x": "shop"}


async def test_sealed_tokens_of_default_stay_unchanged(service: FeedbackPlugin) -> None:
    tokens = SealedTokens(service.ring, "workflowai")
    body = tokens.draft("default", RUN, "outcome", timedelta(hours=1))
    plain, of_shop = tokens.seal(body), tokens.seal(tokens.draft("shop", RUN, "outcome", timedelta(hours=1)))
    assert (
        len(base64.urlsafe_b64decode(of_shop + "==")) - len(base64.urlsafe_b64decode(plain + "==")) == len("shop") + 1
    )
    assert ((await tokens.open(plain)).body, (await tokens.open(of_shop)).body.project) == (body, "shop")


async def test_default_owns_data_older_than_projects(database: Database, package: Any, tmp_path: Path) -> None:
    old = package({})
    for name in ("sqlite", "postgres", "common"):
        folder = tmp_path / old / "migrations" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in (files("feedback") / "migrations" / name).iterdir():
            if file.name < "0007":
                shutil.copy(str(file), folder / file.name)
    await database.migrate(old)
    columns = "id, run_id, key, source, score, number, created_at, modified_at"
    await database.write(
        lambda db: (
            [
                db.execute(
                    f"INSERT INTO feedback ({columns}) VALUES (:id, 'r', 'k', 'api', '1', 1, 5, 5)",
                    id=str(uuid.uuid4()),
                )
                for _ in range(3)
            ]
            + [
                db.execute("INSERT INTO feedback_retention (key, days) VALUES ('k', 9)"),
                db.execute("UPDATE schema_migrations SET package = 'feedback'"),
            ]
        )
    )
    service = FeedbackPlugin(database)
    await database.migrate("feedback")
    [counted] = await service.default.statistics.groups(FeedbackQuery())
    assert (counted.count, await service.default.erasure.rules()) == (3, {"k": 9})
    assert {one.project for one in (await service.default.reader.page(FeedbackQuery())).feedback} == {"default"}
    assert [one.name for one in await service.projects.list_projects()] == ["default"]
    assert (await service.default.erasure.erase_run("r")).feedback == 3
    assert await service.default.statistics.groups(FeedbackQuery()) == []


async def test_projects_are_known_to_other_processes_within_seconds(database: Database) -> None:
    now = 0.0
    await database.migrate("feedback")
    one, other = Projects(database), Projects(database, clock=lambda: now)
    assert len((await other.get_known()).rules) == 1
    await one.create(ProjectCreate("shop", [SHOP]))
    assert not (await other.get_known()).have_origins
    now = 2.0
    assert (await other.get_known()).have_origins
    with pytest.raises(Invalid):
        await one.update("shop", ProjectPatch(origins=[SHOP] * 101))
    with pytest.raises(Conflict):
        await one.create(ProjectCreate("shop"))


async def test_new_project_is_known_at_once(database: Database) -> None:
    await database.migrate("feedback")
    has_read, go_on = asyncio.Event(), asyncio.Event()

    class Late(Projects):
        async def list_projects(self) -> Any:
            found = await super().list_projects()
            has_read.set()
            await go_on.wait()
            return found

    projects = Late(database)
    reader = asyncio.create_task(projects.get_known())
    await has_read.wait()
    await projects.create(ProjectCreate("shop"))
    go_on.set()
    assert await projects.choose_project(None, "shop", None) == "shop"
    assert "shop" in (await reader).rules


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (FeedbackQuery(run=["r"]), "feedback_run"),
        (FeedbackQuery(thread=["t"]), "feedback_thread"),
        (FeedbackQuery(subject=["s"]), "feedback_subject_time"),
        (FeedbackQuery(assistant=["a"]), "feedback_place"),
        (FeedbackQuery(), "feedback_created"),
    ],
)
async def test_sqlite_reads_only_the_requested_rows(sqlite_url: str, query: FeedbackQuery, index: str) -> None:
    where, parameters = query.sql()
    sql = f"EXPLAIN QUERY PLAN SELECT * FROM feedback WHERE {where} ORDER BY created_at DESC, id DESC LIMIT 100"
    async with FeedbackPlugin(open_database(sqlite_url)).open() as service:
        for units in (service.database.read, service.database.write):
            plan = await units(lambda db: db.all(sql, project="default", **parameters))
            assert f"INDEX {index} " in plan[0]["detail"]


# Keys of projects


@pytest.fixture
async def keyed(database_url: str) -> AsyncIterator[App]:
    """Open a service with the project `shop` and API keys of `shop`, of a missing project and of the operator."""
    plugin = FeedbackPlugin(open_database(database_url), api_keys={"operator": None, "clerk": "shop", "lost": "gone"})
    app = Litestar(plugins=[plugin])
    async with AsyncTestClient(app, base_url="http://feedback.test", raise_server_exceptions=False) as client:
        client.headers["x-api-key"] = "operator"
        await make(client)
        yield client


async def test_bound_key_works_without_naming_its_project(keyed: App) -> None:
    clerk = {"headers": {"x-api-key": "clerk"}}
    created = await keyed.post("/feedback", json={"key": "k", "comment": "mine"}, **clerk)  # type: ignore[arg-type]
    assert created.json()["project"] == "shop"
    assert (await comments(keyed, **clerk), await comments(keyed)) == (["mine"], [])
    assert await comments(keyed, params={"project": "shop"}) == ["mine"]
    assert await comments(keyed, headers={"x-api-key": "clerk", "x-tenant-id": project_id("shop")}) == ["mine"]
    assert [one["name"] for one in (await keyed.get(f"{FEEDBACK}/projects", **clerk)).json()] == ["shop"]  # type: ignore[arg-type]


async def test_key_of_an_unknown_project_is_refused(keyed: App) -> None:
    refused = await keyed.get("/feedback", headers={"x-api-key": "lost"})
    assert (refused.status_code, "'gone', which there is not" in refused.text) == (403, True)


def test_langsmiths_client_works_in_its_workspace(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"operator": None, "clerk": "shop"}
    with serving(Litestar(plugins=[FeedbackPlugin(open_database(database_url), api_keys=keys)])) as url:
        post = {"headers": {"x-api-key": "operator"}, "timeout": 20}
        assert httpx.post(f"{url}{FEEDBACK}/projects", json={"name": "shop"}, **post).status_code == 200  # type: ignore[arg-type]
        shop, here = project_id("shop"), Client(api_url=url, api_key="operator", auto_batch_tracing=False)
        there = Client(api_url=url, api_key="operator", workspace_id=shop, auto_batch_tracing=False)
        monkeypatch.setenv("LANGSMITH_WORKSPACE_ID", shop)
        clerk = Client(api_url=url, api_key="clerk", auto_batch_tracing=False)
        token = there.create_presigned_feedback_token(RUN, "user_score")
        here.create_feedback_from_token(token.url, score=1, comment="in the shop")
        created = clerk.create_feedback(RUN, "k", score=1, session_id=uuid.uuid4())
        assert {one.comment for one in there.list_feedback(run_ids=[RUN])} == {"in the shop", None}
        assert [one.id for one in clerk.list_presigned_feedback_tokens(RUN)] == [token.id]
        assert list(here.list_feedback(run_ids=[RUN])) == list(here.list_presigned_feedback_tokens(RUN)) == []
        with pytest.raises(LangSmithNotFoundError):
            here.read_feedback(created.id)
        config = clerk.create_feedback_config("stars", feedback_config={"type": "freeform"})
        assert str(config.tenant_id) == shop
        elsewhere = Client(api_url=url, api_key="clerk", workspace_id=str(uuid.uuid4()), auto_batch_tracing=False)
        with pytest.raises(LangSmithError, match="403"):
            elsewhere.create_presigned_feedback_token(RUN, "k")


# A project's rules


async def request(app: App, url: str, origin: str | None, method: str = "POST", **more: Any) -> httpx.Response:
    headers = {**({"Origin": origin} if origin else {}), **more.pop("headers", {})}
    return await app.request(
        method, url, headers=headers, **({"json": {"score": 1}} if method == "POST" else {}), **more
    )


async def test_only_listed_origins_may_submit(client: App) -> None:
    await make(client, origins=[SHOP])
    url = await mint(client, "shop")
    assert (await request(client, url, SHOP)).headers[ALLOWED] == SHOP
    for method in ("GET", "POST", "DELETE"):
        refused = await request(client, url, OTHER, method)
        assert (refused.status_code, ALLOWED in refused.headers, OTHER in refused.text) == (403, False, True)
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflights = [await request(client, url, origin, "OPTIONS", headers=headers) for origin in (SHOP, OTHER)]
    assert [one.headers.get(ALLOWED) for one in preflights] == [SHOP, None]
    assert all("origin" in one.headers["vary"].lower() for one in preflights)
    assert (await request(client, await mint(client), OTHER)).headers[ALLOWED] == "*"
    assert len((await client.get("/feedback", params={"project": "shop"})).json()) == 1


async def test_links_programs_and_own_pages_pass_origin_rules(client: App) -> None:
    await make(client, origins=[SHOP])
    url = await mint(client, "shop")
    assert (await request(client, url, None)).status_code == 200
    page = {
        "accept": "text/html",
        "user-agent": "Mozilla/5.0 Firefox/130.0",
        "content-type": "application/x-www-form-urlencoded",
    }
    followed = {**page, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert (await client.get(f"{url}?score=1", headers=followed)).status_code == 200
    for own in (
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"origin": "null"},
        {"origin": "http://feedback.test"},
    ):
        assert (await client.post(url, content=b"score=1", headers=page | own)).status_code == 200
    image = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "no-cors",
        "accept": "image/*",
        "user-agent": "Mozilla/5.0",
    }
    assert (await client.get(f"{url}?score=1", headers=image)).status_code == 403
    framed = {**page, "origin": "null", "sec-fetch-site": "cross-site"}
    assert (await client.post(url, content=b"score=1", headers=framed)).status_code == 403


async def test_sealed_tokens_follow_their_projects_origins(database_url: str) -> None:
    plugin = FeedbackPlugin(open_database(database_url))
    app = Litestar(plugins=[plugin])
    async with AsyncTestClient(app, base_url="http://feedback.test", raise_server_exceptions=False) as client:
        await make(client, origins=[SHOP])
        token = plugin.get_run_urls("shop").token_for_run(RUN)
        for origin, status, allowed in ((SHOP, 200, SHOP), (OTHER, 403, None)):
            sent = {"feedback_token": token, "outcome": "positive"}
            responses = [
                await client.post("/v1/feedback", json=sent, headers={"Origin": origin}),
                await client.get("/v1/feedback", params={"feedback_token": token}, headers={"Origin": origin}),
            ]
            assert [(one.status_code, one.headers.get(ALLOWED)) for one in responses] == [(status, allowed)] * 2
        resource = {"resource_type": "trace", "resource_id": RUN}
        key = {"Authorization": "Bearer any"}
        minted = await client.post(f"{FEEDBACK}/token", json=resource, params={"project": "shop"}, headers=key)
        spent = {"token": minted.json()["token"], "score": 1}
        assert (await client.post(f"{FEEDBACK}/submit", json=spent, headers={"Origin": OTHER})).status_code == 403
        assert (await client.post(f"{FEEDBACK}/submit", json=spent, headers={"Origin": SHOP})).status_code == 200


async def test_project_rate_limit_returns_retry_after(client: App) -> None:
    await make(client, rate="3/6000")
    url = await mint(client, "shop")
    responses = [await client.post(url, json={"score": 1}) for _ in range(3)]
    assert [one.status_code for one in responses] == [200, 200, 429]
    assert (int(responses[-1].headers["retry-after"]) > 0, "project 'shop'" in responses[-1].text) == (True, True)
    refused = await client.post(
        "/feedback/tokens", json={"run_id": RUN, "feedback_key": "k"}, params={"project": "shop"}
    )
    assert refused.status_code == 429
    assert (await client.post(await mint(client), json={"score": 1})).status_code == 200
    assert (await client.patch(f"{FEEDBACK}/projects/shop", json={"rate": None})).status_code == 200
    assert (await client.post(url, json={"score": 1})).status_code == 200


async def test_absent_rules_cost_no_look_up(service: FeedbackPlugin) -> None:
    looks = 0

    class Counted(Projects):
        async def list_projects(self) -> Any:
            nonlocal looks
            looks += 1
            return await super().list_projects()

    projects = Counted(service.database, clock=lambda: 0.0)
    for _ in range(100):
        assert await projects.choose_project(None, None, None) == "default"
        assert not (await projects.get_known()).have_rates
    assert looks == 1
