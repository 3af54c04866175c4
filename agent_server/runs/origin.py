"""Origin: who asks for a run, and by what request; it is kept with the run."""

from __future__ import annotations

from msgspec import Struct

from agent_server.schema import JsonObject


class Origin(Struct, frozen=True):
    """Where a run comes from."""

    base_url: str
    """The server's address as the request's client saw it, with which feedback URLs begin."""
    caller: str | None = None
    """For whom the request is, as JSON, where the application has rules of its own."""
    headers: JsonObject = {}
    """Headers of the request that the run's graph finds in its config."""
    project: str | None = None
    """Whose feedback is given on the run."""
