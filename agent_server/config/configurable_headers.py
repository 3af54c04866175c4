"""HeaderRules: which headers of a request its graph may see.

Source: "Use HTTP headers for runtime configuration" in the official documentation, and the official server
(langgraph-api 0.16.7) at work: what is excluded is so whatever includes it, and where nothing is included, nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RESERVED = frozenset({
    "thread_id", "run_id", "graph_id", "assistant_id", "user_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map",
})  # fmt: skip
"""What a graph's config says of itself, and no header may."""
INTERNAL = ("__", "langgraph_auth_")
"""What names begin with that are for LangGraph, and for this server."""
SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-tenant-id", "x-service-key"})
"""What no pattern lets through: a run is kept with its headers. Each may still be included by its own name."""


@dataclass(frozen=True)
class HeaderRules:
    """Names of headers, in which `*` stands for any number of characters; upper and lower case are the same."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def chosen(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
        """Those of an ASGI request's headers that the rules let through, by their names in lower case."""
        if not self.includes:
            return {}
        named = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
        return {name: value for name, value in named if self._lets_through(name)}

    def _lets_through(self, name: str) -> bool:
        if name in RESERVED or name.startswith(INTERNAL) or _any_of(self.excludes, name):
            return False
        if name in SECRET:
            return name in map(str.lower, self.includes)
        return _any_of(self.includes, name)


def _any_of(patterns: Sequence[str], name: str) -> bool:
    return any(re.fullmatch(re.escape(pattern.lower()).replace(r"\*", ".*"), name) for pattern in patterns)
