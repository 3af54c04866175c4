"""Authorization: check every request against the application's own rules before its handler is called.

`auth_rules.py` names the resource and action of each route. The rules return a filter on metadata; if the resource that
the request names does not match it, the response is a 404, as if it did not exist. For searches, counts and selections
by status, the filter becomes part of the query: the handler gets it from `get_ownership`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs, urlencode
from uuid import UUID, uuid5

import msgspec
from litestar import Request, WebSocket
from litestar.exceptions import SerializationException

from agent_server.access.auth_object import AuthObject
from agent_server.access.caller import Caller
from agent_server.access.ownership import Condition, Filter
from agent_server.assistants.assistants import SYSTEM_NAMESPACE
from agent_server.database import Connection, Database
from agent_server.errors import Conflict, Forbidden, Invalid, NotFound
from agent_server.routes.auth_rules import QUESTIONS, Body, Question, build_value, write_back
from agent_server.schema import canonical_id

AnyRequest = Request[Any, Any, Any]
Socket = WebSocket[Any, Any, Any]
CALLER, OWNED = "agent_server_caller", "agent_server_owned"
_MOST = 1000
_WITHOUT_BODY = ("GET", "HEAD")


class Authorization:
    """Checks requests against the rules."""

    def __init__(self, rules: AuthObject, database: Database) -> None:
        self._rules = rules
        self._database = database

    async def identify(self, request: AnyRequest | Socket) -> None:
        """Identify the user who sends the request. Errors: as for `AuthObject.caller`."""
        body = await request.body() if isinstance(request, Request) and request.method not in _WITHOUT_BODY else b""
        request.scope["state"][CALLER] = await self.caller(request.scope, body)

    async def caller(self, scope: Any, body: bytes = b"") -> Caller:
        """Return the user who sends the request of this scope and `body`. Errors: as for `AuthObject.caller`."""
        return await self._rules.caller(_handler_arguments(scope, body))

    async def authorize(self, request: AnyRequest) -> None:
        """Check that the caller may do what the request asks for. Errors: `Forbidden`, `NotFound`, `Conflict`."""
        name = request.route_handler.fn.__name__
        if name not in QUESTIONS:
            raise Forbidden(f"The application's rules say nothing of this route ({name})")
        body = await _body(request, name)
        await self.hold(request, name, body)
        if name == "get_item":
            _rewrite_query(request, cast(Body, body))

    async def hold(
        self,
        request: AnyRequest | Socket,
        name: str,
        body: Body | list[Body],
        path: Mapping[str, str] | None = None,
    ) -> None:
        """As `authorize`, for the handler with that name, this body and the request's `path`."""
        if path is None:
            path = {key: str(value) for key, value in request.path_params.items()}
        for question in QUESTIONS[name]:
            if name == "delete_assistant" and question.resource == "threads" and not _deletes_threads(request):
                continue
            for one in body if isinstance(body, list) else [body]:
                await self._hold(request, question, one, path)

    async def _hold(
        self, request: AnyRequest | Socket, question: Question, body: Body, path: Mapping[str, str]
    ) -> None:
        caller: Caller = request.scope["state"][CALLER]
        value = build_value(question, body, path, caller.identity)
        given = await self._rules.ask(caller, question.resource, question.action, value)
        write_back(question, value, body)
        if question.action == "create" and body.get("if_exists") == "do_nothing":
            given = await self._add_read_rules(caller, question, body, given)
        if question.resource == "store":
            _check_labels(value)
        elif question.target == "listed":
            request.scope["state"].setdefault(OWNED, {})[question.resource] = given
        elif question.target == "threads" and given:
            body["thread_ids"] = await self._filter_owned(body.get("thread_ids"), given)
        elif given and question.target != "nothing":
            if question.target.startswith(("new ", "awaited ")):  # the handler checks again, once it exists
                request.scope["state"].setdefault(OWNED, {})[question.resource] = given
            await self._check_target(question, body, path, given)
        if question.action == "create_run" or (question.resource, question.action) == ("crons", "create"):
            await self._check_assistant(caller, body)

    async def _add_read_rules(
        self, caller: Caller, question: Question, body: Body, given: Filter | None
    ) -> Filter | None:
        """Return the filter that a created resource must match: if it exists already, the `read` filter, too.

        The response shows an existing resource, so the handler for `create` alone must not decide about it.
        """
        noun = question.target.removeprefix("new ")
        key = canonical_id(str(body[f"{noun}_id"]), noun)
        if await self._database.read(lambda c: _is_owned(c, noun, key, {})) is None:
            return given
        to_read = await self._rules.ask(caller, question.resource, "read", {f"{noun}_id": UUID(key)})
        return {"$and": [given, to_read]} if given and to_read else given or to_read

    async def _check_target(self, question: Question, body: Body, path: Mapping[str, str], given: Filter) -> None:
        noun = question.target.removeprefix("new ").removeprefix("awaited ")
        named = path.get(f"{noun}_id") or body.get(f"{noun}_id")
        if named is None:
            return
        key = canonical_id(str(named), noun)
        is_owned = await self._database.read(lambda c: _is_owned(c, noun, key, given))
        if is_owned or (is_owned is None and _may_be_missing(question, body)):
            return
        if question.target.startswith("new ") and question.action == "create":
            raise Conflict(f"{noun.capitalize()} with ID {key} already exists; leave {noun}_id out to get a new one")
        raise NotFound(f"{noun.capitalize()} with ID {key} not found")

    async def _check_assistant(self, caller: Caller, body: Body) -> None:
        """Check that the caller may read the run's assistant; everyone may read the graphs' default assistants."""
        named = str(body.get("assistant_id") or "")
        try:
            key = str(UUID(named))
        except ValueError:
            return  # a graph's name, or an unknown assistant
        given = await self._rules.ask(caller, "assistants", "read", {"assistant_id": key})
        if given and not await self._database.read(lambda c: _is_for_runs(c, key, given)):
            raise NotFound(f"Assistant with ID {key} not found; POST /assistants/search lists those there are")

    async def _filter_owned(self, thread_ids: Any, given: Filter) -> list[str]:
        if not isinstance(thread_ids, list):
            return []
        keys = [canonical_id(str(one), "thread") for one in thread_ids]
        return await self._database.read(lambda c: [key for key in keys if _is_owned(c, "thread", key, given)])


