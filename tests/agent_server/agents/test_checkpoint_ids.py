"""The latest state of a thread is the last one written, even if the writers' clocks differ."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from langgraph.checkpoint.base import id as langgraph_ids

from tests.agent_server.api import serving


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return a function that makes ids as a new process whose clock is off by so many seconds."""

    def set_to(seconds: int) -> None:
        clock = SimpleNamespace(time_ns=lambda: time.time_ns() + seconds * 1_000_000_000)
        monkeypatch.setattr(langgraph_ids, "time", clock)
        monkeypatch.setattr(langgraph_ids, "_last_v6_timestamp", None)

    return set_to


async def test_run_by_process_with_clock_behind_is_latest(database_url: str, tmp_path: Path, set_clock) -> None:  # type: ignore[no-untyped-def]
    async with serving(database_url, tmp_path) as api:
        set_clock(60)
        thread_id = await api.thread("doubling", {"x": 1})
        set_clock(-60)
        await api.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "doubling", "input": {"x": 5}})
        assert (await api.get(f"/threads/{thread_id}/state"))["values"]["x"] == 10


@pytest.mark.parametrize("is_fork", [False, True])
async def test_update_by_process_with_clock_behind_is_latest(
    database_url: str,
    tmp_path: Path,
    set_clock,  # type: ignore[no-untyped-def]
    is_fork: bool,
) -> None:
    async with serving(database_url, tmp_path) as api:
        set_clock(60)
        thread_id = await api.thread("doubling", {"x": 1})
        first = (await api.post(f"/threads/{thread_id}/history", {"limit": 10}))[-1]["checkpoint"]
        set_clock(-3600)
        body = {"values": {"x": 7}, "as_node": "__start__", **({"checkpoint": first} if is_fork else {})}
        await api.post(f"/threads/{thread_id}/state", body)
        assert (await api.get(f"/threads/{thread_id}/state"))["values"]["x"] == 7
        await api.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "doubling"})
        assert (await api.get(f"/threads/{thread_id}/state"))["values"]["x"] == 14
