"""The services of an agent server without HTTP, for the tests of the queue, the worker and the streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import msgspec

from agent_server.agents import Agent, open_agents
from agent_server.assistants.assistants import Assistants
from agent_server.broker import START, MemoryBroker
from agent_server.config import Config
from agent_server.config.webhooks import WebhookPolicy
from agent_server.database import Database, open_database
from agent_server.database.postgres import PostgresDatabase
from agent_server.runs.attempt import AttemptContext
from agent_server.runs.feedback import FeedbackUrls, RunTokens
from agent_server.runs.queue import Runs
from agent_server.runs.records import Claim, RunOrigin, RunReference
from agent_server.runs.worker import Worker
from agent_server.schema import Run, RunCreate
from agent_server.streams.run_streams import RunStreams
from agent_server.threads.schema import ThreadCreate
from agent_server.threads.threads import Threads

BASE_URL = "http://server.test"
GRAPHS = ("agent",)


@dataclass
class Backend:
    """One server process: its own pool of connections and its own broker."""

    database: Database
    broker: MemoryBroker
    assistants: Assistants
    threads: Threads
    runs: Runs
    streams: RunStreams
    context: AttemptContext
    agents: Mapping[str, Agent] = field(default_factory=dict)

    async def thread(self) -> str:
        return (await self.threads.create(ThreadCreate())).thread_id

    async def run(self, thread_id: str | None, **body: Any) -> Run:
        """Create a run of the graph `agent`."""
        return await self.runs.create(
            msgspec.convert({"assistant_id": "agent", **body}, RunCreate), thread_id, RunOrigin(BASE_URL)
        )

    async def claim_one(self, lease_seconds: float = 30.0) -> Claim:
        [claim] = await self.runs.claim(1, lease_seconds)
        return claim

    async def row(self, run_id: str) -> Mapping[str, Any] | None:
        return await self.database.read(lambda c: c.one("SELECT * FROM runs WHERE run_id = :id", id=run_id))

    async def status(self, run_id: str) -> str | None:
        row = await self.row(run_id)
        return row["status"] if row else None

    async def thread_status(self, thread_id: str) -> str:
        return (await self.threads.get(thread_id)).status

    @asynccontextmanager
    async def worker(self, jobs: int = 100, lease_seconds: float = 30.0) -> AsyncIterator[Worker]:
        """Run a worker; stop it in good order at the end of the block."""
        worker = Worker(self.agents, self.context, jobs, lease_seconds)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(worker.serve)
                try:
                    yield worker
                finally:
                    worker.stop()

    async def events(self, run_id: str) -> list[tuple[str, Any]]:
        """Return the run's events to its end, as clients read them."""
        return [event async for chunk in self.streams.follow(run_id) for event in parsed(chunk)]


@asynccontextmanager
async def open_backend(
    database_url: str,
    agents: Mapping[str, object] | None = None,
    *,
    patience: float | None = None,
    feedback: FeedbackUrls | None = None,
    feedback_on_error: bool = True,
    mint_timeout: float = 5.0,
    stop_seconds: float = 10.0,
    keep: float = 120.0,
    max_bytes: int = 16 * 1024**2,
    webhooks: WebhookPolicy | None = None,
    config: Config | None = None,
) -> AsyncIterator[Backend]:
    """Open a server's services over the database. Without `agents` no worker can run its only graph, `agent`.

    `patience`: for how many seconds PostgreSQL may not respond, instead of the server's ten.
    """
    async with (
        _database(database_url, patience) as database,
        MemoryBroker(keep=keep, max_bytes=max_bytes) as broker,
        open_agents(config or _config(database_url), agents or {}, database=database) as opened,
    ):
        await database.migrate("agent_server")
        assistants = Assistants(database)
        await assistants.register(opened or GRAPHS)
        runs = Runs(database, broker, assistants, webhooks)
        context = AttemptContext(
            runs, broker, feedback, RunTokens(feedback), feedback_on_error, mint_timeout, stop_seconds=stop_seconds
        )
        streams = RunStreams(runs, broker, feedback)
        yield Backend(database, broker, assistants, Threads(database), runs, streams, context, opened)


def _config(database_url: str) -> Config:
    return Config(Path(), database_url=database_url if database_url.startswith("postgres") else None)


def _database(url: str, patience: float | None) -> Database:
    return open_database(url) if patience is None else PostgresDatabase(url, patience=patience)


def parsed(chunk: bytes) -> list[tuple[str, Any]]:
    """Return name and data of the events in a piece of a stream."""
    return [(name, data) for name, data, _ in parsed_with_ids(chunk)]


def parsed_with_ids(chunk: bytes) -> list[tuple[str, Any, str]]:
    events = []
    for block in chunk.decode().split("\r\n\r\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\r\n") if line and not line.startswith(":"))
        if fields:
            events.append((fields["event"], msgspec.json.decode(fields["data"]), fields["id"]))
    return events


def names(events: Sequence[tuple[Any, ...]]) -> list[str]:
    return [event[0] for event in events]


class MintedUrls:
    """Numbered feedback URLs, so that a test can distinguish fresh ones from old ones."""

    def __init__(self, before: Callable[[], Any] | None = None) -> None:
        self.count = 0
        self._before = before

    async def urls_for_run(
        self, run: RunReference, keys: Sequence[str], base_url: str, _project: str | None
    ) -> dict[str, str]:
        if self._before is not None:
            await self._before()
        self.count += 1
        return {key: f"{base_url}/feedback/{run.run_id}/{key}/{self.count}" for key in keys}

    def token_for_run(self, _run_id: str, _project: str | None) -> str | None:
        return None

    async def feedback_for_run(self, _run_id: str, _project: str | None) -> Sequence[Any]:
        return []


async def until(true: Callable[[], Any], seconds: float = 15.0) -> None:
    """Wait until `true()`, awaited if possible, is true."""
    with anyio.fail_after(seconds):
        while True:
            value = true()
            if await value if hasattr(value, "__await__") else value:
                return
            await anyio.sleep(0.01)


def unknown_id() -> str:
    return str(uuid4())


__all__ = [
    "BASE_URL",
    "START",
    "Backend",
    "MintedUrls",
    "names",
    "open_backend",
    "parsed",
    "parsed_with_ids",
    "unknown_id",
    "until",
]
