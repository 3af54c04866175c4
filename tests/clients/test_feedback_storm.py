"""Many mint URLs and answer at once, and the server is killed (SIGKILL) in the middle of it, then started again."""

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
    """The URL of each answer, by the answer's Idempotency-Key, which is its comment too."""
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
        crowd = [asyncio.create_task(mint_and_answer(http, known)) for _ in range(CROWD)]
        await known.enough.wait()
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*crowd)
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(base_url=server.url, timeout=40) as http:
        await all_at_once(lambda url: answer(http, url, "later", uuid.uuid4().hex), known.urls)
        unsure = known.sent.keys() - set(known.kept)
        await all_at_once(lambda key: answer(http, known.sent[key], key, key), unsure)
        kept = Counter([one["comment"] for one in await all_answers(http)])
    assert 0 < len(unsure) <= CROWD
    assert kept == Counter({**dict.fromkeys(known.sent, 1), "later": len(known.urls)})


async def mint_and_answer(http: httpx.AsyncClient, known: Known) -> None:
    """Go on until the server is gone."""
    with suppress(httpx.TransportError):
        while True:
            run_id = str(uuid.uuid4())
            wanted = [{"run_id": run_id, "feedback_key": key} for key in ("liked", "disliked")]
            minted = (await http.post("/feedback/tokens", json=wanted)).raise_for_status().json()
            known.urls += [token["url"] for token in minted]
            for token in minted:
                key = uuid.uuid4().hex
                known.sent[key] = token["url"]
                await answer(http, token["url"], key, key)
                known.kept.append(key)
            if len(known.kept) >= ENOUGH:
                known.enough.set()


async def answer(http: httpx.AsyncClient, url: str, comment: str, key: str) -> None:
    body = {"score": 1, "comment": comment}
    (await http.post(url, json=body, headers={"Idempotency-Key": key})).raise_for_status()


async def all_at_once(act: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Act for each name, a crowd at a time."""
    waiting = list(names)

    async def work() -> None:
        while waiting:
            await act(waiting.pop())

    await asyncio.gather(*(work() for _ in range(CROWD)))


async def all_answers(http: httpx.AsyncClient) -> list[dict[str, str]]:
    answers: list[dict[str, str]] = []
    while page := (await http.get("/feedback", params={"limit": 100, "offset": len(answers)})).json():
        answers += page
    return answers
