"""The WebSocket of `/threads/{thread_id}/stream/events`: commands one way, their results and events the other.

As the official server (langgraph-api 0.16.7) and its clients do, a refused client is accepted and then closed with code
4000 plus the HTTP status, since browsers cannot read the status of a refused handshake.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import structlog
from anyio.abc import TaskGroup
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath

from agent_server.agents import RequestContext, set_request_context
from agent_server.asgi.json_codec import encode
from agent_server.asgi.sse import FAREWELL_SECONDS, SEND_TIMEOUT_SECONDS, frame_data
from agent_server.broker import SlowSubscriber
from agent_server.config import Config
from agent_server.errors import AgentServerError, Forbidden, Invalid, NotFound
from agent_server.routes.authentication import RequestAuthenticator
from agent_server.routes.authorization import get_caller, get_ownership
from agent_server.routes.cors import MAY_CROSS
from agent_server.routes.event_streaming import build_sender
from agent_server.routes.request_body import decode_request_body
from agent_server.runs.events.event import read_seq
from agent_server.runs.events.schema import CommandDone, CommandRefused, EventStreamRequest, Meant
from agent_server.streams.commands import Command, Commands, Refusal, convert_params, parse_command
from agent_server.streams.event_streams import EventStreams
from agent_server.streams.run_streams import RunStreams

log = structlog.get_logger("agent_server")

Socket = WebSocket[Any, Any, Any]
MAX_SUBSCRIPTIONS = 100
RESTARTS, TRY_AGAIN = 1012, 1013
"""Close codes after which clients reconnect."""


class _Stopped(Exception):
    """The socket must be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@websocket("/threads/{thread_id:str}/stream/events")
async def event_socket(
    thread_id: FromPath[str],
    socket: Socket,
    authenticator: NamedDependency[RequestAuthenticator],
    commands: NamedDependency[Commands],
    event_streams: NamedDependency[EventStreams],
    streams: NamedDependency[RunStreams],
    server_config: NamedDependency[Config],
) -> None:
    """Execute the client's commands: `subscription.subscribe`, `subscription.unsubscribe`, and all others."""
    session = _Session(socket, thread_id, authenticator, commands, event_streams, server_config)
    try:
        try:
            _check_origin(socket, server_config)
            await session.let_in()
        finally:  # also to refuse; before it, the server reads no frame
            await socket.accept()
        await session.serve(streams.closing)
    except* WebSocketDisconnect:
        pass
    except* _Stopped as stopped:
        await _close(socket, stopped.exceptions[0])
    except* AgentServerError as errors:
        await _close(socket, errors.exceptions[0])


