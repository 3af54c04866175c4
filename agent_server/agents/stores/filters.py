"""Filters of the store: `{key: value}`, or `{key: {operator: value}}`."""

from __future__ import annotations

from typing import Any

COMPARED = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
OPERATORS = ("$eq", "$ne", *COMPARED)


def add_operators(given: dict[str, Any] | None) -> dict[str, dict[str, Any]] | None:
    """Return the filter with operators for every key: a plain value becomes an equality."""
    return given and {key: value if has_operators(value) else {"$eq": value} for key, value in given.items()}


def has_operators(value: Any) -> bool:
    """Return whether a filter's value contains operators, rather than the value to match."""
    return isinstance(value, dict) and any(name.startswith("$") for name in value)
