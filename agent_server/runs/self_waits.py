"""Warn of graphs that call their own server and wait for themselves: such runs never end.

A run on a thread starts after the running one has ended, and every run needs a free slot of a worker. A node that waits
for a run which waits for the node's own run, or for its slot, waits for ever. Such nodes are found in the process that
executes them: by the HTTP call in their stack, its address, and the runs at work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
import structlog

from agent_server.agents.node_stacks import WaitingCall, find_waiting_calls
from agent_server.database import Connection, Database
from agent_server.errors import AgentServerError
from agent_server.runs.worker import Worker

log = structlog.get_logger("agent_server")

LOOK_SECONDS = 5.0
"""How often the nodes at work are examined. A node is named once two looks have found it in the same call."""
PATIENCE_SECONDS = 5.0
"""How long a run must have waited for a slot before the runs in the slots are named."""
MOST_HOSTS = 100
_ID = "[0-9a-fA-F-]{36}"
_WAITS = re.compile(
    rf"(?:/threads/(?P<thread>{_ID}))?/runs/(?:(?:wait|stream)|(?P<run>{_ID})/(?P<how>join|stream))/?$", re.ASCII
)
ADVICE = (
    "use a thread of its own for the inner run, start it without waiting (`POST …/runs`, then return), or call the "
    "other graph as a subgraph"
)
MORE_SLOTS = "raise AGENT_SERVER_JOBS, or call the other graph as a subgraph"


class _Wait(NamedTuple):
    """A node that waits for a run of this server."""

    call: WaitingCall
    thread_id: str | None
    waits_for: str | None


class SelfWaits:
    """Examines the nodes at work in this process."""

    def __init__(self, database: Database, worker: Worker, public_url: str | None) -> None:
        self._database = database
        self._worker = worker
        self._hosts = {urlsplit(public_url or "").netloc.lower()}
        self._before: set[WaitingCall] = set()
        self._named: set[WaitingCall] = set()
        self._looking: anyio.CancelScope | None = None

    def saw_host(self, host: str | None) -> None:
        """Remember the `Host` of a request: a call to it is a call to this server."""
        if host and len(self._hosts) < MOST_HOSTS:
            self._hosts.add(host.lower())

    async def serve(self) -> None:
        """Look every few seconds until `stop` is called."""
        with anyio.CancelScope() as self._looking:
            while True:
                await anyio.sleep(LOOK_SECONDS)
                with suppress(AgentServerError):  # the database is unavailable, and logs that itself
                    await self.look()

    def stop(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()

    async def look(self) -> None:
        """Look once; log nodes that waited in vain at the previous look, too. Each is logged once."""
        waits = list(self._waits()) if self._worker.busy else []
        lasting = [wait for wait in waits if wait.call in self._before]
        self._before = {wait.call for wait in waits}
        self._named &= self._before
        stuck = self._find_circles(lasting)
        for wait in stuck:
            self._name(wait, "the run that it waits for cannot start or end before this one has ended", ADVICE)
        if lasting and self._fills_all_slots(lasting) and await self._database.read(_has_waited):
            jobs = self._worker.jobs
            for wait in lasting:
                reason = f"all {jobs} slots of this worker are taken by runs that wait for other runs to get one"
                self._name(wait, reason, MORE_SLOTS)

    def _waits(self) -> Iterable[_Wait]:
        for call in find_waiting_calls():
            address = urlsplit(call.url)
            found = _WAITS.search(address.path)
            if found and address.netloc.lower() in self._hosts and call.run_id in self._worker.at_work:
                if found["run"] == call.run_id and found["how"] == "stream":
                    continue  # it may stop to read before its run ends
                yield _Wait(call, found["thread"], found["run"])

    def _find_circles(self, waits: list[_Wait]) -> list[_Wait]:
        """Return the waits that only end after themselves."""
        by_thread = {attempt.run.thread_id: run_id for run_id, attempt in self._worker.at_work.items()}
        ahead = {wait.call.run_id: _run_ahead(wait, by_thread) for wait in waits}
        return [wait for wait in waits if _comes_back(wait.call.run_id, ahead)]

    def _fills_all_slots(self, waits: list[_Wait]) -> bool:
        return self._worker.busy >= self._worker.jobs and self._worker.at_work.keys() <= {
            wait.call.run_id for wait in waits
        }

    def _name(self, wait: _Wait, reason: str, advice: str) -> None:
        call = wait.call
        if call in self._named:
            return
        self._named.add(call)
        log.warning(
            "graph_waits_for_itself",
            graph_id=call.graph_id,
            node=call.node,
            run_id=call.run_id,
            call=f"{call.method} {urlsplit(call.url).path}",
            reason=reason,
            advice=advice,
        )


def _run_ahead(wait: _Wait, by_thread: dict[str, str]) -> str | None:
    """Return the run at work that must end before this wait does, if this process executes it."""
    return by_thread.get(wait.thread_id) if wait.thread_id else wait.waits_for


def _comes_back(run_id: str, ahead: dict[str, str | None]) -> bool:
    at = ahead.get(run_id)
    for _ in ahead:
        if at is None or at == run_id:
            break
        at = ahead.get(at)
    return at == run_id


def _has_waited(connection: Connection) -> bool:
    """Return whether a run whose thread is free has been waiting for longer than a look."""
    return (
        connection.one(
            """SELECT 1 AS x FROM runs AS next WHERE next.status = 'pending' AND next.start_at <= now_us() - :patience
            AND NOT EXISTS (SELECT 1 FROM runs AS other
                WHERE other.thread_id = next.thread_id AND other.status = 'running') LIMIT 1""",
            patience=int(PATIENCE_SECONDS * 1_000_000),
        )
        is not None
    )