def get_caller(request: AnyRequest | Socket) -> Caller | None:
    """Return the request's user, if the application has rules."""
    return request.scope["state"].get(CALLER)


def get_ownership(request: AnyRequest | Socket, resource: str) -> Condition | None:
    """Return the condition that restricts the caller's searches, if any."""
    given = (request.scope["state"].get(OWNED) or {}).get(resource)
    return Condition(given) if given else None


_SELECT = {
    "thread": ("SELECT CASE WHEN {} THEN 1 ELSE 0 END AS mine FROM threads WHERE thread_id = :id", "metadata"),
    "assistant": ("SELECT CASE WHEN {} THEN 1 ELSE 0 END AS mine FROM assistants WHERE assistant_id = :id", "metadata"),
    "cron": ("SELECT CASE WHEN {} THEN 1 ELSE 0 END AS mine FROM crons WHERE cron_id = :id", "metadata"),
    "run": (
        """SELECT CASE WHEN {} THEN 1 ELSE 0 END AS mine FROM runs
        LEFT JOIN threads ON threads.thread_id = runs.thread_id WHERE run_id = :id""",
        "COALESCE(threads.metadata, runs.metadata)",  # a temporary thread is deleted when its run ends
    ),
}


def _is_owned(connection: Connection, noun: str, key: str, given: Filter) -> bool | None:
    """Return whether the resource matches the filter; None if it does not exist."""
    statement, column = _SELECT[noun]
    condition = Condition(given, column)
    row = connection.one(statement.format(condition.sql), id=key, **condition.parameters)
    return None if row is None else bool(row["mine"])


def _is_for_runs(connection: Connection, key: str, given: Filter) -> bool:
    row = connection.one("SELECT graph_id FROM assistants WHERE assistant_id = :id", id=key)
    if row is None or key == str(uuid5(SYSTEM_NAMESPACE, row["graph_id"])):
        return True  # the handler reports what does not exist
    return bool(_is_owned(connection, "assistant", key, given))


def _may_be_missing(question: Question, body: Body) -> bool:
    if question.target.startswith("awaited "):
        return True
    may_make = question.action == "create" or body.get("if_not_exists") == "create"
    return may_make and question.target.startswith("new ")


def _check_labels(value: Body) -> None:
    """Refuse a namespace label with a dot: it would become two labels where namespaces are written with dots."""
    for label in value.get("namespace") or ():
        if not isinstance(label, str) or "." in label or not label:
            raise Invalid(f"The namespace has the label {label!r}; a label is a text without dots")


def _deletes_threads(request: AnyRequest | Socket) -> bool:
    return parse_qs(request.scope["query_string"].decode()).get("delete_threads", [""])[-1].lower() in ("true", "1")


async def _body(request: AnyRequest, name: str) -> Body | list[Body]:
    """Return the body that the handler will read, as an object; for reading an item of the store, the query."""
    if name == "get_item":
        query = parse_qs(request.scope["query_string"].decode())
        labels = [label for one in query.get("namespace", []) for label in one.split(".") if label]
        return {"namespace": labels, "key": query.get("key", [""])[-1]}
    try:
        body = await request.json()
    except (SerializationException, msgspec.DecodeError):
        raise Invalid("Invalid JSON in request body") from None
    if body is None:
        return {}
    if name == "thread_command":
        return read_params(body.get("method"), body.get("params")) if isinstance(body, dict) else {}
    several = body if isinstance(body, list) else [body]
    if len(several) > _MOST or not all(isinstance(one, dict) for one in several):
        raise Invalid("The body must be a JSON object")
    return cast("Body | list[Body]", body)


def read_params(method: Any, params: Any) -> Body:
    """Return a command's parameters, in place of a run's body; starting a run creates the thread."""
    if not isinstance(params, dict):
        return {}
    if method == "run.start":
        params["if_not_exists"] = "create"
    return params


def _rewrite_query(request: AnyRequest, body: Body) -> None:
    query = parse_qs(request.scope["query_string"].decode())
    query["namespace"] = body["namespace"]
    request.scope["query_string"] = urlencode(query, doseq=True).encode()


def _handler_arguments(asgi_scope: Any, body: bytes) -> dict[str, Any]:
    """Return the arguments that `@auth.authenticate` may ask for, by name."""
    from starlette.requests import HTTPConnection  # as the official server passes it
    from starlette.requests import Request as StarletteRequest

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    scope: Any = {**asgi_scope, "state": {}}
    starlette = StarletteRequest(scope, receive) if scope["type"] == "http" else HTTPConnection(scope)
    return {
        "request": starlette,
        "body": _decode(body),
        "scope": scope,
        "path": scope["path"],
        "method": scope.get("method"),
        "path_params": dict(scope.get("path_params") or {}),
        "query_params": starlette.query_params,
        "headers": dict(scope["headers"]),
        "authorization": starlette.headers.get("authorization"),
        "scopes": [],
        "user": None,
    }


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        return None
