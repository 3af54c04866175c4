"""Metrics: minted tokens, submissions, refusals and deliveries are counted in Prometheus's format."""

from __future__ import annotations

from typing import Any

import httpx
from litestar import Litestar
from litestar.testing import AsyncTestClient
from prometheus_client.parser import text_string_to_metric_families

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings, Webhook
from feedback.delivery.webhooks import Webhooks
from feedback.metrics import MAX_KEYS, OTHERS, Metrics
from feedback.schema import FeedbackCreate
from tests.feedback.conftest import RUN, mint
from tests.feedback.delivery.test_webhooks import SECRET

App = AsyncTestClient[Litestar]


def read(text: str) -> dict[tuple[str, ...], float]:
    """Return each sample's value, by its name and its label values in the order of the label names."""
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {(one.name, *(text for _, text in sorted(one.labels.items()))): one.value for one in samples}


async def metrics(client: App) -> dict[tuple[str, ...], float]:
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4"), response.text
    return read(response.text)


async def test_submissions_are_counted_by_key_and_result(client: App) -> None:
    url = await mint(client, "thumbs")
    for score in (1, 1, 0):
        await client.post(url, json={"score": score, "user_id": "ada"})
    await client.delete(url, params={"user_id": "ada"})
    feedback_id = (await client.post("/feedback", json={"key": "stars", "run_id": RUN, "score": 5})).json()["id"]
    await client.patch(f"/feedback/{feedback_id}", json={"score": 4})
    await client.delete(f"/feedback/{feedback_id}")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", "User-Agent": "Mozilla/5.0"}
    assert "Thank" in (await client.post(url, content="score=1", headers=form)).text
    counted = await metrics(client)
    found = {labels[1:]: count for labels, count in counted.items() if labels[0] == "feedback_answers_total"}
    assert found == {
        ("thumbs", "created"): 2,
        ("thumbs", "unchanged"): 1,
        ("thumbs", "updated"): 1,
        ("thumbs", "retracted"): 1,
        ("stars", "created"): 1,
        ("stars", "updated"): 1,
        ("stars", "deleted"): 1,
    }


async def test_refusals_are_counted_by_status_and_reason(client: App) -> None:
    url = await mint(client, feedback_config={"type": "continuous", "min": 0, "max": 1})
    await client.post(url, json={"score": 2})
    await client.post(f"{url}/revoke")
    await client.post(url, json={"score": 1})
    await client.post("/feedback/tokens/00000000-0000-4000-8000-000000000000", json={"score": 1})
    await client.post("/v1/feedback", json={"feedback_token": "made up", "outcome": "positive"})
    counted = await metrics(client)
    found = {labels[1:]: count for labels, count in counted.items() if labels[0] == "feedback_refusals_total"}
    assert found == {
        ("rejected", "422"): 1,
        ("token_revoked", "410"): 1,
        ("token_unknown", "404"): 1,
        ("token_unknown", "400"): 1,
    }


async def test_tokens_of_every_family_are_counted(client: App) -> None:
    bodies = [{"run_id": RUN, "feedback_key": key} for key in "abc"]
    await client.post("/feedback/tokens", json=bodies)
    body = {"resource_type": "trace", "resource_id": "t"}
    await client.post("/api/v1/feedback/token", json=body, headers={"Authorization": "Bearer any"})
    plugin = client.app.plugins.get(FeedbackPlugin)
    plugin.token_for_run(RUN)
    counted = await metrics(client)
    families = ("presigned", "evalguard", "workflowai")
    assert [counted["feedback_tokens_minted_total", family] for family in families] == [3, 1, 1]


async def test_requests_are_timed_by_operation(client: App) -> None:
    url = await mint(client)
    for _ in range(3):
        await client.post(url, json={"score": 1})
    counted = await metrics(client)
    assert counted["feedback_request_seconds_count", "submit"] == 3
    assert counted["feedback_request_seconds_bucket", "+Inf", "submit"] == 3


async def test_deliveries_and_waiting_messages_are_counted(service: FeedbackPlugin, unused_tcp_port: int) -> None:
    away = Webhooks(service.database, [Webhook(f"http://127.0.0.1:{unused_tcp_port}/", SECRET)], service.metrics)
    away.retries = (0,)
    await away.register()
    await service.default.store.create(FeedbackCreate("k", score=1))
    async with httpx.AsyncClient() as client:
        await away.deliver(client)
        waiting = read(await service.metrics_text())
        await away.deliver(client)
    assert waiting["feedback_outbox_messages", "waiting"] == 1
    assert waiting["feedback_outbox_oldest_seconds",] > 0
    given_up = read(await service.metrics_text())
    assert given_up["feedback_outbox_messages", "waiting"] == 0
    assert given_up["feedback_outbox_messages", "given_up"] == 1
    assert given_up["feedback_outbox_oldest_seconds",] == 0
    results = ("refused", "given_up")
    assert [given_up["feedback_deliveries_total", result, "webhook"] for result in results] == [1, 1]


def test_made_up_keys_share_one_series() -> None:
    metrics = Metrics()
    for at in range(MAX_KEYS + 50):
        metrics.count_submission(f"key {at}", "created")
    metrics.count_submission("key 0", "created")
    counted = read(metrics.text())
    assert counted["feedback_answers_total", OTHERS, "created"] == 50
    assert counted["feedback_answers_total", "key 0", "created"] == 2
    assert len([labels for labels in counted if labels[0] == "feedback_answers_total"]) == MAX_KEYS + 1


def test_two_services_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.count_minted("presigned", 1)
    assert ("feedback_tokens_minted_total", "presigned") not in read(other.text())


async def test_metrics_may_belong_to_the_app(sqlite_url: str) -> None:
    plugin: Any = FeedbackPlugin(open_database(sqlite_url), FeedbackSettings(serve_metrics=False), api_keys=["secret"])
    app = Litestar(plugins=[plugin])
    async with app.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/metrics")).status_code == 404
        assert "feedback_outbox_messages" in await plugin.metrics_text()


async def test_metrics_need_a_key_where_there_are_keys(sqlite_url: str) -> None:
    plugin = FeedbackPlugin(open_database(sqlite_url), api_keys=["secret"])
    async with AsyncTestClient(Litestar(plugins=[plugin])) as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers={"Authorization": "Bearer secret"})).status_code == 200
