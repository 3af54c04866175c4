"""Crons over HTTP and over both databases, and the clock that fires them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from agent_server.access.exposure_check import warn_of_missing_public_url
from agent_server.app import create_app
from agent_server.config import Config
from agent_server.errors import Invalid
from agent_server.runs.crons.clock import CronClock
from agent_server.runs.crons.crons import Crons
from agent_server.runs.crons.schedule import micros, next_date
from agent_server.runs.crons.schema import Cron, CronCreate, CronPatch
from agent_server.schema import timestamp
from tests.agent_server.backend import BASE_URL, Backend, open_backend, unknown_id, until

Client = AsyncTestClient[Litestar]
HOURLY = "0 * * * *"


async def agent(given: Any) -> AsyncGenerator[dict[str, Any], None]:
    yield {"given": given}


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    """Open a server with one agent, over each kind of database."""
    url = database_url if database_url.startswith("postgres") else None
    config = Config(directory=tmp_path, data_dir=tmp_path / "data", database_url=url, allow_anyone=True)
    async with AsyncTestClient(create_app(config, agents={"agent": agent}), base_url=BASE_URL) as client:
        yield client


class Clock:
    """A backend with crons whose next time a test can set."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.crons = Crons(backend.database, backend.assistants)
        self.clock = CronClock(backend.database, backend.runs)

    async def cron(self, thread_id: str | None = None, **body: Any) -> Cron:
        given = {"assistant_id": "agent", "schedule": HOURLY, **body}
        return await self.crons.create(msgspec.convert(given, CronCreate), thread_id, BASE_URL)

    async def make_due(self, seconds_ago: float = 1.0) -> None:
        await self.backend.database.write(
            lambda c: c.execute("UPDATE crons SET next_run_date = now_us() - :ago", ago=int(seconds_ago * 1_000_000))
        )

    async def runs(self) -> list[Any]:
        return await self.backend.database.read(lambda c: c.all("SELECT * FROM runs ORDER BY run_id"))

    async def fired(self) -> list[str]:
        """Return the cron of each started run."""
        return [msgspec.json.decode(run["metadata"])["cron_id"] for run in await self.runs()]


@pytest.fixture
def clock(backend: Backend) -> Clock:
    return Clock(backend)


def detail(response: Response, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["detail"])


# Over HTTP


async def test_a_cron_is_created_with_the_official_fields(client: Client) -> None:
    body = {"assistant_id": "agent", "schedule": "30 4 * * *", "input": {"x": 1}, "metadata": {"a": 1}}
    cron = (await client.post("/runs/crons", json={**body, "end_time": "2100-01-01T00:00:00"})).json()
    assert list(cron) == list(Cron.__struct_fields__)
    assert (cron["thread_id"], cron["on_run_completed"], cron["enabled"]) == (None, "delete", True)
    assert cron["end_time"] == "2100-01-01T00:00:00.000000+00:00"
    assert cron["next_run_date"].endswith("T04:30:00.000000+00:00")
    assert cron["payload"] == {"assistant_id": cron["assistant_id"], "input": {"x": 1}, "metadata": {"a": 1}}
    assert (await client.get(f"/runs/crons/{cron['cron_id']}")).json() == cron


async def test_thread_cron_names_its_thread_and_keeps_it(client: Client) -> None:
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "agent", "schedule": HOURLY, "on_run_completed": "keep"}
    cron = (await client.post(f"/threads/{thread_id}/runs/crons", json=body)).json()
    assert (cron["thread_id"], cron["on_run_completed"]) == (thread_id, None)


NEVER_FIRING: list[tuple[dict[str, Any], int, str]] = [
    ({"schedule": "x"}, 422, "Invalid cron schedule: 'x'"),
    ({"schedule": "60 * * * *"}, 422, "Bad minute"),
    ({"schedule": "0 0 30 2 *"}, 422, "Invalid cron schedule"),
    ({"schedule": "0 0 * * 5#3/2"}, 422, "Invalid cron schedule"),
    ({"schedule": "9" * 200 + " * * * *"}, 422, "Invalid cron schedule"),
    ({"schedule": "*," * 500}, 422, "length"),
    ({"timezone": "Mars/Phobos"}, 422, "Invalid timezone: 'Mars/Phobos'"),
    ({"timezone": "America"}, 422, "Invalid timezone"),
    ({"timezone": "../etc/passwd"}, 422, "Invalid timezone"),
    ({"end_time": "0001-01-01T00:00:00Z"}, 422, "out of range"),
    ({"end_time": "9999-12-31T23:59:59-12:00"}, 422, "out of range"),
    ({"end_time": "tomorrow"}, 422, "end_time"),
    ({"end_time": "2020-01-01T00:00:00Z"}, 422, "has passed"),
    ({"schedule": "every day"}, 422, "or six, with the second last"),
    ({"assistant_id": "unknown"}, 404, "unknown"),
    ({"assistant_id": unknown_id()}, 404, "not found"),
    ({"on_run_completed": "burn"}, 422, "delete"),
    ({"context": {"a": 1}, "config": {"configurable": {"b": 2}}}, 400, "context"),
    ({"schedule": None}, 422, "schedule"),
]


