"""Which routes need which scope: `run`, unless a handler's `opt` says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Request, WebSocket
from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Receive, Send

from agent_server.access.key_auth import ApiKeyAuth
from agent_server.access.page_origins import check_content_type
from agent_server.asgi.error_response import headers_of, refuse
from agent_server.errors import AgentServerError, Forbidden, TooMany, Unauthorized
from agent_server.routes.authorization import Authorization, caller_in, params_of

OPEN = {"access": "open"}
"""The `opt` of handlers that answer everybody."""
ANY_KEY = {"access": "any key"}
"""The `opt` of handlers that take every key, whatever its scopes, but those of a project."""
AUTHORIZED_IN_HANDLER = {"authorized_in_handler": True}
"""The `opt` of handlers that ask the application's rules themselves, since the body is not what the rules know."""
PROJECT = "agent_server_project"


class RequestAuthenticator:
    """Lets requests in: by the application's own rules where it has some, and else by their API keys."""

    def __init__(self, key_auth: ApiKeyAuth) -> None:
        self._key_auth = key_auth
        self.rules: Authorization | None = None

    async def let_in(self, request: Request[Any, Any, Any] | WebSocket[Any, Any, Any]) -> None:
        """Return where the request may come in. Errors: `Unauthorized`, `Forbidden`, and the application's own."""
        access = request.route_handler.opt.get("access")
        if access == "open" or (request.scope.get("method") == "OPTIONS" and self.rules is None):
            return
        await self._identify(request, access)
        check_content_type(request.headers)

    async def _identify(self, request: Request[Any, Any, Any] | WebSocket[Any, Any, Any], access: str | None) -> None:
        if self.rules is not None:
            if access is None or not await self._shows_a_key(request):  # what watches a server is nobody's user
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
        """As `let_in`, for a route that is not ours, of an application beside ours.

        The application's rules put who it is where Starlette's `request.user` and `request.auth` find it.
        """
        if self.rules is None:
            await self._key_auth.check(ASGIConnection(scope))
            return
        from starlette.authentication import AuthCredentials  # there, since it is Starlette's app that needs it

        caller = await self.rules.caller(scope)
        scope["user"], scope["auth"] = caller.user, AuthCredentials(caller.permissions)

    async def authorize(self, request: Request[Any, Any, Any]) -> None:
        """Return where the application's rules, if any, allow the request, whose body is checked.

        A handler whose `opt` has `authorized_in_handler` calls `authorize_as` itself.
        """
        opt = request.route_handler.opt
        asks_itself = opt.get("access") is not None or opt.get("authorized_in_handler")
        if self.rules is not None and not asks_itself and request.method != "OPTIONS":
            await self.rules.authorize(request)

    async def needs_key(self) -> bool:
        """Whether callers must send an API key, or what the application's rules want."""
        return self.rules is not None or await self._key_auth.needs_key()

    async def authorize_run(self, request: Request[Any, Any, Any], body: dict[str, Any]) -> None:
        """Return where the application's rules, if any, allow a run; they may change `body`, shaped as `RunCreate`.

        Its `thread_id` is the thread that the run is to be on, if it is to be on one.
        """
        thread_id = body.get("thread_id")
        path = {"thread_id": str(thread_id)} if thread_id else {}
        await self.authorize_as(request, "create_run" if thread_id else "create_stateless_run", body, path)

    async def authorize_as(
        self, request: Request[Any, Any, Any], handler: str, body: dict[str, Any], path: Mapping[str, str]
    ) -> None:
        """Return where the application's rules, if any, allow what the request means.

        A protocol whose requests have a shape of their own names the `handler` of the same operation, with the `body`
        and the `path` parameters that this handler would get. What the rules change is in `body` afterwards.
        """
        if self.rules is not None:
            await self.rules.hold(request, handler, body, path)

    async def authorize_reading(self, socket: WebSocket[Any, Any, Any]) -> None:
        """Return where the rules, if there are any, let the socket's caller read the thread."""
        if self.rules is not None:
            await self.rules.hold(socket, "event_socket", {})

    async def authorize_command(self, socket: WebSocket[Any, Any, Any], method: str, params: dict[str, Any]) -> None:
        """Return where the rules, if there are any, allow a command that came over the socket."""
        if self.rules is not None:
            await self.rules.hold(socket, "thread_command", params_of(method, params))


def hiding_routes(app: ASGIApp, authenticator: RequestAuthenticator) -> ASGIApp:
    """Return our app; where the application has rules, callers that they do not know get 401 for unknown routes, too.

    Otherwise, anyone could tell from a 404 or 405 which routes there are.
    """

    async def hiding(scope: Any, receive: Receive, send: Send) -> None:
        refused: list[AgentServerError] = []

        async def sending(message: Any) -> None:
            is_nowhere = message["type"] == "http.response.start" and "route_handler" not in scope
            if is_nowhere and authenticator.rules is not None and not refused:
                try:
                    await authenticator.rules.caller(scope)
                except AgentServerError as error:
                    refused.append(error)
                    await refuse(send, error.status_code, str(error), headers_of(error))
            if not refused:
                await send(message)

        await app(scope, receive, sending if scope["type"] == "http" else send)

    return hiding


def project_in(request: Request[Any, Any, Any] | WebSocket[Any, Any, Any]) -> str | None:
    """The project that feedback on the request's runs is of: its key's, or its user's `feedback_project`."""
    if (caller := caller_in(request)) is None:
        project: str | None = request.scope["state"].get(PROJECT)
        return project
    return caller.feedback_project
