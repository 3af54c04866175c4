"""Authentication of requests. A route needs the scope `run` unless its handler's `opt` names another."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from litestar import Request, WebSocket
from litestar.connection import ASGIConnection
from litestar.openapi.spec import SecurityRequirement
from litestar.types import ASGIApp, Receive, Send

from agent_server.access.key_auth import ApiKeyAuth
from agent_server.access.page_origins import check_content_type
from agent_server.asgi.error_response import get_headers, refuse
from agent_server.errors import AgentServerError, Forbidden, TooMany, Unauthorized
from agent_server.routes.authorization import Authorization, get_caller, read_params

OPEN = {"access": "open"}
"""The `opt` of handlers that need no authentication."""
NO_KEY: list[SecurityRequirement] = [{}]
"""The `security` in the OpenAPI document of handlers that need no authentication."""
ANY_KEY = {"access": "any key"}
"""The `opt` of handlers that accept any API key, whatever its scopes, except keys of a project."""
AUTHORIZED_IN_HANDLER = {"authorized_in_handler": True}
"""The `opt` of handlers that call the application's rules themselves, since these expect another body."""
PROJECT = "agent_server_project"


class RequestAuthenticator:
    """Authenticates requests by the application's own rules if it has some, otherwise by API key."""

    def __init__(self, key_auth: ApiKeyAuth) -> None:
        self._key_auth = key_auth
        self.rules: Authorization | None = None

    async def let_in(self, request: Request[Any, Any, Any] | WebSocket[Any, Any, Any]) -> None:
        """Check that the request is authenticated. Errors: `Unauthorized`, `Forbidden`, and the application's own."""
        access = request.route_handler.opt.get("access")
        if access == "open" or (request.scope.get("method") == "OPTIONS" and self.rules is None):
            return
        await self._identify(request, access)
        check_content_type(request.headers)

    async def _identify(self, request: Request[Any, Any, Any] | WebSocket[Any, Any, Any], access: str | None) -> None:
        if self.rules is not None:
            if access is None or not await self._shows_a_key(request):  # monitoring has a key, but no user
                await self.rules.identify(request)
            return
        key = await self._key_auth.check(request, "run" if access is None else None)
        if key is not None and key.project is not None:
            if access is not None:
                raise Forbidden(f"The API key is of the project {key.project!r}; this needs one that is of none")
            request.scope["state"][PROJECT] = key.project

    async def _shows_a_key(self, request: Any) -> bool:
        try:
            key = await self._key_auth.check(request, None)
        except (Unauthorized, TooMany):
            return False
        return key is not None and key.project is None

    async def let_in_elsewhere(self, scope: Any) -> None:
        """As `let_in`, for a route of the user's own app.

        The user is put where Starlette's `request.user` and `request.auth` find it.
        """
        if self.rules is None:
            await self._key_auth.check(ASGIConnection(scope))
            return
        from starlette.authentication import AuthCredentials  # imported here, since only a Starlette app needs it

        caller = await self.rules.caller(scope)
        scope["user"], scope["auth"] = caller.user, AuthCredentials(caller.permissions)

    async def authorize(self, request: Request[Any, Any, Any]) -> None:
        """Check that the application's rules, if any, allow the request, whose body is checked already.

        A handler whose `opt` has `authorized_in_handler` calls `authorize_as` itself.
        """
        opt = request.route_handler.opt
        asks_itself = opt.get("access") is not None or opt.get("authorized_in_handler")
        if self.rules is not None and not asks_itself and request.method != "OPTIONS":
            await self.rules.authorize(request)

    async def needs_key(self) -> bool:
        """Return whether callers must send an API key or the credentials that the application's rules need."""
        return self.rules is not None or await self._key_auth.needs_key()

    async def authorize_run(self, request: Request[Any, Any, Any], body: dict[str, Any]) -> None:
        """Check that the application's rules, if any, allow a run; they may change `body`, shaped as `RunCreate`.

        Its `thread_id` is the run's thread, if the run has one.
        """
        thread_id = body.get("thread_id")
        path = {"thread_id": str(thread_id)} if thread_id else {}
        await self.authorize_as(request, "create_run" if thread_id else "create_stateless_run", body, path)

    async def authorize_as(
        self, request: Request[Any, Any, Any], handler: str, body: dict[str, Any], path: Mapping[str, str]
    ) -> None:
        """Check that the application's rules, if any, allow the operation that the request stands for.

        A protocol with request shapes of its own names the `handler` of the same operation, and passes the `body` and
        the `path` parameters that this handler would get. The rules' changes are in `body` afterwards.
        """
        if self.rules is not None:
            await self.rules.hold(request, handler, body, path)

    async def authorize_reading(self, socket: WebSocket[Any, Any, Any]) -> None:
        """Check that the rules, if any, let the socket's caller read the thread."""
        if self.rules is not None:
            await self.rules.hold(socket, "event_socket", {})

    async def authorize_command(self, socket: WebSocket[Any, Any, Any], method: str, params: dict[str, Any]) -> None:
        """Check that the rules, if any, allow a command received over the socket."""
        if self.rules is not None:
            await self.rules.hold(socket, "thread_command", read_params(method, params))


def hide_routes(app: ASGIApp, authenticator: RequestAuthenticator) -> ASGIApp:
    """Return our app; if the application has rules, unknown routes also return 401 to unauthenticated callers.

    Otherwise, anyone could tell from a 404 or 405 which routes exist.
    """

    def respond(scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        if authenticator.rules is None or scope["type"] != "http":
            return app(scope, receive, send)
        return _respond_unless_hidden(app, authenticator.rules, scope, receive, send)

    return respond


async def _respond_unless_hidden(app: ASGIApp, rules: Authorization, scope: Any, receive: Receive, send: Send) -> None:
    is_refused = False

    async def send_unless_hidden(message: Any) -> None:
        nonlocal is_refused
        if message["type"] == "http.response.start" and "route_handler" not in scope and not is_refused:
            try:
                await rules.caller(scope)
            except AgentServerError as error:
                is_refused = True
                await refuse(send, error.status_code, str(error), get_headers(error))
        if not is_refused:
            await send(message)

    await app(scope, receive, send_unless_hidden)


def read_project(request: Request[Any, Any, Any] | WebSocket[Any, Any, Any]) -> str | None:
    """Return the project of feedback on the request's runs: its API key's, or its user's `feedback_project`."""
    if (caller := get_caller(request)) is None:
        project: str | None = request.scope["state"].get(PROJECT)
        return project
    return caller.feedback_project