async def test_a_cron_that_could_never_fire_is_refused(client: Client, subtests: pytest.Subtests) -> None:
    for change, status, message in NEVER_FIRING:
        with subtests.test(change=change, status=status, message=message):
            response = await client.post("/runs/crons", json={"assistant_id": "agent", "schedule": HOURLY, **change})
            assert message in detail(response, status)
            assert (await client.post("/runs/crons/count", json={})).json() == 0


async def test_a_cron_on_an_unknown_thread_is_refused(client: Client) -> None:
    body = {"assistant_id": "agent", "schedule": HOURLY}
    assert "not found" in detail(await client.post(f"/threads/{unknown_id()}/runs/crons", json=body), 404)
    assert "must be a UUID" in detail(await client.post("/threads/no/runs/crons", json=body), 422)


async def test_patch_merges_metadata_and_replaces_the_rest(client: Client) -> None:
    body = {"assistant_id": "agent", "schedule": HOURLY, "metadata": {"a": 1}, "end_time": "2100-01-01T00:00:00Z"}
    cron = (await client.post("/runs/crons", json={**body, "input": {"x": 1}})).json()
    path = f"/runs/crons/{cron['cron_id']}"
    changed = (await client.patch(path, json={"metadata": {"b": 2}, "input": {"x": 5}, "schedule": None})).json()
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert (changed["payload"]["input"], changed["payload"]["metadata"]) == ({"x": 5}, {"a": 1, "b": 2})
    assert (changed["schedule"], changed["end_time"]) == (HOURLY, cron["end_time"])
    assert (await client.patch(path, json={"end_time": None})).json()["end_time"] is None
    moved = (await client.patch(path, json={"schedule": "15 3 * * *", "timezone": "Asia/Tokyo"})).json()
    assert moved["next_run_date"].endswith("T18:15:00.000000+00:00")
    assert (await client.patch(path, json={"enabled": False})).json()["enabled"] is False


async def test_a_patch_that_is_wrong_changes_nothing(client: Client) -> None:
    cron = (await client.post("/runs/crons", json={"assistant_id": "agent", "schedule": HOURLY})).json()
    path = f"/runs/crons/{cron['cron_id']}"
    assert "at least one" in detail(await client.patch(path, json={}), 400)
    assert "Invalid cron" in detail(await client.patch(path, json={"schedule": "x", "input": {"x": 1}}), 422)
    both = {"context": {"a": 1}, "config": {"configurable": {"a": 1}}}
    assert "context" in detail(await client.patch(path, json=both), 400)
    assert (await client.get(path)).json() == cron


async def test_unknown_cron_differs_from_malformed_id(client: Client) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {"json": {"enabled": True}} if method == "PATCH" else {}
        assert "not found" in detail(await client.request(method, f"/runs/crons/{unknown_id()}", **body), 404)
        assert "must be a UUID" in detail(await client.request(method, "/runs/crons/no", **body), 422)


