"""Filters returned by the application's `@auth.on` handlers, as SQL conditions on metadata.

`{"owner": "anna"}` or `{"owner": {"$eq": "anna"}}`: the metadata have this value. `{"members": {"$contains": "anna"}}`
(or a list): the metadata have a list with it (with all of them). Several keys must all match; `$or` and `$and` take
lists of filters. Source: `langgraph_sdk.auth.types.FilterType` 0.4.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from agent_server.database import Connection
from agent_server.database.search import Search
from agent_server.errors import Forbidden

log = structlog.get_logger("agent_server")

Filter = Mapping[str, Any]
DEEPEST = 3


class BadFilter(Forbidden):
    """An `@auth.on` handler of the application returned an invalid filter, so it cannot allow anything."""

    def __init__(self, what: str) -> None:
        log.error("auth_filter_refused", reason=what)
        super().__init__(f"The application's rules cannot be applied: an @auth.on handler returned {what}")


class Condition:
    """A filter as an SQL condition on a JSON column of metadata, with its parameters."""

    def __init__(self, given: Filter, column: str = "metadata") -> None:
        """Errors: `BadFilter`."""
        self.parameters: dict[str, str] = {}
        self._column = column
        self.sql = self._combine(given, 0)

    def narrow(self, search: Search) -> None:
        """Restrict the search to matching rows."""
        search.where(self.sql, **self.parameters)

    def is_met(self, connection: Connection, table: str, key_column: str, key: str) -> bool:
        """Return whether the row with this key exists and matches."""
        statement = f"SELECT 1 AS x FROM {table} WHERE {key_column} = :id AND {self.sql}"
        return connection.one(statement, id=key, **self.parameters) is not None

    def _combine(self, given: Any, depth: int) -> str:
        if not isinstance(given, Mapping) or depth > DEEPEST:
            raise BadFilter(f"{given!r:.200}, which is no filter (or one too deep); return a dict, None, True or False")
        return "(" + " AND ".join([self._compare(key, value, depth) for key, value in given.items()] or ["1 = 1"]) + ")"

    def _compare(self, key: Any, value: Any, depth: int) -> str:
        if not isinstance(key, str):
            raise BadFilter(f"a filter with the key {key!r:.100}; keys are names of metadata")
        if key in ("$or", "$and"):
            if not isinstance(value, list) or not value:
                raise BadFilter(f"a filter whose {key} is not a list of filters")
            return "(" + f" {key[1:].upper()} ".join(self._combine(one, depth + 1) for one in value) + ")"
        if isinstance(value, Mapping):
            if not value:
                raise BadFilter(f'a filter whose {key!r} is {{}}; give it a value, or {{"$eq": value}}')
            return "(" + " AND ".join(self._operator(key, *one) for one in value.items()) + ")"
        return self._has({key: value})

    def _operator(self, key: str, operator: Any, value: Any) -> str:
        if operator == "$eq":
            return self._has({key: value})
        if operator == "$contains":
            return self._has({key: list(value) if isinstance(value, (list, tuple, set)) else [value]})
        raise BadFilter(f"a filter with {operator!r:.100}; there are $eq and $contains")

    def _has(self, part: Mapping[str, Any]) -> str:
        name = f"owned_{len(self.parameters)}"
        try:
            self.parameters[name] = msgspec.json.encode(part).decode()
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise BadFilter(f"a filter with a value that JSON does not have ({error})") from None
        return f"json_contains({self._column}, :{name})"
