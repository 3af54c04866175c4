"""An application's `Auth` object: what its handlers receive, and how their results are used."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph_sdk import Auth

from agent_server.access.auth_object import AuthObject, load_auth
from agent_server.access.caller import Caller, parse_caller
from agent_server.access.ownership import Condition
from agent_server.assistants.schema import AssistantCreate
from agent_server.config import AuthSettings, Config, ConfigError
from agent_server.database import Database
from agent_server.errors import AgentServerError, Conflict, Forbidden, NotFound
from agent_server.runs.records import RunOrigin
from agent_server.schema import RunCreate
from agent_server.threads.schema import ThreadCreate
from tests.agent_server.backend import BASE_URL, Backend, unknown_id

ANNA = parse_caller({"identity": "anna", "permissions": ["read"]})


def who(authenticate: Any) -> AuthObject:
    auth = Auth()
    auth.authenticate(authenticate)
    return AuthObject(auth)


async def test_authenticate_gets_what_it_asks_for_by_name() -> None:
    async def authenticate(path: str, headers: dict[bytes, bytes]) -> str:
        return f"{path} {headers[b'x']!r}"

    given = {"path": "/threads", "headers": {b"x": b"1"}, "method": "GET"}
    assert (await who(authenticate).caller(given)).identity == "/threads b'1'"


class Depends:
    """A marker as FastAPI has it, recognized by its class name."""


Depends.__module__ = "fastapi.params"


async def test_unknown_parameter_of_authenticate_is_refused_at_start() -> None:
    async def required(authorization: str | None, database: Any) -> str:
        return f"{authorization} {database}"

    async def marked(authorization: str | None, user_id: Any = Depends()) -> str:  # noqa: B008
        return f"{authorization} {user_id}"

    async def optional(*_: Any, request: Any, mode: str = "own", **more: Any) -> str:
        return f"{request} {mode} {sorted(more)}"

    with pytest.raises(ConfigError, match=r"asks for 'database', which it is not given; .* request, body, user, path"):
        who(required)
    with pytest.raises(ConfigError, match=r"asks for 'user_id'.*dependencies of FastAPI"):
        who(marked)
    assert (await who(optional).caller({"request": 1, "path": "/"})).identity == "1 own ['path']"


async def test_sync_authenticate_runs_beside_the_loop() -> None:
    def authenticate(method: str) -> Any:
        return SimpleNamespace(identity=threading.current_thread().name, permissions=[method], email="a@b.c")

    caller = await who(authenticate).caller({"method": "GET"})
    assert caller.identity != threading.main_thread().name
    assert (caller.permissions, caller.user["email"], "email" in caller.user) == (["GET"], "a@b.c", True)
    assert (caller.user.display_name, caller.user.is_authenticated) == (caller.identity, True)
    assert asyncio.get_running_loop().is_running()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Auth.exceptions.HTTPException(402, "Pay first"), 402, "Pay first"),
        (AssertionError("bad token"), 401, "bad token"),
    ],
)
async def test_refusal_has_the_applications_status_and_words(error: Exception, status: int, message: str) -> None:
    async def authenticate() -> str:
        raise error

    with pytest.raises(AgentServerError) as refused:
        await who(authenticate).caller({})
    assert (refused.value.status_code, str(refused.value)) == (status, message)


@pytest.mark.parametrize("returned", [None, {}, {"identity": ""}, 5, {"name": "anna"}])
async def test_user_without_identity_is_an_application_error(returned: Any) -> None:
    async def authenticate() -> Any:
        return returned

    with pytest.raises(TypeError, match="identity"):
        await who(authenticate).caller({})


async def test_most_specific_handler_is_called() -> None:
    auth, calls = Auth(), []

    @auth.authenticate
    async def authenticate() -> str:
        return "anna"

    def noting(name: str) -> Any:
        async def handler(ctx: Any, value: Any) -> None:  # noqa: ARG001  their names are the protocol
            calls.append((name, ctx.user.identity, ctx.resource, ctx.action, list(ctx.permissions)))

        return handler

    auth.on(noting("everything"))
    auth.on.threads(noting("threads"))
    auth.on.threads.create(noting("threads.create"))
    auth.on(actions="delete")(noting("any delete"))
    rules = AuthObject(auth)
    for resource, action in (("threads", "create"), ("threads", "delete"), ("crons", "delete"), ("crons", "read")):
        await rules.ask(ANNA, resource, action, {})
    assert [name for name, *_ in calls] == ["threads.create", "threads", "any delete", "everything"]
    assert calls[0][1:] == ("anna", "threads", "create", ["read"])


@pytest.mark.parametrize(("returned", "expected"), [(None, None), (True, None), ({"owner": "anna"}, {"owner": "anna"})])
async def test_handler_accepts_or_filters(returned: Any, expected: Any) -> None:
    assert await answering(returned).ask(ANNA, "threads", "read", {}) == expected


def answering(returned: Any) -> AuthObject:
    auth = Auth()

    @auth.authenticate
    async def authenticate() -> str:
        return "anna"

    @auth.on
    async def answer(ctx: Any, value: Any) -> Any:  # noqa: ARG001  their names are the protocol
        if isinstance(returned, Exception):
            raise returned
        return returned

    return AuthObject(auth)


async def test_handler_rejects_with_403_or_as_it_says() -> None:
    for returned in (False, AssertionError("no")):
        with pytest.raises(Forbidden):
            await answering(returned).ask(ANNA, "threads", "read", {})
    with pytest.raises(AgentServerError, match="gone") as refused:
        await answering(Auth.exceptions.HTTPException(410, "gone")).ask(ANNA, "threads", "read", {})
    assert refused.value.status_code == 410


METADATA = [
    {"owner": "anna", "team": "blue", "members": ["anna", "bob"]},
    {"owner": "bob", "members": ["bob"]},
    {"owner": ["anna"], "members": "anna"},
    {},
]


@pytest.fixture
async def tables(database: Database) -> Database:
    await database.migrate("agent_server")
    return database


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        ({"owner": "anna"}, [0]),
        ({"owner": {"$eq": "bob"}}, [1]),
        ({"members": {"$contains": "bob"}}, [0, 1]),
        ({"members": {"$contains": ["bob", "anna"]}}, [0]),
        ({"owner": "anna", "team": "red"}, []),
        ({"$or": [{"owner": "bob"}, {"team": "blue"}]}, [0, 1]),
        ({"$and": [{"owner": "anna"}, {"members": {"$contains": "bob"}}]}, [0]),
        ({"owner": "anna' OR 1=1 --"}, []),
        ({}, [0, 1, 2, 3]),
    ],
)
async def test_filter_means_the_same_in_both_databases(tables: Database, given: Any, fitting: list[int]) -> None:
    condition, found = Condition(given, ":document"), []
    for number, metadata in enumerate(METADATA):
        row = await tables.read(
            lambda c, metadata=metadata: c.one(  # type: ignore[misc]
                f"SELECT CASE WHEN {condition.sql} THEN 1 ELSE 0 END AS fits",
                document=json.dumps(metadata), **condition.parameters,
            )
        )  # fmt: skip
        found += [number] if row and row["fits"] else []
    assert found == fitting


NO_FILTERS = [
    *(5, "owner", [], {"owner": {"$ne": "anna"}}, {"$or": []}, {"$or": {"a": 1}}, {"owner": {}}, {"$and": [{"a": {}}]}),
    *({1: "anna"}, {"owner": object()}, {"owner": {"$contains": object()}}, {"owner": {"$eq": "a", "$like": "b"}}),
]


@pytest.mark.parametrize("given", NO_FILTERS)
async def test_invalid_filter_is_refused_with_a_reason(given: Any) -> None:
    with pytest.raises(Forbidden, match=r"The application's rules cannot be applied: an @auth\.on handler returned"):
        Condition(given)
    auth = Auth()

    @auth.authenticate
    async def authenticate() -> str:
        return "anna"

    @auth.on
    async def owned(ctx: Any, value: Any) -> Any:  # noqa: ARG001  the names are the SDK's
        return given

    with pytest.raises(Forbidden, match="cannot be applied"):
        await AuthObject(auth).ask(ANNA, "threads", "read", {})


def test_configuration_names_the_object_or_says_how(tmp_path: Path) -> None:
    file = tmp_path / "langgraph.json"

    def read(auth: Any) -> AuthSettings | None:
        file.write_text(json.dumps({"auth": auth}))
        return Config.load(file, {}).auth

    assert read({"path": "./a.py:auth", "disable_studio_auth": True}) == AuthSettings("./a.py:auth")
    assert read(None) is None
    for wrong in ("./a.py:auth", {}, {"path": "nothing"}, {"path": "./a.py:auth", "openapi": []}):
        with pytest.raises(ConfigError, match="; it must"):
            read(wrong)
    (tmp_path / "a.py").write_text("auth = 5\n")
    for path, message in (("./gone.py:auth", "no file"), ("./a.py:auth", "not an Auth of langgraph_sdk")):
        with pytest.raises(ConfigError, match=message):
            load_auth(Config(tmp_path, auth=AuthSettings(path)))
    (tmp_path / "b.py").write_text("from langgraph_sdk import Auth\nauth = Auth()\n")
    with pytest.raises(ConfigError, match=r"no @auth\.authenticate"):
        load_auth(Config(tmp_path, auth=AuthSettings("./b.py:auth")))


async def test_caller_is_stored_as_json_whatever_its_type() -> None:
    caller: Caller = parse_caller({"identity": "anna", "folder": Path("/x"), "roles": ["a"]})
    assert '"folder":"/x"' in caller.as_json()


async def test_resource_created_concurrently_by_another_is_withheld(backend: Backend) -> None:
    mine = Condition({"owner": "bob"})
    thread_id, assistant_id = unknown_id(), unknown_id()
    await backend.threads.create(ThreadCreate(thread_id=thread_id, metadata={"owner": "anna"}))
    with pytest.raises(Conflict):
        await backend.threads.create(ThreadCreate(thread_id=thread_id, if_exists="do_nothing"), mine)
    made = AssistantCreate(
        graph_id="agent", assistant_id=assistant_id, metadata={"owner": "anna"}, if_exists="do_nothing"
    )
    await backend.assistants.create(made)
    with pytest.raises(Conflict):
        await backend.assistants.create(made, mine)
    body = RunCreate(assistant_id="agent", if_not_exists="create")
    with pytest.raises(NotFound):
        await backend.runs.create(body, thread_id, RunOrigin(BASE_URL), mine)
    assert await backend.runs.list_by_thread(thread_id, 10, 0, None) == []
