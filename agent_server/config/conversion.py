"""Convert a setting of `langgraph.json` to its type. Errors name the setting, its value, and valid values."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, inspect

from agent_server.config.errors import ConfigError

T = TypeVar("T")


def must(rule: str, **bounds: Any) -> Meta:
    """Return the annotation of a setting's type: its bounds, and the end of "NAME is VALUE; it must RULE"."""
    return Meta(extra={"must": rule}, **bounds)


def must_locate(example: str) -> Meta:
    """Return the annotation of the location of a variable: `./file.py:variable` or `package.module:variable`."""
    return must(
        "name a file or module and a variable in it, "
        f"like './{example}' or 'package.module:{example.rpartition(':')[2]}'",
        pattern=r"^.+:[^:]+$",
    )


Flag = Annotated[bool, must("be true or false")]
Text = Annotated[str, must("be a string")]
Strings = Annotated[tuple[str, ...], must("be a list of strings")]
Minutes = Annotated[float, must("be a number of minutes greater than 0", gt=0, le=100 * 366 * 24 * 60)]
Count = Annotated[int, must("be a whole number from 1 on", ge=1, lt=2**31)]


def convert_setting(value: Any, kind: type[T], where: str, must_be: str = "") -> T:
    """Return the value as `kind`; `where` is the setting's name, and `must_be` is the rule of the value as a whole.

    Errors: `ConfigError`. A `ValueError` of a type's `__post_init__` begins with the name of the wrong member.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(error, value, inspect.type_info(kind), where, must_be)) from None


def drop_nulls(value: Any) -> Any:
    """Return the JSON value without members that are null, which count as unset.

    They stay where null is a value of its own (`checkpointer.serde`).
    """
    if not isinstance(value, dict):
        return value
    return {name: drop_nulls(one) for name, one in value.items() if one is not None or name in _NULLABLE}


_NULLABLE = ("allowed_msgpack_modules", "allowed_json_modules")


_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MEMBER = re.compile(r"\.(\w+)")
_NAMED = re.compile(r"^Object (contains unknown|missing required) field `(.*)`$")


def _explain(error: Exception, value: Any, kind: inspect.Type, where: str, must_be: str) -> str:
    """Return what is wrong at the place that msgspec's error names, and what would be right."""
    found = _PLACE.match(str(error))
    assert found is not None
    rule = _rule(kind) or must_be
    for name in _MEMBER.findall(found["path"] or ""):
        kind = _member(kind, name)
        value, where, rule = value[name], f"{where}.{name}", _rule(kind)
    if isinstance(error.__cause__, ValueError):
        return f"{where}.{error.__cause__}"
    if named := _NAMED.match(found["what"]):
        if named[1] == "contains unknown":
            return f"{where} has {named[2]!r}; it may have {', '.join(_members(kind))}"
        return f"{where}.{named[2]} is missing; it must {_rule(_member(kind, named[2]))}"
    return f"{where} is {value!r}; it must {rule}"


def _rule(kind: inspect.Type) -> str:
    """Return the rule of the type, or of the first part of a union that has one."""
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra or {}).get("must", ""))
    if isinstance(kind, inspect.UnionType):
        return next(filter(None, map(_rule, kind.types)), "")
    return ""


def _members(kind: inspect.Type) -> dict[str, inspect.Type]:
    if isinstance(kind, inspect.StructType | inspect.DataclassType):
        return {one.encode_name: one.type for one in kind.fields}
    if isinstance(kind, inspect.Metadata):
        return _members(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next(filter(None, map(_members, kind.types)), {})
    return {}


def _member(kind: inspect.Type, name: str) -> inspect.Type:
    return _members(kind)[name]