async def test_a_deleted_cron_is_gone(client: Client) -> None:
    cron = (await client.post("/runs/crons", json={"assistant_id": "agent", "schedule": HOURLY})).json()
    response = await client.delete(f"/runs/crons/{cron['cron_id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(f"/runs/crons/{cron['cron_id']}")).status_code == 404


async def test_search_and_count_take_the_same_filters(client: Client) -> None:
    thread_id = (await client.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "agent", "schedule": HOURLY}
    ids = []
    for number, path in enumerate(["/runs/crons", f"/threads/{thread_id}/runs/crons", "/runs/crons"]):
        cron = {**body, "metadata": {"n": number, "odd": number % 2 == 1}, "enabled": number != 2}
        ids.append((await client.post(path, json=cron)).json()["cron_id"])
    for query, expected in [
        ({}, [2, 1, 0]),
        ({"assistant_id": "agent"}, [2, 1, 0]),
        ({"thread_id": thread_id}, [1]),
        ({"metadata": {"odd": False}}, [2, 0]),
        ({"assistant_id": unknown_id()}, []),
    ]:
        response = await client.post("/runs/crons/search", json=query)
        assert [cron["cron_id"] for cron in response.json()] == [ids[number] for number in expected], query
        assert response.headers["x-pagination-total"] == str(len(expected))
        assert (await client.post("/runs/crons/count", json=query)).json() == len(expected)
    enabled = (await client.post("/runs/crons/search", json={"enabled": False})).json()
    assert [cron["cron_id"] for cron in enabled] == [ids[2]]


async def test_search_returns_selected_fields_in_the_requested_order(client: Client) -> None:
    for hour in (3, 1, 2):
        await client.post("/runs/crons", json={"assistant_id": "agent", "schedule": f"0 {hour} 1 1 *"})
    query = {"sort_by": "next_run_date", "sort_order": "asc", "limit": 2, "select": ["schedule"]}
    response = await client.post("/runs/crons/search", json=query)
    assert response.json() == [{"schedule": "0 1 1 1 *"}, {"schedule": "0 2 1 1 *"}]
    assert (response.headers["x-pagination-total"], response.headers["x-pagination-next"]) == ("3", "2")
    assert "schedule" in detail(await client.post("/runs/crons/search", json={"select": ["secret"]}), 422)


async def test_the_server_fires_a_cron_by_itself(client: Client) -> None:
    body = {"assistant_id": "agent", "schedule": "* * * * * *", "input": {"x": 1}, "on_run_completed": "keep"}
    cron = (await client.post("/runs/crons", json={**body, "metadata": {"kind": "tick"}})).json()

    async def done() -> bool:
        threads = (await client.post("/threads/search", json={"metadata": {"kind": "tick"}})).json()
        return any(thread["status"] == "idle" and thread["values"] == {"given": {"x": 1}} for thread in threads)

    await until(done)
    assert (await client.delete(f"/runs/crons/{cron['cron_id']}")).status_code == 204


# The clock


async def test_due_cron_fires_once_per_date(clock: Clock) -> None:
    cron = await clock.cron(input={"x": 1}, metadata={"a": 1})
    assert await clock.clock.fire_due() == 0
    await clock.make_due()
    assert await clock.clock.fire_due() == 1
    assert await clock.clock.fire_due() == 0
    [run] = await clock.runs()
    assert msgspec.json.decode(run["metadata"]) | {"graph_id": "", "assistant_id": ""} == {
        "a": 1,
        "cron_id": cron.cron_id,
        "graph_id": "",
        "assistant_id": "",
    }
    assert msgspec.json.decode(run["kwargs"])["config"]["configurable"] == {"cron_id": cron.cron_id}
    assert (run["status"], run["temporary"], run["base_url"]) == ("pending", 1, BASE_URL)
    assert (await clock.crons.get(cron.cron_id)).next_run_date == cron.next_run_date


async def test_cron_uses_public_url_whatever_its_host(clock: Clock) -> None:
    cron = await clock.crons.create(
        msgspec.convert({"assistant_id": "agent", "schedule": HOURLY}, CronCreate), None, "http://evil.example"
    )
    await clock.make_due()
    public = CronClock(clock.backend.database, clock.backend.runs, public_url="https://public.example")
    assert await public.fire_due() == 1
    assert [run["base_url"] for run in await clock.runs()] == ["https://public.example"]
    assert cron.cron_id


@pytest.mark.parametrize(
    ("host", "public_url", "warns"),
    [("0.0.0.0", None, True), ("::", None, True), ("127.0.0.1", None, False), ("0.0.0.0", "https://a.example", False)],
)
def test_missing_public_url_is_warned_of(tmp_path: Path, host: str, public_url: str | None, warns: bool) -> None:
    with capture_logs() as logs:
        warn_of_missing_public_url(Config(tmp_path, host=host, public_url=public_url))
    assert [line["event"] for line in logs] == (["public_url_missing"] if warns else [])


async def test_missed_dates_fire_once(clock: Clock) -> None:
    await clock.cron(schedule="* * * * *")
    await clock.make_due(seconds_ago=3600)
    assert await clock.clock.fire_due() == 1
    assert await clock.clock.fire_due() == 0


async def test_a_run_with_a_context_gets_no_configurable(clock: Clock) -> None:
    await clock.cron(context={"a": 1})
    await clock.make_due()
    assert await clock.clock.fire_due() == 1
    [run] = await clock.runs()
    assert msgspec.json.decode(run["kwargs"])["context"] == {"a": 1}


async def test_reenabled_cron_forgets_missed_dates(clock: Clock) -> None:
    cron = await clock.cron(enabled=False)
    await clock.make_due()
    assert await clock.clock.fire_due() == 0
    await clock.crons.patch(cron.cron_id, CronPatch(enabled=True))
    assert await clock.clock.fire_due() == 0
    await clock.make_due()
    assert await clock.clock.fire_due() == 1


async def test_a_cron_does_not_fire_after_its_end(clock: Clock) -> None:
    cron = await clock.cron(schedule="0 0 1 1 *", end_time=str(datetime.now(UTC) + timedelta(seconds=2)))
    assert cron.next_run_date is None
    await clock.backend.database.write(lambda c: c.execute("UPDATE crons SET end_time = 1"))
    await clock.make_due()
    assert await clock.clock.fire_due() == 0
    assert (await clock.crons.get(cron.cron_id)).next_run_date is None
    await clock.crons.patch(cron.cron_id, CronPatch(end_time=None))
    await clock.make_due()
    assert await clock.clock.fire_due() == 1


async def test_thread_cron_runs_by_its_multitask_strategy(clock: Clock) -> None:
    thread_id = await clock.backend.thread()
    await clock.cron(thread_id, multitask_strategy="reject")
    for expected in (1, 0):  # the second time, the first run is still pending
        await clock.make_due()
        assert await clock.clock.fire_due() == expected
    assert [run["thread_id"] for run in await clock.runs()] == [thread_id]


async def test_cron_of_a_deleted_thread_is_disabled(clock: Clock) -> None:
    thread_id = await clock.backend.thread()
    lost = await clock.cron(thread_id)
    other = await clock.cron()
    await clock.backend.threads.delete(thread_id)
    await clock.make_due()
    assert await clock.clock.fire_due() == 1
    assert await clock.fired() == [other.cron_id]
    assert (await clock.crons.get(lost.cron_id)).enabled is False


async def test_kept_threads_carry_the_metadata_of_their_cron(clock: Clock) -> None:
    await clock.cron(on_run_completed="keep", metadata={"kind": "report"})
    await clock.make_due()
    await clock.clock.fire_due()
    [run] = await clock.runs()
    assert run["temporary"] == 0
    assert (await clock.backend.database.read(lambda c: c.one("SELECT metadata FROM threads")))["metadata"].count(
        "report"
    ) == 1


async def test_each_firing_happens_once_however_many_processes_look(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        clocks = [Clock(await stack.enter_async_context(open_backend(postgres_url))) for _ in range(4)]
        thread_id = await clocks[0].backend.thread()
        crons = [await clocks[0].cron(thread_id if number % 2 else None) for number in range(40)]
        for firing in range(1, 4):
            await clocks[0].make_due()
            counts = []

            async def fire(one: Clock, counts: list[int] = counts) -> None:
                counts.append(await one.clock.fire_due())

            with anyio.fail_after(30):
                async with anyio.create_task_group() as group:
                    for one in clocks:
                        group.start_soon(fire, one)
            assert sum(counts) == len(crons)
            assert sorted(await clocks[0].fired()) == sorted([cron.cron_id for cron in crons] * firing)


# The schedule


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("schedule", "timezone", "after", "expected"),
    [
        ("*/5 * * * *", None, "2026-01-01T00:00:01", "2026-01-01T00:05:00"),
        ("*/5 * * * *", None, "2026-01-01T00:05:00", "2026-01-01T00:10:00"),
        ("@Daily", None, "2026-01-01T00:00:01", "2026-01-02T00:00:00"),
        ("0 9 * * mon-fri", "America/New_York", "2026-11-21T00:00:00", "2026-11-23T14:00:00"),
        ("* * * * * 30", None, "2026-01-01T00:00:00", "2026-01-01T00:00:30"),
        ("0 0 29 2 *", None, "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        # New York's clocks go forward on 8 March 2026 and back on 1 November: a daily job runs once on both days.
        ("30 2 * * *", "America/New_York", "2026-03-08T06:00:00", "2026-03-08T07:00:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:00:00", "2026-11-01T05:30:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:30:00", "2026-11-02T06:30:00"),
    ],
)
def test_the_next_date_is_what_debians_cron_says(
    schedule: str, timezone: str | None, after: str, expected: str
) -> None:
    assert timestamp(next_date(schedule, timezone, at(after)) or 0) == timestamp(at(expected))


def test_a_time_without_a_zone_is_utc() -> None:
    assert micros(datetime(2026, 1, 1)) == micros(datetime(2026, 1, 1, tzinfo=UTC))


def test_schedule_is_not_evaluated_after_its_end() -> None:
    assert next_date(HOURLY, None, at("2026-01-01T00:30:00"), at("2026-01-01T00:59:59")) is None
    assert next_date(HOURLY, None, at("2026-01-01T00:30:00"), at("2026-01-01T01:00:00")) == at("2026-01-01T01:00:00")
    with pytest.raises(Invalid, match="five fields"):
        next_date("every day", None, 0)
