"""The request headers that a graph may see.

Source: "Use HTTP headers for runtime configuration" in the official documentation, and the behaviour of the official
server (langgraph-api 0.16.7): exclusion beats inclusion, and without `includes` no header is included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RESERVED = frozenset({
    "thread_id", "run_id", "graph_id", "assistant_id", "user_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map",
})  # fmt: skip
"""Names that a graph's config sets itself, so that no header may override them."""
INTERNAL = ("__", "langgraph_auth_")
"""Prefixes of names that LangGraph and this server reserve."""
SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-tenant-id", "x-service-key"})
"""Headers that no pattern includes, since they are stored with the run. Each may still be included by its own name."""


@dataclass(frozen=True)
class HeaderRules:
    """Names of headers, in which `*` stands for any number of characters; case is ignored."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def select(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
        """Return the included headers of an ASGI request, by lower-case name."""
        if not self.includes:
            return {}
        named = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
        return {name: value for name, value in named if self._lets_through(name)}

    def _lets_through(self, name: str) -> bool:
        if name in RESERVED or name.startswith(INTERNAL) or _matches_any(self.excludes, name):
            return False
        if name in SECRET:
            return name in map(str.lower, self.includes)
        return _matches_any(self.includes, name)


def _matches_any(patterns: Sequence[str], name: str) -> bool:
    return any(re.fullmatch(re.escape(pattern.lower()).replace(r"\*", ".*"), name) for pattern in patterns)
