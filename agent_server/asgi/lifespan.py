"""Run the lifespan of an ASGI app within ours, as a server would.

Source: the lifespan protocol of the ASGI specification (version 2.0). The package asgi-lifespan gives all requests one
shared state, and hangs if an app reports a failed start and then returns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import structlog

from agent_server.config import ConfigError

log = structlog.get_logger("agent_server")

STOP_SECONDS = 10.0


@asynccontextmanager
async def run_lifespan(app: Any, name: str) -> AsyncIterator[dict[str, Any]]:
    """Start the app; yield the state for its requests; stop the app at the end of the block.

    The state is empty if the app does not support lifespans. Errors: `ConfigError` if the app reports that its start
    failed.
    """
    life = _Life(app, name)
    async with anyio.create_task_group() as group:
        group.start_soon(life.run)
        await life.started.wait()
        if life.failure is not None:
            raise ConfigError(f"{name}: it could not start\n{life.failure}".rstrip())
        try:
            yield life.state
        finally:
            await life.stop()
            group.cancel_scope.cancel()


class _Life:
    def __init__(self, app: Any, name: str) -> None:
        self.state: dict[str, Any] = {}
        self.failure: str | None = None
        self.started = anyio.Event()
        self._app = app
        self._name = name
        self._requests = 0
        self._stopping = anyio.Event()
        self._stopped = anyio.Event()

    async def run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # before the start, apps without lifespan support raise
            if self.started.is_set():
                log.error("app_failed_beside_its_requests", app=self._name, exc_info=error)
        finally:
            self.started.set()
            self._stopped.set()

    async def stop(self) -> None:
        """Tell the app to stop, and wait for it, for a limited time."""
        self._stopping.set()
        with anyio.CancelScope(shield=True), anyio.move_on_after(STOP_SECONDS) as patience:
            await self._stopped.wait()
        if patience.cancelled_caught:
            log.warning("app_did_not_stop", app=self._name, seconds=STOP_SECONDS)

    async def _receive(self) -> dict[str, str]:
        self._requests += 1
        if self._requests == 1:
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.failed":
            self.failure = str(message.get("message", ""))
        elif message["type"] == "lifespan.shutdown.failed":
            log.error("app_did_not_stop", app=self._name, message=str(message.get("message", "")))
        if message["type"].startswith("lifespan.startup"):
            self.started.set()
        else:
            self._stopped.set()
