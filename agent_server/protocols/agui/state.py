"""The state that clients share with a graph, and its changes as JSON Patch (RFC 6902)."""

from __future__ import annotations

from typing import Any

from agent_server.schema import JsonObject

PASSED_IN = ("messages", "tools", "ag-ui", "copilotkit")
"""Fields of a graph's values that are not part of the shared state: AG-UI carries them in other places."""


def select_shared_state(values: Any) -> Any:
    """Return the shared part of a graph's values."""
    if not isinstance(values, dict):
        return {} if values is None else values
    return {name: value for name, value in values.items() if name not in PASSED_IN and not name.startswith("__")}


def find_changed_fields(given: Any, values: Any) -> JsonObject:
    """Return the fields that the client changed.

    A graph gets these only: a reducer would add to a field what the field already has.
    """
    if not isinstance(given, dict):
        return {}
    known = values if isinstance(values, dict) else {}
    return {
        name: value for name, value in select_shared_state(given).items() if name not in known or known[name] != value
    }


def json_patch(old: Any, new: Any, path: str = "") -> list[JsonObject]:
    """Return the operations that turn `old` into `new`. Members of objects and items at the end of lists are added one
    by one; other changes replace the whole value."""
    if _is_same(old, new):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        removed: list[JsonObject] = [
            {"op": "remove", "path": _join_path(path, name)} for name in old if name not in new
        ]
        return removed + [one for name, value in new.items() for one in _member(old, name, value, path)]
    if isinstance(old, list) and isinstance(new, list) and _is_same(old, new[: len(old)]):
        return [{"op": "add", "path": f"{path}/-", "value": value} for value in new[len(old) :]]
    return [{"op": "replace", "path": path, "value": new}]


def _member(old: JsonObject, name: str, value: Any, path: str) -> list[JsonObject]:
    if name not in old:
        return [{"op": "add", "path": _join_path(path, name), "value": value}]
    return json_patch(old[name], value, _join_path(path, name))


def _join_path(path: str, name: str) -> str:
    return f"{path}/{name.replace('~', '~0').replace('/', '~1')}"


def _is_same(old: Any, new: Any) -> bool:
    """Return whether two JSON values are the same; Python holds `1` and `true` to be equal."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_is_same(value, new[name]) for name, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    return bool(old == new)
