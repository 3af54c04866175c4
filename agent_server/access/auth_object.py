"""The application's `Auth` object of `langgraph_sdk`: authenticates users and authorizes their operations.

It is loaded only if `langgraph.json` names one; only then the SDK must be installed.
Source: `langgraph_sdk.auth` 0.4.14, and the behaviour of the official server (0.16.7).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, cast

from anyio.to_thread import run_sync

from agent_server.access.caller import Caller, parse_caller
from agent_server.access.ownership import Condition, Filter
from agent_server.config import Config, ConfigError
from agent_server.config.user_code import load_variable
from agent_server.errors import AgentServerError, Forbidden, Unauthorized

GIVEN = (
    *("request", "body", "user", "path", "method", "scopes", "path_params", "query_params", "headers"),
    *("authorization", "scope"),
)
"""The arguments that `@auth.authenticate` may ask for, by name, as on the official server."""
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Refused(AgentServerError):
    """The application refuses a request, with its own message and status."""

    def __init__(self, status_code: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status_code = status_code
        self.headers = headers


class AuthObject:
    """The `Auth` object."""

    def __init__(self, auth: Any) -> None:
        """Errors: `ConfigError` if it has no `@auth.authenticate` handler."""
        self._auth = auth
        self._authenticate = getattr(auth, "_authenticate_handler", None)
        if self._authenticate is None:
            raise ConfigError(
                f"auth: {auth!r:.100} has no @auth.authenticate; without it every request would be rejected"
            )
        _check_parameters(self._authenticate)
        self._wanted = _parameters(self._authenticate)

    async def caller(self, given: Mapping[str, Any]) -> Caller:
        """Return the user who sends a request; `given` has the arguments that the handler may ask for by name.

        Errors: `Refused` with the application's message, `Unauthorized` for a failed `assert`.
        """
        wanted = {name: value for name, value in given.items() if self._wanted is None or name in self._wanted}
        try:
            return parse_caller(await _call(self._authenticate, wanted))
        except AssertionError as error:
            raise Unauthorized(str(error) or "Unauthorized") from error
        except Exception as error:
            raise _refusal(error) from error

    async def ask(self, caller: Caller, resource: str, action: str, value: dict[str, Any]) -> Filter | None:
        """Return the filter for the resources that the caller may use so; None for all. Handlers may change `value`.

        Errors: `Forbidden`, or `Refused` with the application's message.
        """
        if (handler := self._handler(resource, action)) is None:
            return None
        from langgraph_sdk.auth.types import AuthContext  # imported here: the SDK is optional

        named: dict[str, Any] = {"resource": resource, "action": action}
        context = AuthContext(permissions=caller.permissions, user=caller.user, **named)
        try:
            result = await handler(ctx=context, value=value)
        except AssertionError as error:
            raise Forbidden(str(error) or "Forbidden") from error
        except Exception as error:
            raise _refusal(error) from error
        if result is False:
            raise Forbidden("Forbidden: the application's rules do not allow this")
        if result is None or result is True:
            return None
        Condition(result)  # refuse a wrong filter here, not inside a transaction
        return cast(Filter, result)

    def _handler(self, resource: str, action: str) -> Any:
        """Return the most specific handler."""
        for key in ((resource, action), (resource, "*"), ("*", action)):
            if handlers := self._auth._handlers.get(key):
                return handlers[-1]
        return self._auth._global_handlers[-1] if self._auth._global_handlers else None


def load_auth(config: Config) -> AuthObject | None:
    """Return the object that the configuration names, if any. Errors: `ConfigError`."""
    if config.auth is None:
        return None
    loaded = load_variable("auth", config.auth.path, config)
    if not all(hasattr(loaded, name) for name in ("_handlers", "_global_handlers", "authenticate")):
        raise ConfigError(f"auth: {config.auth.path} is a {type(loaded).__name__}, not an Auth of langgraph_sdk")
    return AuthObject(loaded)


async def _call(handler: Any, wanted: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(handler):
        return await handler(**wanted)
    result = await run_sync(lambda: handler(**wanted))
    return await result if inspect.isawaitable(result) else result


def _check_parameters(handler: Any) -> None:
    """Refuse, at startup, a handler with a parameter that no request can provide. Errors: `ConfigError`."""
    named = [one for one in inspect.signature(handler).parameters.values() if one.kind not in _VARIADIC]
    missing = [one.name for one in named if one.default is one.empty and one.name not in GIVEN]
    depends = [one.name for one in named if type(one.default).__module__.partition(".")[0] == "fastapi"]
    if missing or depends:
        raise ConfigError(
            f"auth: @auth.authenticate asks for {(missing + depends)[0]!r}, which it is not given; it is called with "
            f"what it names of {', '.join(GIVEN)}"
            + ("; dependencies of FastAPI are resolved in the app's own routes only" if depends else "")
        )


def _parameters(handler: Any) -> frozenset[str] | None:
    """Return the handler's parameter names; None if it takes any."""
    parameters = inspect.signature(handler).parameters.values()
    return None if any(one.kind is one.VAR_KEYWORD for one in parameters) else frozenset(one.name for one in parameters)


def _refusal(error: Exception) -> Exception:
    """Convert an HTTP error (the SDK's HTTPException, or a framework's) to a response; return others unchanged."""
    status, detail = getattr(error, "status_code", None), getattr(error, "detail", None)
    if isinstance(status, int) and detail is not None:
        return Refused(status, str(detail), getattr(error, "headers", None))
    return error
