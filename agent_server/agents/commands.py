"""Validate the `command` of a request before accepting it: a misspelt one must not look like a run without effect."""

from __future__ import annotations

from typing import Any

from agent_server.errors import Invalid
from agent_server.schema import JsonObject

_PARTS = ("resume", "update", "goto")
_RIGHT = (
    'send {"resume": value} to respond to an interrupt, {"update": {key: value}} to change the state, '
    '{"goto": "node"} to go on at a node, or several of these'
)


def check_command(command: JsonObject | None) -> None:
    """Check that the command, if there is one, has an effect. Errors: `Invalid`.

    An empty object is no command. Members other than `resume`, `update` and `goto` are ignored, like all unknown
    properties.
    """
    if not command:
        return
    if not any(name in command for name in _PARTS):
        raise Invalid(f"command has none of resume, update and goto, but {', '.join(command)}: {_RIGHT}")
    _check_update(command.get("update"))
    _check_goto(command.get("goto"))
    if command.get("resume") is None and not command.get("update") and not command.get("goto"):
        raise Invalid(
            f"command does nothing: its {', '.join(name for name in _PARTS if name in command)} is empty; {_RIGHT}"
        )


def is_void(command: JsonObject | None) -> bool:
    """Return whether all members are null, as in commands of clients that write out every optional member."""
    return all(value is None for value in (command or {}).values())


def _check_update(update: Any) -> None:
    if update is not None and not isinstance(update, (dict, list)):
        raise Invalid(f"command.update is {update!r:.100}; it must be an object, or a list of [key, value] pairs")


def _check_goto(goto: Any) -> None:
    for target in goto if isinstance(goto, list) else [goto]:
        node = target.get("node") if isinstance(target, dict) else target
        if not isinstance(node, str) and target is not None:
            raise Invalid(
                f'command.goto has {target!r:.100}; it must be the name of a node, {{"node": name, "input": value}}, '
                "or a list of these"
            )
