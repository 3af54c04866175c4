"""What a field takes, for whoever sent something else: the values that there are to choose from."""

from __future__ import annotations

import re
from typing import Any

from msgspec import inspect

_STEP = re.compile(r"\[[^\]]*\]|\w+")


def choices_at(kind: Any, path: str = "") -> str:
    """`; send one of …` where the field at msgspec's `path` into `kind` takes a few values only, and else nothing."""
    values = _values(inspect.type_info(kind), _STEP.findall(path))
    return f"; send one of {', '.join(map(str, values))}" if values else ""


def _values(kind: inspect.Type, steps: list[str]) -> tuple[object, ...]:
    if isinstance(kind, inspect.UnionType):
        return next((found for one in kind.types if (found := _values(one, steps))), ())
    if isinstance(kind, inspect.ListType):
        return _values(kind.item_type, steps[1:])
    if isinstance(kind, inspect.StructType) and steps:
        field = next((one for one in kind.fields if one.encode_name == steps[0]), None)
        return _values(field.type, steps[1:]) if field else ()
    return kind.values if isinstance(kind, inspect.LiteralType) and not steps else ()
