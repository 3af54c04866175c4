"""The clock of the crons: starts due runs, each once, in any number of processes.

Firing is one transaction: it takes a due cron that no other process has locked, advances its next date by
compare-and-set, and inserts the run. So both happen or neither, and no two processes fire the same date. The next date
counts from now: after a downtime a cron fires once, not for every date that it missed.
"""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import structlog

from agent_server.database import Connection, Database, Row
from agent_server.errors import AgentServerError, BadRequest, Invalid, NotFound, ThreadBusy
from agent_server.observability.failures import FailureLog
from agent_server.observability.metrics import Metrics
from agent_server.runs.crons.schedule import next_date
from agent_server.runs.queue import Begun, Runs
from agent_server.runs.records import RunOrigin
from agent_server.schema import RunCreate
from agent_server.threads.threads import merge_metadata

log = structlog.get_logger("agent_server")

LOOK_SECONDS = 1.0

_DUE = "enabled = 1 AND next_run_date <= now_us()"
_NEXT_DUE = f"SELECT crons.*, now_us() AS now FROM crons WHERE {_DUE} ORDER BY next_run_date, cron_id LIMIT 1"


class _Refused(Exception):
    """A cron's run cannot be created. Rolls back the transaction."""

    def __init__(self, cron: Row, reason: AgentServerError) -> None:
        super().__init__(str(reason))
        self.cron = cron
        self.reason = reason


class CronClock:
    """Fires the crons that are due."""

    def __init__(
        self, database: Database, runs: Runs, metrics: Metrics | None = None, public_url: str | None = None
    ) -> None:
        """`public_url` is the base of the runs' feedback URLs; without it, crons use that of their creator's request.

        That one follows the request's `Host`, which any client can choose.
        """
        self._public_url = public_url
        self._database = database
        self._runs = runs
        self._metrics = metrics or Metrics()
        self._firing = FailureLog("crons_unreachable")
        self._ticking: anyio.CancelScope | None = None

    async def serve(self) -> None:
        """Fire due crons every second until `stop` is called."""
        with anyio.CancelScope() as self._ticking:
            while True:
                try:
                    await self.fire_due()
                    self._firing.record_success()
                except AgentServerError as error:
                    self._firing.record_failure(error)
                except Exception:  # from one cron; the server must survive it
                    log.exception("crons_failed")
                await anyio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Stop firing."""
        if self._ticking is not None:
            self._ticking.cancel()

    async def fire_due(self) -> int:
        """Fire all due crons that no other process is firing; return how many runs started."""
        started = 0
        due = await self._database.read(_is_due)  # a read, unlike a write, blocks no other writer
        while due:
            try:
                due, begun = await self._database.write(self._fire_next)
            except _Refused as refused:
                await self._skip(refused)
                continue
            if begun is not None:
                started += 1
                run, overtaken = begun
                self._metrics.count_cron("fired")
                log.info("cron_fired", run_id=run.run_id, thread_id=run.thread_id)
                await self._runs.announce(overtaken, run.thread_id)
        return started

    def _fire_next(self, connection: Connection) -> tuple[bool, Begun | None]:
        """Return whether an unlocked cron was due, and the run that it started, unless its end has passed."""
        cron = connection.one(f"{_NEXT_DUE} {connection.skip_locked}")
        if cron is None:
            return False, None
        try:
            if not _move_on(connection, cron) or (cron["end_time"] is not None and cron["end_time"] < cron["now"]):
                return True, None
            return True, self._start(connection, cron)
        except (NotFound, Invalid, BadRequest, ThreadBusy, msgspec.ValidationError) as error:
            raise _Refused(cron, error if isinstance(error, AgentServerError) else Invalid(str(error))) from error

    def _start(self, connection: Connection, cron: Row) -> Begun:
        metadata = msgspec.json.decode(cron["metadata"])
        body = msgspec.convert(_body(cron, metadata), RunCreate)
        origin = RunOrigin(self._public_url or cron["base_url"], cron["caller"], project=cron["project"])
        begun = self._runs.insert(connection, body, cron["thread_id"], origin)
        if cron["thread_id"] is None:
            merge_metadata(connection, begun[0].thread_id, metadata)
        return begun

    async def _skip(self, refused: _Refused) -> None:
        """Skip this date. A cron whose thread is busy fires again; any other is disabled, for it has lost what it
        needs."""
        cron = refused.cron
        if isinstance(refused.reason, ThreadBusy):
            self._metrics.count_cron("skipped")
            log.info("cron_skipped", cron_id=cron["cron_id"], reason=str(refused))
            await self._database.write(lambda c: _move_on(c, cron))
            return
        self._metrics.count_cron("disabled")
        log.warning("cron_disabled", cron_id=cron["cron_id"], reason=str(refused))
        await self._database.write(
            lambda c: c.execute(
                "UPDATE crons SET enabled = 0, updated_at = now_us() WHERE cron_id = :id AND next_run_date = :seen",
                id=cron["cron_id"],
                seen=cron["next_run_date"],
            )
        )


def _is_due(connection: Connection) -> bool:
    return connection.one(f"SELECT 1 AS x FROM crons WHERE {_DUE} LIMIT 1") is not None


def _move_on(connection: Connection, cron: Row) -> bool:
    """Set the next date, unless another process already has; return whether this call set it."""
    return bool(
        connection.execute(
            "UPDATE crons SET next_run_date = :next WHERE cron_id = :id AND next_run_date = :seen AND enabled = 1",
            id=cron["cron_id"],
            seen=cron["next_run_date"],
            next=next_date(cron["schedule"], cron["timezone"], cron["now"], cron["end_time"]),
        )
    )


def _body(cron: Row, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the body of the cron's next run.

    Its metadata has the cron's id; so does, as on the official server, its `config.configurable`, unless the run has a
    context, which excludes it.
    """
    body: dict[str, Any] = msgspec.json.decode(cron["payload"])
    body["metadata"] = {**metadata, **(body.get("metadata") or {}), "cron_id": cron["cron_id"]}
    if not body.get("context"):
        config = body.get("config") or {}
        configurable = {**(config.get("configurable") or {}), "cron_id": cron["cron_id"]}
        body["config"] = {**config, "configurable": configurable}
    if cron["thread_id"] is None:
        body["on_completion"] = cron["on_run_completed"]
    return body
