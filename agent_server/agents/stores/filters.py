"""What a filter of the store says: `{key: value}`, or `{key: {operator: value}}`."""

from __future__ import annotations

from typing import Any

COMPARED = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
OPERATORS = ("$eq", "$ne", *COMPARED)


def with_operators(given: dict[str, Any] | None) -> dict[str, dict[str, Any]] | None:
    """The filter with operators for every key: a plain value is what the key's must equal."""
    return given and {key: value if has_operators(value) else {"$eq": value} for key, value in given.items()}


def has_operators(value: Any) -> bool:
    """Whether a filter's value has operators in it, rather than being what to look for."""
    return isinstance(value, dict) and any(name.startswith("$") for name in value)
