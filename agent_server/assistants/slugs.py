"""Slugs: names of assistants in the paths of other protocols.

`My Agent`, `my_agent` and `MY-AGENT` have the slug `my-agent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID, uuid5

from agent_server.access.ownership import Condition
from agent_server.assistants.assistants import SYSTEM_NAMESPACE, Assistants
from agent_server.database import Connection, Database
from agent_server.database.search import Page, Search
from agent_server.errors import Conflict, NotFound

MAX_NAMED = 1000


def slug(name: str) -> str:
    """Return the slug of a name."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


class AssistantSlugs:
    """Finds assistants by id, graph name or slug."""

    def __init__(self, database: Database, assistants: Assistants) -> None:
        self._database = database
        self._assistants = assistants

    def find_graph(self, text: str) -> str | None:
        """Return the graph with this name, slug or system assistant id, or None.

        Graphs come before assistants of the same name, so that an assistant's name never takes a graph's slug away.
        """
        graphs = self._assistants.graph_ids
        if text in graphs:
            return text
        if (own_id := parse_uuid(text)) is not None:
            return next((graph for graph in graphs if own_id == str(uuid5(SYSTEM_NAMESPACE, graph))), None)
        return _choose_only(text, [graph for graph in graphs if slug(graph) == slug(text)])

    async def find_assistant(self, text: str, owned: Condition | None = None) -> str:
        """Return the id in `text`, or the id of the assistant (that meets `owned`) whose name has this slug.

        Errors: `NotFound` where none has it, `Conflict` where several do.
        """
        if (own_id := parse_uuid(text)) is not None:
            return own_id
        found = await self._database.read(lambda c: _find_by_slug(c, text, owned))
        if (only := _choose_only(text, found)) is None:
            known = ", ".join(sorted(self._assistants.graph_ids))
            raise NotFound(
                f"There is no agent {text!r}; send the name of a graph ({known}), or the id or the name of an assistant"
            )
        return only

    async def ids(self, text: str) -> list[str]:
        """Return the ids of all assistants that `text` may name, for finding the runs of any of them."""
        if (own_id := parse_uuid(text)) is not None:
            return [own_id]
        graph = self.find_graph(text)
        own = [str(uuid5(SYSTEM_NAMESPACE, graph))] if graph else []
        return [*dict.fromkeys([*own, *await self._database.read(lambda c: _find_by_slug(c, text, None))])]


def parse_uuid(text: str) -> str | None:
    """Return the UUID in `text` in its canonical form, or None."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _choose_only(text: str, found: Iterable[str]) -> str | None:
    several = sorted(found)
    if len(several) > 1:
        raise Conflict(f"{len(several)} agents are called {text!r}: {', '.join(several)}; send the id of one of them")
    return several[0] if several else None


def _find_by_slug(connection: Connection, text: str, owned: Condition | None) -> list[str]:
    wanted = slug(text)
    if not wanted:
        return []
    search = Search("assistants")
    if owned is not None:
        owned.narrow(search)
    search.where("lower(name) LIKE :pattern", pattern=f"%{re.sub('[^a-z0-9]+', '%', wanted)}%")
    rows = search.rows(connection, Page("assistant_id, name", "created_at, assistant_id", MAX_NAMED, 0))
    return [row["assistant_id"] for row in rows if slug(row["name"]) == wanted]
