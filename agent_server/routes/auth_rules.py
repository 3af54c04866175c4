"""The `Auth` resource and action that each route is authorized against, by the handler's name.

Where the application has rules, a route that is missing here is closed. Sources: the resources and actions of
`langgraph_sdk.auth` 0.4.14, and how the official server (0.16.7) authorizes each of its operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

from uuid_utils import uuid7

from agent_server.assistants.assistants import SYSTEM_NAMESPACE

Body = dict[str, Any]
Target = Literal[
    "thread",
    "awaited thread",
    "new thread",
    "run",
    "assistant",
    "new assistant",
    "cron",
    "threads",
    "listed",
    "nothing",
]


class Question(NamedTuple):
    """A question to the application's rules, and the target that must meet the filter that they return.

    `thread`, `run`, `assistant`, `cron`: the one that the path names; 404 if it does not exist. `awaited thread`: the
    same, but it may not exist yet. `new …`: the one that the body names, if it exists already. `threads`, `listed`: the
    ones that a body names or that a search finds.
    """

    resource: str
    action: str
    target: Target = "nothing"


def _ask_all(question: Question, *names: str) -> dict[str, tuple[Question, ...]]:
    return dict.fromkeys(names, (question,))


_READ_THREAD = Question("threads", "read", "thread")

QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    **_ask_all(Question("assistants", "create", "new assistant"), "create_assistant"),
    **_ask_all(Question("assistants", "search", "listed"), "search_assistants", "count_assistants"),
    **_ask_all(
        Question("assistants", "read", "assistant"),
        *("get_assistant", "get_graph", "get_schemas", "get_subgraphs", "get_subgraph", "search_versions"),
    ),
    **_ask_all(Question("assistants", "update", "assistant"), "patch_assistant", "set_latest_version"),
    "delete_assistant": (Question("assistants", "delete", "assistant"), Question("threads", "delete", "listed")),
    **_ask_all(Question("threads", "create", "new thread"), "create_thread"),
    **_ask_all(Question("threads", "search", "listed"), "search_threads", "count_threads"),
    **_ask_all(Question("threads", "delete", "threads"), "prune_threads"),
    **_ask_all(
        _READ_THREAD,
        *("get_thread", "get_storage", "get_state", "get_state_at", "post_state_at", "get_history", "search_history"),
        *("join_thread_stream", "list_runs", "get_run", "join_run", "join_run_stream", "run_feedback_on_thread"),
    ),
    **_ask_all(Question("threads", "read", "awaited thread"), "stream_events", "event_socket"),
    "copy_thread": (_READ_THREAD, Question("threads", "create")),
    **_ask_all(Question("threads", "update", "thread"), "patch_thread", "update_state", "cancel_run"),
    **_ask_all(Question("threads", "delete", "thread"), "delete_thread", "delete_run"),
    **_ask_all(Question("threads", "update", "listed"), "cancel_runs"),
    **_ask_all(
        Question("threads", "create_run", "new thread"),
        *("create_run", "stream_run", "wait_run", "create_stateless_run", "stream_stateless_run"),
        *("wait_stateless_run", "create_run_batch", "thread_command"),
    ),
    **_ask_all(
        Question("threads", "read", "run"),
        *("join_stateless_run", "join_stateless_run_stream", "run_feedback_of"),
        *("get_stateless_run", "wait_for_stateless_run"),
    ),
    **_ask_all(Question("threads", "update", "run"), "cancel_stateless_run"),
    **_ask_all(Question("threads", "delete", "run"), "delete_stateless_run"),
    **_ask_all(Question("threads", "search", "listed"), "search_runs"),
    "create_thread_cron": (Question("crons", "create"), Question("threads", "read", "new thread")),
    "create_cron": (Question("crons", "create"),),
    **_ask_all(Question("crons", "search", "listed"), "search_crons", "count_crons"),
    **_ask_all(Question("crons", "read", "cron"), "get_cron"),
    **_ask_all(Question("crons", "update", "cron"), "patch_cron"),
    **_ask_all(Question("crons", "delete", "cron"), "delete_cron"),
    "put_item": (Question("store", "put"),),
    "get_item": (Question("store", "get"),),
    "delete_item": (Question("store", "delete"),),
    "search_items": (Question("store", "search"),),
    "list_namespaces": (Question("store", "list_namespaces"),),
}

_OF_KWARGS = (
    "input",
    "command",
    "config",
    "context",
    "interrupt_before",
    "interrupt_after",
    "webhook",
    "feedback_keys",
)
_NAMESPACE = {"search": "namespace_prefix", "list_namespaces": "prefix"}
_STAMPED = ("create", "update", "search", "create_run")
_IDS = ("thread_id", "run_id", "assistant_id", "cron_id")
_PAGE: Body = {"limit": 10, "offset": 0}
_OMITTED: Mapping[tuple[str, str], Body] = {
    ("assistants", "create"): {"config": {}, "context": None},
    ("assistants", "update"): {"graph_id": None, "config": {}, "context": None, "name": None},
    ("assistants", "search"): {"graph_id": None, **_PAGE},
    ("threads", "create"): {"if_exists": "raise"},
    ("threads", "search"): {"values": {}, "status": None, **_PAGE},
    ("threads", "create_run"): {"multitask_strategy": "enqueue", "if_not_exists": "reject", "after_seconds": 0},
    ("crons", "create"): {"cron_id": None, "thread_id": None, "end_time": None},
    ("crons", "update"): {"schedule": None, "end_time": None},
    ("crons", "search"): {"assistant_id": None, "thread_id": None, **_PAGE},
    ("store", "put"): {"index": None},
    ("store", "search"): {"filter": None, "query": None, **_PAGE},
    ("store", "list_namespaces"): {"suffix": None, "max_depth": None, "limit": 100, "offset": 0},
}
"""Defaults for fields that a request omits, so that handlers can read them by name, as on the official server."""


def build_value(question: Question, body: Body, path: Mapping[str, str], user_id: str | None = None) -> Body:
    """Return the `value` that handlers get for the request, in the shapes of the SDK's types; ids are UUIDs there.

    If the client gives no id for a new resource, the id is generated here and put into the body, so that handlers see
    it.
    """
    if question.action == "create" and question.target.startswith("new "):
        name = f"{question.target.removeprefix('new ')}_id"
        body[name] = body.get(name) or str(uuid7())
    omitted = _OMITTED.get((question.resource, question.action), {})
    value = {**body, **{name: default for name, default in omitted.items() if body.get(name) is None}, **path}
    if question.resource == "store":
        field = _NAMESPACE.get(question.action, "namespace")
        suffix = {"suffix": tuple(value["suffix"])} if value.get("suffix") else {}
        return {**value, **suffix, "namespace": tuple(body.get(field) or ())}
    if question.action == "create_run":
        value = _build_run_value(value, path)
    if question.resource == "crons" and question.action in ("create", "update"):
        value |= {"payload": dict(body), "user_id": user_id}
    value |= {name: _uuid(name, value[name]) for name in _IDS if value.get(name)}
    return {**value, "metadata": body.get("metadata") or {}} if question.action in _STAMPED else value


def _build_run_value(value: Body, path: Mapping[str, str]) -> Body:
    kwargs = {name: value.get(name) for name in _OF_KWARGS}
    config = kwargs["config"] if isinstance(kwargs["config"], dict) else {}
    kwargs["config"] = {**config, "configurable": dict(config.get("configurable") or {})}
    given = ("multitask_strategy", "if_not_exists", "after_seconds", "assistant_id")
    own = {name: value.get(name) for name in given}
    return {**own, "thread_id": path.get("thread_id"), "run_id": None, "status": "pending", "kwargs": kwargs}


def _uuid(name: str, given: Any) -> Any:
    """Return the UUID that `given` spells or that of the graph's default assistant; return anything else unchanged."""
    try:
        return UUID(str(given))
    except ValueError:
        return uuid5(SYSTEM_NAMESPACE, given) if name == "assistant_id" and isinstance(given, str) else given


def write_back(question: Question, value: Body, body: Body) -> None:
    """Copy the handlers' changes of `value` into the body."""
    if question.resource == "store":
        body[_NAMESPACE.get(question.action, "namespace")] = [str(label) for label in value.get("namespace") or ()]
        body |= {name: value[name] for name in ("key", "value") if name in body and name in value}
        return
    if question.action in _STAMPED and value.get("metadata"):
        body["metadata"] = value["metadata"]
    if question.action == "create_run":
        _write_back_run(value.get("kwargs") or {}, body)


def _write_back_run(kwargs: Body, body: Body) -> None:
    config = body.get("config")
    has_both = body.get("context") and isinstance(config, dict) and config.get("configurable")
    body |= {name: given for name, given in kwargs.items() if given is not None}
    if not isinstance(config := body.get("config"), dict):
        return
    configurable = config.get("configurable")
    if configurable and isinstance(body.get("context"), dict) and not has_both:  # a run takes only one of the two
        body["context"] = {**body["context"], **config.pop("configurable")}
    elif not configurable:
        config.pop("configurable", None)
