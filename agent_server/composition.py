"""The composition root: the one place that connects the agent server and the feedback module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
from litestar import Litestar
from msgspec import structs

import agent_server.errors
from agent_server.access.api_keys import ApiKeys
from agent_server.app import AgentServerPlugin, create_app
from agent_server.assistants.assistants import Assistants
from agent_server.broker import MemoryBroker
from agent_server.config import Config, ConfigError
from agent_server.database import Database, open_database
from agent_server.database.lost_file import warn_of_lost_feedback
from agent_server.errors import Invalid, NotFound
from agent_server.runs.listing import RunFilter
from agent_server.runs.queue import FINAL, Runs
from agent_server.runs.records import Record
from agent_server.schema import timestamp
from feedback import FeedbackPlugin, FeedbackSettings, RunFacts, RunList, RunLookup, RunSelection, RunsLookup
from feedback.auth import ApiKeyInfo, ApiKeyListing, Connection, Entry, Keys, Scope
from feedback.errors import Forbidden, TooMany, Unauthorized

UNTITLED = "Untitled"
"""The name of assistants created without one."""


def build(config: Config) -> Litestar:
    """Build the agent server with the feedback module."""

    async def check(connection: Connection, scope: Scope) -> Entry:
        try:
            key = await server.key_auth.check(connection, scope)
            return Entry(key is not None, key.project if key else None)
        except agent_server.errors.Unauthorized as error:  # as feedback's own, which all its API dialects convert
            raise Unauthorized(str(error)) from None
        except agent_server.errors.Forbidden as error:
            raise Forbidden(str(error)) from None
        except agent_server.errors.TooMany as error:
            raise TooMany(str(error), error.retry_after) from None

    if config.database_url is None:
        warn_of_lost_feedback(config.data_dir)
    database = open_database(config.get_url("feedback"))
    feedback = build_feedback(config, check, database)
    built = create_app(
        config,
        feedback=feedback,
        info=feedback.client_info,
        metrics=[feedback.metrics_text],
        health={"feedback": database.check},
        plugins=[feedback],
    )
    server = built.plugins.get(AgentServerPlugin)
    feedback.runs.lookup = run_lookup(server.run_record)
    feedback.runs.lookup_many = runs_lookup(server.run_records)
    feedback.api_key_listing = build_api_key_listing(server.api_keys)
    feedback.runs.lookup_assistants = server.slugs.ids
    feedback.runs.list_runs = run_list(server.newest_runs)
    return built


def build_feedback(config: Config, api_keys: Keys = (), database: Database | None = None) -> FeedbackPlugin:
    """Create the feedback module with the environment's settings. Errors: `ConfigError`."""
    database = database or open_database(config.get_url("feedback"))
    try:
        settings = FeedbackSettings.load(config.environ, serve_root_info=False, serve_metrics=False)
        return FeedbackPlugin(database, settings, api_keys=api_keys)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    except ImportError:
        raise ConfigError("AGENT_SERVER_FEEDBACK_OTEL needs OpenTelemetry: pip install 'agent-server[otel]'") from None


def run_lookup(get: Callable[[str], Awaitable[Record | None]]) -> RunLookup:
    """Return a function that looks a run of the agent server up for the feedback module."""

    async def look_up(run_id: str) -> RunFacts | None:
        if (record := await get(run_id)) is None:
            return None
        return _facts(record)

    return look_up


def build_api_key_listing(keys: ApiKeys) -> ApiKeyListing:
    """Return a function that lists the agent server's API keys for the feedback module."""

    async def list_api_keys() -> list[ApiKeyInfo]:
        return [
            ApiKeyInfo(
                key.name, key.ending, list(key.scopes), key.project, key.created_at, key.expires_at, key.revoked_at
            )
            for key in await keys.list_keys()
        ]

    return list_api_keys


def run_list(newest: Callable[[RunFilter], Awaitable[list[Record]]]) -> RunList:
    """Return a function that lists the agent server's runs for the feedback module."""

    async def list_runs(which: RunSelection) -> list[RunFacts]:
        return [_facts(record) for record in await newest(RunFilter(**structs.asdict(which)))]

    return list_runs


def runs_lookup(get_many: Callable[[Sequence[str]], Awaitable[list[Record]]]) -> RunsLookup:
    """Return a function that looks many runs up at once for the feedback module."""

    async def look_up(run_ids: Sequence[str]) -> dict[str, RunFacts]:
        return {record.run.run_id: _facts(record) for record in await get_many(run_ids)}

    return look_up


def _facts(record: Record) -> RunFacts:
    return RunFacts(
        run_id=record.run.run_id,
        thread_id=record.run.thread_id,
        assistant_id=record.run.assistant_id,
        assistant_version=record.assistant_version,
        input=msgspec.json.decode(record.kwargs.input),
        output=msgspec.json.decode(record.output) if record.output else None,
        trace_parent=record.reference.trace_parent,
        assistant_name=_assistant_name(record),
        status=record.run.status,
        error=_error(record),
        started_at=record.run.created_at,
        ended_at=timestamp(record.changed_at) if record.run.status in FINAL else None,
        metadata=msgspec.json.decode(record.run.metadata),
        **({"project": record.project} if record.project else {}),
    )


def _assistant_name(record: Record) -> str:
    """Return the assistant's name, or its graph's if it has none or was deleted."""
    return record.graph_id if record.assistant_name in (None, "", UNTITLED) else record.assistant_name


def _error(record: Record) -> str | None:
    if record.error is None:
        return None
    error = msgspec.json.decode(record.error)
    return f"{error['error']}: {error['message']}"


@asynccontextmanager
async def feedback_without_server(config: Config) -> AsyncIterator[FeedbackPlugin]:
    """Open the feedback module without a server, on the databases of servers, also while these run."""
    feedback = build_feedback(config)
    runs_database = open_database(config.get_url("runs"))
    runs = Runs(runs_database, MemoryBroker(), Assistants(runs_database))

    async def get(run_id: str) -> Record | None:
        try:
            return await runs.get(run_id)
        except (NotFound, Invalid):
            return None

    feedback.runs.lookup, feedback.runs.lookup_many = run_lookup(get), runs_lookup(runs.get_many)
    async with runs_database, feedback.open():
        await runs_database.migrate("agent_server")
        yield feedback
