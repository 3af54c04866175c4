"""Runs as feedback sees them: thread, assistant version, input and output.

Callables of the app provide them; alone, the service works without.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct, structs

from feedback.projects.scoped_database import DEFAULT

logger = logging.getLogger("feedback")

REMEMBERED_SECONDS = 60.0
UNKNOWN_SECONDS = 2.0
"""How long a run that the lookup did not find is not looked up again."""
REMEMBERED_RUNS = 10_000
PATIENCE_SECONDS = 2.0
"""How long a submission waits for the lookup of its run, before it is stored without."""
BATCH_PATIENCE_SECONDS = 30.0
"""How long an export waits for the lookup of a batch of runs."""
AT_ONCE = 8
"""Concurrent lookups, if runs must be looked up one by one."""
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RunFacts(Struct, frozen=True):
    """A run: its thread, the assistant and version that ran, and its input and output, decoded from JSON.

    The output is None until there is one. `trace_parent` is the run's trace and span in the form of a `traceparent`
    header (W3C Trace Context, level 1). `assistant_name` is the assistant's display name. Only feedback of the run's
    `project` may use it.
    """

    run_id: str
    thread_id: str | None = None
    assistant_id: str | None = None
    assistant_version: int | None = None
    input: Any = None
    output: Any = None
    trace_parent: str | None = None
    assistant_name: str | None = None
    project: str = DEFAULT
    status: str | None = None
    error: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    metadata: Mapping[str, Any] = MappingProxyType({})


class RunSelection(Struct, frozen=True):
    """Which runs to list, newest first: those that match all given fields, and come after the run `before`."""

    project: str = DEFAULT
    run_ids: tuple[str, ...] | None = None
    assistant_ids: tuple[str, ...] | None = None
    thread_id: str | None = None
    failed: bool | None = None
    since: int | None = None
    """Only runs that were created at this time or later, in microseconds since 1970."""
    until: int | None = None
    before: str | None = None
    limit: int = 100


class RunPlace(Struct, frozen=True):
    """What never changes about a run, and is stored with all feedback on it."""

    thread_id: str | None = None
    assistant_id: str | None = None
    assistant_version: int | None = None
    trace_parent: str | None = None


class RunReference(Protocol):
    """A run that URLs are minted for, as the agent server describes it."""

    @property
    def run_id(self) -> str: ...

    @property
    def thread_id(self) -> str | None: ...

    @property
    def assistant_id(self) -> str | None: ...

    @property
    def assistant_version(self) -> int | None: ...

    @property
    def trace_parent(self) -> str | None:
        """The W3C `traceparent` of the run."""


RunLookup = Callable[[str], Awaitable[RunFacts | None]]
"""Return the run with this id, or None if it does not exist."""
RunsLookup = Callable[[Sequence[str]], Awaitable[Mapping[str, RunFacts]]]
"""Return the runs that exist, by the requested ids, in one call."""

RunList = Callable[[RunSelection], Awaitable[Sequence[RunFacts]]]
"""List runs."""
AssistantLookup = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the ids of the assistants that have this name or slug."""

NOWHERE = RunPlace()
NOTHING: Mapping[str, str] = MappingProxyType({})
MAX_METADATA = 200
"""The longest value of metadata that is stored with feedback, in characters."""


