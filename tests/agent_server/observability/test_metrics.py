"""`/metrics` has the official server's names where those exist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from agent_server import create_app
from agent_server.config.webhooks import WebhookPolicy
from tests.agent_server.api import Api, serving
from tests.agent_server.backend import unknown_id, until
from tests.agent_server.served import config_of, served, whole_app

LABELS = tuple[tuple[str, str], ...]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, jobs=1) as api:
        yield api


async def samples(api: Api) -> dict[str, float]:
    """Return the metrics by name, those with labels by `name{label=value,…}`."""
    response = await api.send("GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parsed(response.text)


def parsed(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
            found[one.name + (f"{{{labels}}}" if labels else "")] = one.value
    return found


async def test_ended_runs_are_counted_by_status_and_time(api: Api) -> None:
    await api.post("/runs/wait", {"assistant_id": "echo", "input": {}})
    await api.post("/runs/wait", {"assistant_id": "failing", "input": {"x": 1}})
    found = await samples(api)
    assert found["agent_server_runs_ended_total{status=success}"] == 1
    assert found["agent_server_runs_ended_total{status=error}"] == 1
    assert found["agent_server_queue_seconds_count"] == 2
    assert found["agent_server_first_event_seconds_count{graph_id=echo}"] == 1
    assert found["agent_server_run_seconds_count{graph_id=failing}"] == 1
    assert 0 < found["agent_server_first_event_seconds_sum{graph_id=echo}"] < 30


async def test_queue_and_worker_gauges_are_current(api: Api) -> None:
    thread_id = await api.thread()
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": "sleeping_agent"})
    await until(lambda: _runs_at_work(api, 1))
    waiting = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": "echo"})
    await api.post("/runs", {"assistant_id": "echo"})
    await api.post("/runs", {"assistant_id": "echo", "after_seconds": 3600})
    found, document = await samples(api), await api.get("/metrics?format=json")
    assert (found["lg_api_num_running_runs"], found["lg_api_num_pending_runs"]) == (1, 3)
    assert found["agent_server_queue_depth"] == 1, "the others wait for their thread, or for their time"
    assert found["agent_server_queue_age_seconds"] > 0
    assert [found[f"lg_api_workers_{name}"] for name in ("max", "active", "available")] == [1, 1, 0]
    assert document["workers"] == {"max": 1, "active": 1, "available": 0}
    assert (document["queue"]["n_running"], document["queue"]["n_pending"]) == (1, 3)
    longest, unblocked = (document["queue"][f"pending_{name}runs_wait_time_max_secs"] for name in ("", "unblocked_"))
    assert longest > unblocked > 0  # the run on the busy thread is older, but does not wait for a worker
    assert longest > document["queue"]["pending_runs_wait_time_med_secs"] > 0
    for run_id in (waiting["run_id"], run["run_id"]):
        await api.send("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=true")
    await until(lambda: _is_left(api, running=0, pending=1))
    assert (await samples(api))["agent_server_runs_ended_total{status=interrupted}"] == 2


async def _is_left(api: Api, **expected: int) -> bool:
    queue = (await api.get("/metrics?format=json"))["queue"]
    return {name: queue[f"n_{name}"] for name in expected} == expected


async def _runs_at_work(api: Api, count: int) -> bool:
    return int((await api.get("/metrics?format=json"))["queue"]["n_running"]) == count


async def test_empty_queue_waits_for_nothing(api: Api) -> None:
    document = await api.get("/metrics?format=json")
    assert document["queue"] == {
        "n_pending": 0,
        "pending_runs_wait_time_max_secs": None,
        "pending_runs_wait_time_med_secs": None,
        "pending_unblocked_runs_wait_time_max_secs": None,
        "n_running": 0,
    }


async def test_requests_are_counted_by_route_pattern(api: Api) -> None:
    thread_id = await api.thread()
    for name in (thread_id, thread_id, unknown_id()):
        await api.send("GET", f"/threads/{name}")
    found = await samples(api)
    assert found["lg_api_http_requests_total{method=GET,path=/threads/{thread_id},status=200}"] == 2
    assert found["lg_api_http_requests_total{method=GET,path=/threads/{thread_id},status=404}"] == 1
    assert found["lg_api_http_requests_latency_seconds_count{method=GET,path=/threads/{thread_id}}"] == 3
    received = (await api.get("/metrics?format=json"))["api"]["http_requests_total"]
    assert {"method": "GET", "path": "/threads/{thread_id}", "status": 404, "count": 1} in received


async def test_rollbacks_are_counted_separately(api: Api) -> None:
    thread_id = await api.thread()
    run = await api.post(f"/threads/{thread_id}/runs", {"assistant_id": "sleeping_agent"})
    await until(lambda: _runs_at_work(api, 1))
    await api.send("POST", f"/threads/{thread_id}/runs/{run['run_id']}/cancel?wait=true&action=rollback")
    assert (await samples(api))["agent_server_runs_ended_total{status=rollback}"] == 1


async def test_undelivered_webhooks_are_counted_as_waiting(database_url: str, tmp_path: Path) -> None:
    policy = WebhookPolicy(require_https=False, disable_loopback=False)
    async with serving(database_url, tmp_path, webhooks=policy) as api:
        await api.post("/runs/wait", {"assistant_id": "echo", "webhook": "http://127.0.0.1:9/closed"})

        async def refused() -> bool:
            return (await samples(api)).get("agent_server_webhook_deliveries_total{result=refused}") == 1

        await until(refused)
        assert (await samples(api))["agent_server_webhooks_waiting"] == 1


async def test_firings_of_crons_are_counted(api: Api) -> None:
    cron = await api.post("/runs/crons", {"assistant_id": "echo", "schedule": "* * * * * *"})

    async def fired() -> bool:
        return bool((await samples(api)).get("agent_server_cron_firings_total{result=fired}"))

    await until(fired)
    await api.delete(f"/runs/crons/{cron['cron_id']}")


async def test_store_says_how_busy_it_is(api: Api) -> None:
    found = await samples(api)
    assert found["agent_server_database_connections"] >= 1
    assert found["agent_server_database_connections_idle"] <= found["agent_server_database_connections"]
    await until(lambda: _waits_for_no_connection(api))


async def _waits_for_no_connection(api: Api) -> bool:
    return (await samples(api))["agent_server_database_waiting"] == 0


async def test_metrics_response_includes_feedbacks_metrics(sqlite_url: str, tmp_path: Path) -> None:
    async with served(whole_app(config_of(sqlite_url, tmp_path))) as client:
        keys = {"assistant_id": "agent", "input": 1, "feedback_keys": ["liked"]}
        await client.post("/runs/wait", json=keys)
        found = parsed((await client.get("/metrics")).text)
    assert found["feedback_tokens_minted_total{family=presigned}"] == 1
    assert found["agent_server_runs_ended_total{status=success}"] == 1


async def test_metrics_of_others_that_fail_leave_the_rest(tmp_path: Path) -> None:
    async def failing() -> str:
        raise OSError("gone")

    async def working() -> str:
        return "other_things 1.0\n"

    app: Litestar = create_app(config_of("sqlite:///", tmp_path), agents={}, metrics=[failing, working])
    async with served(app) as client:
        found: Any = parsed((await client.get("/metrics")).text)
    assert found["other_things"] == 1
    assert found["lg_api_num_running_runs"] == 0


async def test_other_formats_than_the_two_are_refused(api: Api) -> None:
    status, message = await api.refusal("GET", "/metrics?format=xml")
    assert status == 422
    assert "format" in message
