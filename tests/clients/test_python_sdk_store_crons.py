"""The store and the crons through the official Python client, against a server process."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from tests.agent_server.backend import until


async def test_store_items_pass_through_all_operations(client: LangGraphClient) -> None:
    home = [f"users-{uuid4()}", "anna"]
    await client.store.put_item(home, key="color", value={"name": "blue", "rank": 10})
    await client.store.put_item(home, key="tone", value={"name": "low", "rank": 9}, ttl=60, index=False)
    item = await client.store.get_item(home, key="color")
    assert (item["namespace"], item["key"], item["value"]) == (home, "color", {"name": "blue", "rank": 10})
    assert await client.store.get_item(home, key="nothing") is None
    found = await client.store.search_items(home[:1], filter={"rank": {"$gt": 9}}, limit=5, refresh_ttl=True)
    assert [one["key"] for one in found["items"]] == ["color"]
    assert (await client.store.list_namespaces(prefix=home[:1], max_depth=2))["namespaces"] == [home]
    await client.store.delete_item(home, key="color")
    assert [one["key"] for one in (await client.store.search_items(home))["items"]] == ["tone"]


async def test_crons_are_created_found_changed_and_deleted(client: LangGraphClient) -> None:
    mark = {"mark": str(uuid4())}
    thread = await client.threads.create()
    made = await client.crons.create(
        "steps", schedule="0 9 * * *", timezone=ZoneInfo("Asia/Tokyo"), input={"total": 1}, metadata=mark
    )
    await client.crons.create_for_thread(thread["thread_id"], "steps", schedule="@hourly", metadata=mark)
    assert await client.crons.count(metadata=mark) == 2
    [on_thread] = await client.crons.search(thread_id=thread["thread_id"], assistant_id="steps")
    assert on_thread["thread_id"] == thread["thread_id"]
    assert [cron["cron_id"] for cron in await client.crons.search(metadata=mark)] == [
        on_thread["cron_id"],
        made["cron_id"],
    ]
    ends = datetime(2100, 1, 1, tzinfo=UTC)
    changed = await client.crons.update(made["cron_id"], schedule="0 10 * * *", end_time=ends, enabled=False)
    assert (changed["schedule"], changed["enabled"]) == ("0 10 * * *", False)
    assert datetime.fromisoformat(str(changed["end_time"])) == ends
    assert (await client.crons.update(made["cron_id"], end_time=None))["end_time"] is None
    for cron in (made, on_thread):
        await client.crons.delete(cron["cron_id"])
    assert await client.crons.count(metadata=mark) == 0
    with pytest.raises(NotFoundError):
        await client.crons.delete(made["cron_id"])
    with pytest.raises(UnprocessableEntityError):
        await client.crons.create("steps", schedule="every day")


async def test_a_cron_makes_runs_until_it_is_deleted(client: LangGraphClient) -> None:
    mark = {"mark": str(uuid4())}
    cron = await client.crons.create(
        "steps", schedule="* * * * * *", input={"total": 2}, metadata=mark, on_run_completed="keep"
    )
    await until(lambda: client.threads.search(metadata=mark, status="idle"))
    await client.crons.delete(cron["cron_id"])
    thread = (await client.threads.search(metadata=mark, status="idle"))[0]
    assert thread["values"]["done"] == [0, 1]
    [run] = await client.runs.list(thread["thread_id"])
    assert (run["metadata"]["cron_id"], run["status"]) == (cron["cron_id"], "success")