class RunLookups:
    """Look up runs. A lookup that fails or is slow costs only the data that it would have returned."""

    def __init__(self, lookup: RunLookup | None, lookup_many: RunsLookup | None = None) -> None:
        """`lookup_many` is optional: with it, exports need not look up runs one by one."""
        self.lookup = lookup
        self.lookup_many = lookup_many
        self.lookup_assistants: AssistantLookup | None = None
        self.list_runs: RunList | None = None
        self.metadata_names: tuple[str, ...] = ()
        """The names of the runs' metadata that is stored with feedback."""
        self._places: OrderedDict[str, tuple[float, str, RunPlace, Mapping[str, str]]] = OrderedDict()

    @property
    def are_known(self) -> bool:
        """Return whether there is a run lookup."""
        return self.lookup is not None

    def get_project_runs(self, project: str) -> ProjectRuns:
        """Return the runs of one project."""
        return ProjectRuns(self, project)

    async def find_runs(self, which: RunSelection) -> Sequence[RunFacts]:
        """Return the runs, newest first; none without a run list. Errors: those of the agent server."""
        return [] if self.list_runs is None else await self.list_runs(which)

    async def find_assistants(self, name: str) -> Sequence[str]:
        """Return the ids of the assistants with this name; none if the lookup is missing or fails."""
        if self.lookup_assistants is None:
            return []
        try:
            return await asyncio.wait_for(self.lookup_assistants(name), PATIENCE_SECONDS)
        except Exception as error:
            logger.warning("the assistants named %r are not known now: %r", name, error)
            return []

    async def facts(self, run_id: str | None) -> RunFacts | None:
        """Return the run's current facts; None if it is unknown, or the lookup fails or is too slow."""
        return (await self._look_up(run_id))[0]

    async def _look_up(self, run_id: str | None) -> tuple[RunFacts | None, bool]:
        """Return what the lookup found, and whether it responded."""
        if self.lookup is None or run_id is None:
            return None, True
        try:
            return await asyncio.wait_for(self.lookup(run_id), PATIENCE_SECONDS), True
        except Exception as error:  # no failure of a lookup may lose feedback
            logger.warning("run %s cannot be looked up now: %r", run_id, error)
            return None, False

    async def find_many_facts(self, run_ids: Iterable[str | None]) -> Mapping[str, RunFacts]:
        """Return the current facts of the runs, by id; unknown runs are left out."""
        wanted = list(dict.fromkeys(run_id for run_id in run_ids if run_id is not None))
        if self.lookup_many is not None and wanted:
            try:
                return await asyncio.wait_for(self.lookup_many(wanted), BATCH_PATIENCE_SECONDS)
            except Exception as error:  # one run may be the cause, so each is looked up alone
                logger.warning("%d runs are not known at once now: %r", len(wanted), error)
        turns = asyncio.Semaphore(AT_ONCE)

        async def look_up(run_id: str) -> RunFacts | None:
            async with turns:
                return await self.facts(run_id)

        found = await asyncio.gather(*map(look_up, wanted))
        return {run_id: facts for run_id, facts in zip(wanted, found, strict=True) if facts is not None}

    async def place(self, run_id: str | None, project: str) -> RunPlace:
        """Return what feedback on the project's run is stored with; cached for a minute (an unknown run: briefly)."""
        return (await self._find_known(run_id, project))[0]

    async def metadata(self, run_id: str | None, project: str) -> Mapping[str, str]:
        """Return the run's declared metadata as text, cached with its place; nothing if no names are declared."""
        return (await self._find_known(run_id, project))[1] if self.metadata_names else NOTHING

    async def _find_known(self, run_id: str | None, project: str) -> tuple[RunPlace, Mapping[str, str]]:
        if self.lookup is None or run_id is None:
            return NOWHERE, NOTHING
        now = time.monotonic()
        if (found := self._places.get(run_id)) and found[0] > now:
            return found[2:] if found[1] == project else (NOWHERE, NOTHING)
        facts, has_responded = await self._look_up(run_id)
        if facts is None:
            if has_responded:
                self._remember(run_id, now + UNKNOWN_SECONDS, project, NOWHERE, NOTHING)
            return NOWHERE, NOTHING
        place, metadata = build_place(facts), select_declared(facts.metadata, self.metadata_names)
        self._remember(run_id, now + REMEMBERED_SECONDS, facts.project, place, metadata)
        return (place, metadata) if facts.project == project else (NOWHERE, NOTHING)

    def _remember(self, run_id: str, until: float, project: str, place: RunPlace, metadata: Mapping[str, str]) -> None:
        self._places[run_id] = (until, project, place, metadata)
        self._places.move_to_end(run_id)
        while len(self._places) > REMEMBERED_RUNS:
            self._places.popitem(last=False)


class ProjectRuns:
    """The runs of one project; runs of other projects are unknown."""

    def __init__(self, every: RunLookups, project: str) -> None:
        self._every = every
        self._project = project

    @property
    def are_known(self) -> bool:
        """Return whether there is a run lookup."""
        return self._every.are_known

    async def facts(self, run_id: str | None) -> RunFacts | None:
        """As `RunLookups.facts`."""
        found = await self._every.facts(run_id)
        return found if found is not None and found.project == self._project else None

    async def find_many_facts(self, run_ids: Iterable[str | None]) -> Mapping[str, RunFacts]:
        """As `RunLookups.find_many_facts`."""
        found = await self._every.find_many_facts(run_ids)
        return {run_id: facts for run_id, facts in found.items() if facts.project == self._project}

    async def find_runs(self, which: RunSelection) -> Sequence[RunFacts]:
        """As `RunLookups.find_runs`."""
        return await self._every.find_runs(structs.replace(which, project=self._project))

    async def find_assistants(self, name: str) -> Sequence[str]:
        """As `RunLookups.find_assistants`."""
        return await self._every.find_assistants(name)

    async def place(self, run_id: str | None) -> RunPlace:
        """As `RunLookups.place`."""
        return await self._every.place(run_id, self._project)


def build_place(run: RunReference) -> RunPlace:
    """Return what feedback on the run is stored with."""
    return RunPlace(run.thread_id, run.assistant_id, run.assistant_version, trace_parent(run.trace_parent))


def select_declared(metadata: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return the metadata with these names as text; lists, objects, nulls and long or empty texts are left out."""
    found = {name: _text(metadata.get(name)) for name in names}
    return {name: text for name, text in found.items() if text and len(text) <= MAX_METADATA and "\0" not in text}


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None


def trace_parent(text: str | None) -> str | None:
    """Return `text` if it is a `traceparent` header that names a trace and a span, else None."""
    return text if text is not None and _TRACE_PARENT.fullmatch(text) and not text.startswith("ff") else None
