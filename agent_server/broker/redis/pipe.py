"""One connection for all commands that do not block: commands of one step of the event loop share a round trip.

Commands execute in the order in which they were sent, those of one round trip as one transaction. So a query after a
publish sees the published frames, and no reader sees frames that are trimmed in the same step. Frames of one run that
wait for a round trip share an entry (`entries.py`).

While Redis does not respond, commands under way and new ones are lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from agent_server.broker.protocol import Frame, FrameId
from agent_server.broker.redis.entries import ENTRY_BYTES, STALE, Command, FramePart, append, to_part
from agent_server.broker.redis.outage import Outage

RETRY_SECONDS = 1.0
"""How often a Redis that does not respond is retried."""
MAX_BYTES_UNDER_WAY = 8 * 1024**2
"""Above this, publishers wait."""
MAX_COMMANDS = 512
"""Maximum number of commands in one round trip."""
MAX_QUESTIONS = 16
"""Maximum number of queries in one round trip, whose replies may be large."""


class Silent(Exception):
    """Redis does not respond."""


class _Order:
    """A command that waits for its round trip, or is under way."""

    __slots__ = ("_command", "reply", "size")

    def __init__(self, command: Command, reply: asyncio.Future[Any] | None = None) -> None:
        self._command = command
        self.size = 64 + sum(len(part) for part in command if not isinstance(part, int))
        self.reply = reply

    def build(self) -> Command:
        """Return the command, as its round trip begins."""
        return self._command


class _Append(_Order):
    """Appends frames to the log of a run; takes more of them while it waits."""

    __slots__ = ("_before", "_last", "_parts", "run_id")

    def __init__(self, run_id: str, before: FrameId) -> None:
        super().__init__(())
        self.run_id = run_id
        self._before = self._last = before
        self._parts: list[FramePart] = []

    def takes(self, frame: Frame, before: FrameId) -> bool:
        """Return whether the frame after the frame `before` may be added."""
        return before == self._last and frame.id.attempt == before.attempt and self.size < ENTRY_BYTES

    def add(self, frame: Frame) -> int:
        """Add the frame; return by how much the command has grown."""
        grown = 64 + len(frame.data)
        self._parts.append(to_part(frame))
        self._last = frame.id
        self.size += grown
        return grown

    def build(self) -> Command:
        return append(self.run_id, self._parts, self._last, self._before)


class Pipe:
    """Sends commands, and returns the replies of queries."""

    def __init__(self, client: Redis, outage: Outage) -> None:
        self._client = client
        self._outage = outage
        self._orders: deque[_Order] = deque()
        self._appends: dict[str, _Append] = {}
        """The waiting commands that take more frames, by run id."""
        self._bytes = 0
        self._sent = self._finished = 0
        """How many commands there were, and how many of them are executed or lost."""
        self._ready = asyncio.Event()
        self._moved = asyncio.Event()
        self.down = False
        """Whether commands are lost because Redis does not respond."""

    def send(self, command: Command) -> None:
        """Send a command without waiting for its reply."""
        if not self.down:
            self._put(_Order(command))

    def append(self, run_id: str, frame: Frame, before: FrameId) -> None:
        """Append a frame to the run's log, after the frame `before`, without waiting for a reply."""
        if self.down:
            return
        waiting = self._appends.get(run_id)
        if waiting is not None and waiting.takes(frame, before):
            self._bytes += waiting.add(frame)
            return
        waiting = self._appends[run_id] = _Append(run_id, before)
        waiting.add(frame)
        self._put(waiting)

    async def request(self, command: Command) -> Any:
        """Return the reply to a command. Errors: `Silent` if Redis does not respond."""
        if self.down:
            raise Silent
        reply = asyncio.get_running_loop().create_future()
        self._put(_Order(command, reply))
        return await reply

    async def wait_for_space(self) -> None:
        """Wait while too many bytes are under way."""
        while self._bytes > MAX_BYTES_UNDER_WAY and not self.down:
            self._moved.clear()
            await self._moved.wait()

    async def settle(self) -> None:
        """Wait until all commands so far are executed or lost."""
        last = self._sent
        while self._finished < last:
            self._moved.clear()
            await self._moved.wait()

    async def serve(self) -> None:
        """Execute commands until cancelled."""
        while True:
            await self._return()
            await self._ready.wait()
            await self._trip()

    async def _trip(self) -> None:
        """Execute the waiting commands, up to the limits of one round trip."""
        orders = self._next_batch()
        try:
            self._settle(orders, await self._carry_out(orders))
        except Exception as error:
            self._lose(orders, error)
            if not isinstance(error, (RedisError, OSError)):
                raise

    def _put(self, order: _Order) -> None:
        self._orders.append(order)
        self._bytes += order.size
        self._sent += 1
        self._ready.set()

    def _next_batch(self) -> list[_Order]:
        orders: list[_Order] = []
        questions = 0
        while self._orders and len(orders) < MAX_COMMANDS and questions < MAX_QUESTIONS:
            orders.append(order := self._orders.popleft())
            questions += order.reply is not None
            if isinstance(order, _Append) and self._appends.get(order.run_id) is order:
                del self._appends[order.run_id]
        if not self._orders:
            self._ready.clear()
        return orders

    async def _carry_out(self, orders: list[_Order]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=len(orders) > 1)
        for order in orders:
            pipeline.execute_command(*order.build())
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    def _settle(self, orders: list[_Order], replies: list[Any]) -> None:
        trouble: Exception | None = None
        for order, reply in zip(orders, replies, strict=True):
            if isinstance(reply, Exception) and STALE not in str(reply):
                trouble = reply
            if order.reply is not None and not order.reply.done():
                if isinstance(reply, Exception):
                    order.reply.set_exception(Silent())
                else:
                    order.reply.set_result(reply)
        self._finish_orders(orders)
        if trouble is None:
            self._outage.end("commands")
        else:
            self._outage.begin("commands", trouble)

    def _lose(self, orders: list[_Order], error: Exception) -> None:
        self.down = True
        self._outage.begin("commands", error)
        lost = [*orders, *self._orders]
        self._orders.clear()
        self._appends.clear()
        self._ready.clear()
        for order in lost:
            if order.reply is not None and not order.reply.done():
                order.reply.set_exception(Silent())
        self._finish_orders(lost)

    def _finish_orders(self, orders: list[_Order]) -> None:
        self._bytes -= sum(order.size for order in orders)
        self._finished += len(orders)
        self._moved.set()

    async def _return(self) -> None:
        """Wait until Redis responds to a ping; the next round trip shows whether it also accepts writes."""
        while self.down:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(RedisError, OSError):
                self.down = not await self._client.ping()
