"""The garbage collector's settings after the server has started."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.asgi.garbage_collection import YOUNG_OBJECTS, freeze_once_started


@pytest.fixture(autouse=True)
def collector_as_it_was() -> Iterator[None]:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    if frozen:
        gc.freeze()


async def test_startup_objects_are_frozen_from_collection() -> None:
    assert gc.get_freeze_count() == 0
    async with AsyncTestClient(freeze_once_started(Litestar())) as client:
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] == YOUNG_OBJECTS
        assert (await client.get("/")).status_code == 404


async def test_collections_are_enabled_after_the_start() -> None:
    gc.disable()
    try:
        async with AsyncTestClient(freeze_once_started(Litestar())):
            assert gc.isenabled()
    finally:
        gc.enable()


async def test_start_makes_no_full_collection() -> None:
    full = 0

    def count(phase: str, info: dict[str, int]) -> None:
        nonlocal full
        full += phase == "start" and info["generation"] == 2

    app = freeze_once_started(Litestar())
    gc.disable()
    gc.callbacks.append(count)
    try:
        async with AsyncTestClient(app):
            assert full == 0
    finally:
        gc.callbacks.remove(count)
        gc.enable()
