"""The user of a run, as the application's handlers and graphs see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class User:
    """The user as handlers and graphs see it: the SDK's `BaseUser`, with everything that `authenticate` returned."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = {"display_name": fields["identity"], "is_authenticated": True, "permissions": [], **fields}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._fields:
            raise AttributeError(f"the user has no {name!r}")
        return self._fields[name]

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __repr__(self) -> str:
        return f"User({self._fields['identity']!r})"

    def get(self, name: str, default: Any = None) -> Any:
        """Return the field, or `default`."""
        return self._fields.get(name, default)

    def dict(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self._fields)