class _Session:
    """One socket."""

    def __init__(
        self,
        socket: Socket,
        thread_id: str,
        authenticator: RequestAuthenticator,
        commands: Commands,
        event_streams: EventStreams,
        config: Config,
    ) -> None:
        self._socket = socket
        self._thread_id = thread_id
        self._authenticator = authenticator
        self._commands = commands
        self._event_streams = event_streams
        self._config = config
        self._subscriptions: dict[str, anyio.CancelScope] = {}
        self._last_seq = 0

    async def serve(self, closing: anyio.Event) -> None:
        """Serve until the client leaves. Errors, to disconnect the client: `_Stopped`, and those of `let_in`."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._stop_on, closing)
            while True:
                text = await self._socket.receive_data("text")
                await self.let_in()  # again for every command: the key may have been revoked meanwhile
                await self._send(encode(await self._execute(text, group)))

    async def let_in(self) -> None:
        """Authenticate the client. Errors: those of `RequestAuthenticator.let_in`."""
        await self._authenticator.let_in(self._socket)
        caller, rules = get_caller(self._socket), self._config.http.configurable_headers
        set_request_context(
            RequestContext(caller.user.dict() if caller else None, rules.select(self._socket.scope["headers"]))
        )

    async def _stop_on(self, closing: anyio.Event) -> None:
        await closing.wait()
        await anyio.sleep(FAREWELL_SECONDS)
        raise _Stopped(RESTARTS, "the server stops")

    async def _execute(self, text: str | bytes, group: TaskGroup) -> CommandDone | CommandRefused:
        body = text.encode("utf-8", "replace") if isinstance(text, str) else text
        try:
            command = parse_command(await decode_request_body(body, self._config.max_body_bytes))
        except AgentServerError as error:
            return CommandRefused(None, "invalid_argument", str(error))
        if isinstance(command, CommandRefused):
            return command
        try:
            return await self._execute_command(command, group)
        except Refusal as refusal:
            return CommandRefused(command.id, refusal.code, str(refusal))
        except Forbidden as error:
            return CommandRefused(command.id, "permission_denied", str(error))
        except (Invalid, NotFound) as error:
            return CommandRefused(command.id, "invalid_argument", str(error))

    async def _execute_command(self, command: Command, group: TaskGroup) -> CommandDone | CommandRefused:
        if command.method == "subscription.subscribe":
            return await self._subscribe(command, group)
        if command.method == "subscription.unsubscribe":
            return self._unsubscribe(command)
        await self._authenticator.authorize_command(self._socket, command.method, command.params)
        return await self._commands.execute(build_sender(self._socket, self._config, self._thread_id), command)

    async def _subscribe(self, command: Command, group: TaskGroup) -> CommandDone:
        request = convert_params(command.params, EventStreamRequest)
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Refusal("not_supported", f"A socket has at most {MAX_SUBSCRIPTIONS} subscriptions; end one first")
        try:
            await self._authenticator.authorize_reading(self._socket)
            events = await self._event_streams.follow(self._thread_id, request, get_ownership(self._socket, "threads"))
        except NotFound as error:  # as over HTTP
            raise _Stopped(4404, str(error)) from None
        name = str(uuid4())
        scope = self._subscriptions[name] = anyio.CancelScope()
        group.start_soon(self._stream, events, scope)
        return CommandDone(command.id, {"subscription_id": name, "replayed_events": 0}, Meant(self._last_seq))

    def _unsubscribe(self, command: Command) -> CommandDone:
        name = command.params.get("subscription_id")
        if not isinstance(name, str) or (scope := self._subscriptions.pop(name, None)) is None:
            raise Refusal("no_such_subscription", f"Unknown subscription: {name}")
        scope.cancel()
        return CommandDone(command.id, {}, Meant(self._last_seq))

    async def _stream(self, events: Any, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                async for frames in events:
                    for one in frames:
                        await self._send(frame_data(one.data))
                        self._last_seq = max(self._last_seq, read_seq(one))
            except SlowSubscriber:
                raise _Stopped(TRY_AGAIN, "the client does not keep up") from None
            raise _Stopped(4404, "the thread is gone")

    async def _send(self, message: bytes) -> None:
        with anyio.move_on_after(SEND_TIMEOUT_SECONDS) as waiting:
            try:
                await self._socket.send_data(message.decode())
            except (OSError, RuntimeError):  # raised by ASGI servers once the client has left
                raise WebSocketDisconnect(detail="the client has left") from None
        if waiting.cancelled_caught:
            raise _Stopped(TRY_AGAIN, "the client does not read")


def _check_origin(socket: Socket, config: Config) -> None:
    """Refuse pages of origins that may not call this server: browsers let every page open a socket."""
    origin = socket.headers.get("origin")
    if origin is None or socket.scope["state"].get(MAY_CROSS):
        return
    ours = {socket.headers.get("host", ""), urlsplit(config.public_url or "").netloc}
    if urlsplit(origin).netloc not in ours:
        raise Forbidden("This server does not take calls from pages of this origin")


async def _close(socket: Socket, error: BaseException) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    code = error.code if isinstance(error, _Stopped) else 4000 + getattr(error, "status_code", 500)
    log.info("socket_closed", code=code)
    try:
        await socket.close(code, str(error).encode()[:120].decode(errors="ignore"))
    except RuntimeError:  # the client has left
        return


HANDLERS = [event_socket]
