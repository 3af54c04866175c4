"""Many clients mint URLs and submit feedback at once; the server is killed (SIGKILL) meanwhile and restarted."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest

from tests.clients.conftest import StartServer

CROWD = 16
ENOUGH = 150


@dataclass
class Known:
    """What the clients sent, and what the server acknowledged with a 200."""

    urls: list[str] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    """The URL of each submission, by its Idempotency-Key, which is also its comment."""
    kept: list[str] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_storm_stores_every_acknowledged_submission_once(
    start_server: StartServer, request: pytest.FixtureRequest, database: str
) -> None:
    environ = {"DATABASE_URL": request.getfixturevalue("postgres_url")} if database == "postgres" else {}
    server = await asyncio.to_thread(start_server, **environ)
    known = Known()
    async with httpx.AsyncClient(base_url=server.url, timeout=40) as http:
        crowd = [asyncio.create_task(mint_and_submit(http, known)) for _ in range(CROWD)]
        await known.enough.wait()
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*crowd)
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(base_url=server.url, timeout=40) as http:
        await all_at_once(lambda url: submit(http, url, "later", uuid.uuid4().hex), known.urls)
        unsure = known.sent.keys() - set(known.kept)
        await all_at_once(lambda key: submit(http, known.sent[key], key, key), unsure)
        stored = Counter([one["comment"] for one in await all_feedback(http)])
    assert 0 < len(unsure) <= CROWD
    assert stored == Counter({**dict.fromkeys(known.sent, 1), "later": len(known.urls)})


async def mint_and_submit(http: httpx.AsyncClient, known: Known) -> None:
    """Mint URLs and submit feedback until the server is gone."""
    with suppress(httpx.TransportError):
        while True:
            run_id = str(uuid.uuid4())
            wanted = [{"run_id": run_id, "feedback_key": key} for key in ("liked", "disliked")]
            minted = (await http.post("/feedback/tokens", json=wanted)).raise_for_status().json()
            known.urls += [token["url"] for token in minted]
            for token in minted:
                key = uuid.uuid4().hex
                known.sent[key] = token["url"]
                await submit(http, token["url"], key, key)
                known.kept.append(key)
            if len(known.kept) >= ENOUGH:
                known.enough.set()


async def submit(http: httpx.AsyncClient, url: str, comment: str, key: str) -> None:
    body = {"score": 1, "comment": comment}
    (await http.post(url, json=body, headers={"Idempotency-Key": key})).raise_for_status()


async def all_at_once(act: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Call `act` for each name, a batch at a time."""
    waiting = list(names)

    async def work() -> None:
        while waiting:
            await act(waiting.pop())

    await asyncio.gather(*(work() for _ in range(CROWD)))


async def all_feedback(http: httpx.AsyncClient) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = []
    while page := (await http.get("/feedback", params={"limit": 100, "offset": len(listed)})).json():
        listed += page
    return listed
