"""Application factory `create_app`, and `AgentServerPlugin` for a Litestar app of your own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any

import anyio
import structlog
from litestar import Litestar, Request
from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.plugins import InitPlugin, PluginProtocol
from litestar.types import ASGIApp, Middleware

from agent_server.access.api_keys import ApiKeys
from agent_server.access.auth_object import load_auth
from agent_server.access.exposure_check import warn_of_missing_public_url
from agent_server.access.key_auth import ApiKeyAuth
from agent_server.access.key_cache import ApiKeyCache
from agent_server.access.page_origins import PageOrigins
from agent_server.agents import Agent, RequestContext, find_running_node, open_agents, set_request_context
from agent_server.agents.stores.items import Store
from agent_server.asgi.custom_app import HttpApp
from agent_server.asgi.host_check import check_host
from agent_server.asgi.mount_prefix import mount_below
from agent_server.asgi.query_check import check_query
from agent_server.asgi.request_body import detect_client_left, limit_body
from agent_server.assistants.assistants import Assistants
from agent_server.assistants.graphs import AssistantGraphs
from agent_server.assistants.slugs import AssistantSlugs
from agent_server.broker import open_broker
from agent_server.config import Config
from agent_server.database import open_database
from agent_server.database.data_dir import hold_data_dir
from agent_server.database.file_check import FileCheck
from agent_server.errors import Invalid, NotFound
from agent_server.observability.event_loop import watch_loop
from agent_server.observability.metrics import Metrics
from agent_server.protocols import UNROUTED, protocol_handlers, task_notification
from agent_server.protocols.agents import AgentFinder
from agent_server.protocols.workflowai.service import WorkflowAIRuns
from agent_server.routes import route_handlers
from agent_server.routes.app_router import AppRouter
from agent_server.routes.authentication import RequestAuthenticator, hide_routes
from agent_server.routes.authorization import Authorization, get_caller
from agent_server.routes.cors import Cors
from agent_server.routes.error_handler import EXCEPTION_HANDLERS
from agent_server.routes.health import Check, HealthChecks
from agent_server.routes.openapi import openapi_config
from agent_server.routes.request_body import read_json
from agent_server.routes.request_metrics import count_custom_routes, observe_requests
from agent_server.routes.run_responder import run_responders
from agent_server.runs.attempt import AttemptContext
from agent_server.runs.crons.clock import CronClock
from agent_server.runs.crons.crons import Crons
from agent_server.runs.feedback import FeedbackUrls, RunFeedback, RunTokens
from agent_server.runs.listing import RunFilter, newest_runs
from agent_server.runs.queue import Runs
from agent_server.runs.records import Record
from agent_server.runs.self_waits import SelfWaits
from agent_server.runs.server_metrics import MetricsText, ServerMetrics
from agent_server.runs.webhook_sender import WebhookSender
from agent_server.runs.webhook_targets import WebhookTargets
from agent_server.runs.worker import Worker
from agent_server.streams.commands import Commands
from agent_server.streams.deletion import Deletion
from agent_server.streams.event_streams import EventStreams
from agent_server.streams.idle_threads import IdleThreads
from agent_server.streams.run_end_watch import RunEndWatch
from agent_server.streams.run_streams import RunStreams
from agent_server.streams.thread_streams import ThreadStreams
from agent_server.threads.schema import build_default_ttl
from agent_server.threads.states import ThreadStates
from agent_server.threads.sweeper import sweep_threads
from agent_server.threads.threads import Threads

log = structlog.get_logger("agent_server")


class AgentServerPlugin(InitPlugin):
    """The agent server's routes and its worker, in a Litestar app.

    `agents` maps names to agents (compiled LangGraph graphs, async generator functions, or anything with the methods of
    `Agent`); without it they are loaded from `config.graphs`. `feedback` creates the feedback URLs of runs with
    `feedback_keys`. `info` is added to the response of `GET /info`, the texts of `metrics` to that of `GET /metrics`,
    and the checks in `health` to those of `GET /ok?check_db=1`. With `cors`, the routes send CORS headers
    (`config.cors_origins`, `config.http.cors`); without it, that is up to the app.
    """

    def __init__(
        self,
        config: Config,
        *,
        agents: Mapping[str, object] | None = None,
        feedback: FeedbackUrls | None = None,
        info: Mapping[str, Any] | None = None,
        metrics: Sequence[MetricsText] = (),
        health: Mapping[str, Check] | None = None,
        cors: bool = False,
    ) -> None:
        self._config = config
        self._given = agents
        self._agents: dict[str, Agent] = {}
        self._metrics = Metrics()
        self._database = open_database(config.get_url("runs"))
        self._broker = open_broker(config.redis_url, config.keep_stream_seconds)
        self._info = dict(info or {})
        self._health_checks: dict[str, Check] = {"runs": self._database.check, **(health or {})}
        if config.redis_url:
            self._health_checks["redis"] = self._broker.check
        self._build_access(config)
        self._build_runs(config)
        self._build_streams(config, feedback)
        self._build_worker(config, feedback)
        self._server_metrics = ServerMetrics(self._database, self._metrics, self._worker, metrics)
        self._middleware: list[Middleware] = [
            observe_requests(self._metrics),
            *([self.cors.middleware()] if cors else []),
        ]

    def _build_access(self, config: Config) -> None:
        self.api_keys = ApiKeys(self._database)
        keys = ApiKeyCache(self.api_keys, config.api_keys)
        origins = PageOrigins(config.cors_origins, config.http.cors.origin_pattern, config.public_url)
        self.key_auth = ApiKeyAuth(keys, config, origins)
        self.cors = Cors(origins, self.key_auth.needs_key, config.http.cors)
        self.authenticator = RequestAuthenticator(self.key_auth)

    def _build_runs(self, config: Config) -> None:
        ttl = build_default_ttl(config.thread_ttl)
        self._assistants = Assistants(self._database, graph_configs=config.graph_configs)
        self.slugs = AssistantSlugs(self._database, self._assistants)
        self._threads = Threads(self._database, ttl)
        self._thread_states = ThreadStates(self._threads, self._agents, self._broker)
        self._runs = Runs(self._database, self._broker, self._assistants, config.webhooks, self._metrics, ttl)
        self._store = Store()
        self._crons = Crons(self._database, self._assistants, config.webhooks)
        self._cron_clock = CronClock(self._database, self._runs, self._metrics, config.public_url)

    def _build_streams(self, config: Config, feedback: FeedbackUrls | None) -> None:
        self._run_end_watch = RunEndWatch(self._database) if config.database_url or config.redis_url else None
        self._streams = RunStreams(
            self._runs, self._broker, feedback, config.mint_timeout, config.feedback_custom_event, self._run_end_watch
        )
        are_changes_notified = config.database_url is None or config.redis_url is not None
        self._idle_threads = IdleThreads(self._database, are_changes_notified)
        self._thread_streams = ThreadStreams(
            self._database,
            self._threads,
            self._runs,
            self._streams,
            self._broker,
            self._thread_states,
            self._idle_threads,
        )
        self._event_streams = EventStreams(
            self._database, self._threads, self._runs, self._broker, self._run_end_watch, self._idle_threads
        )
        self._run_tokens = RunTokens(feedback)
        self._run_feedback = RunFeedback(feedback, self._run_tokens, config.mint_timeout)

    def _build_worker(self, config: Config, feedback: FeedbackUrls | None) -> None:
        self._webhook_sender = WebhookSender(
            self._database, self._broker, config.webhooks, metrics=self._metrics, translate=task_notification
        )
        context = AttemptContext(
            self._runs,
            self._broker,
            feedback,
            self._run_tokens,
            config.feedback_on_error,
            config.mint_timeout,
            config.feedback_custom_event,
            self._metrics,
            config.stop_seconds,
            config.max_rescues,
        )
        jobs = config.jobs if config.role != "api" else 0
        self._worker = Worker(self._agents, context, jobs, config.lease_seconds)
        self._self_waits = SelfWaits(self._database, self._worker, config.public_url)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the routes and the lifespan."""
        app_config.route_handlers.append(
            AppRouter(
                path="/",
                route_handlers=[
                    *route_handlers(self._config.http.disabled),
                    *protocol_handlers(self._config.http.disabled),
                ],
                dependencies=self._dependencies(),
                middleware=self._middleware,
                exception_handlers=EXCEPTION_HANDLERS,
                before_request=_authenticator(self.authenticator, self._config, self._self_waits),
                request_max_body_size=self._config.max_body_bytes,
            )
        )
        app_config.lifespan.insert(0, self._hold_data_dir)  # before any other plugin opens its file there
        app_config.lifespan.append(self._lifespan)
        return app_config

    @property
    def agents(self) -> Mapping[str, Agent]:
        """Return the loaded agents, by name."""
        return self._agents

    async def drain(self) -> None:
        """Take no more runs, report it at `/ok`, and wait until the current runs end or the drain time is over."""
        self._server_metrics.draining = True
        log.info("draining", runs=self._worker.busy, seconds=self._config.drain_seconds)
        await self._worker.drain(self._config.drain_seconds)

    async def run_record(self, run_id: str) -> Record | None:
        """Return the run with this id, with its input and result; None if it does not exist."""
        try:
            return await self._runs.get(run_id)
        except (NotFound, Invalid):
            return None

    async def run_records(self, run_ids: Sequence[str]) -> list[Record]:
        """As `run_record`, for many runs at once; omit unknown ones."""
        return await self._runs.get_many(run_ids)

    def wrap_custom_app(self, app: ASGIApp) -> ASGIApp:
        """Return an app of the user's, wrapped like our own routes: CORS, metrics, a limit on request bodies."""
        bounded = limit_body(app, self._config.max_body_bytes)
        return count_custom_routes(self._metrics, self.cors.wrap(bounded))

    async def newest_runs(self, which: RunFilter) -> list[Record]:
        """Return the matching runs, newest first."""
        return await self._database.read(lambda connection: newest_runs(connection, which))

    def _dependencies(self) -> dict[str, Provide]:
        given = {name: Provide(_provide_value(value), sync_to_thread=False) for name, value in self._services()}
        responder = run_responders(self._config, self._runs, self._streams, self._run_feedback)
        return {**given, "responder": Provide(responder, sync_to_thread=False)}

    def _services(self) -> list[tuple[str, object]]:
        graphs = AssistantGraphs(self._assistants, self._agents)
        finder = AgentFinder(self.authenticator, self._assistants, self.slugs, graphs)
        return [
            ("server_config", self._config),  # Litestar would take a wrong body field `config` for this dependency
            ("assistants", self._assistants),
            ("assistant_graphs", graphs),
            ("threads", self._threads),
            ("thread_states", self._thread_states),
            ("deletion", Deletion(self._thread_states, self._runs, self._streams)),
            ("runs", self._runs),
            ("crons", self._crons),
            ("item_store", self._store),
            ("streams", self._streams),
            ("run_feedback", self._run_feedback),
            ("webhook_targets", WebhookTargets(self._database, self._broker, self._config.webhooks)),
            ("thread_streams", self._thread_streams),
            ("event_streams", self._event_streams),
            ("authenticator", self.authenticator),
            ("agent_finder", finder),
            ("commands", Commands(self._database, self._runs)),
            ("info_extra", self._info),
            ("server_metrics", self._server_metrics),
            (
                "workflowai",
                WorkflowAIRuns(
                    self._config,
                    self.authenticator,
                    finder,
                    self._runs,
                    self._streams,
                    self._run_feedback,
                ),
            ),
            ("health_checks", HealthChecks(self._health_checks)),
        ]

    @asynccontextmanager
    async def _hold_data_dir(self, _app: Litestar) -> AsyncIterator[None]:
        with nullcontext() if self._config.database_url else hold_data_dir(self._config.data_dir):
            yield

    @asynccontextmanager
    async def _lifespan(self, app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._database)
            await self._database.migrate("agent_server")
            await stack.enter_async_context(self._broker)
            await stack.enter_async_context(self._store.open(self._config))
            agents = open_agents(self._config, self._given, self._store.langgraph, self._database)
            self._agents.update(await stack.enter_async_context(agents))
            self._check_file_of_store()
            if (rules := load_auth(self._config)) is not None:
                self.authenticator.rules = Authorization(rules, self._database)
            await self._assistants.register(self._agents)
            if not self._config.database_url:
                await self._runs.expire_leases()  # we hold the data directory, so no other worker can be running
            stack.enter_context(watch_loop(self._config.blocked_seconds, find_running_node))
            async with anyio.create_task_group() as group:
                self._streams.closing = anyio.Event()
                warn_of_missing_public_url(self._config)
                for sentence in self._config.unheeded:
                    log.warning("setting_without_effect", sentence=sentence)
                sweeping = anyio.CancelScope()
                if self._config.role != "api":
                    group.start_soon(self._worker.serve)
                    group.start_soon(self._self_waits.serve)
                    group.start_soon(self._stop_worker_on_closing)
                    group.start_soon(sweep_threads, self._thread_states, sweeping, self._config.thread_ttl)
                    group.start_soon(self._cron_clock.serve)
                    group.start_soon(self._webhook_sender.serve, app)
                if self._run_end_watch is not None:
                    group.start_soon(self._run_end_watch.serve)
                group.start_soon(self._idle_threads.serve)
                yield
                self._idle_threads.stop()
                self._self_waits.stop()
                self._cron_clock.stop()
                self._webhook_sender.stop()
                if self._run_end_watch is not None:
                    self._run_end_watch.stop()
                sweeping.cancel()
                self._streams.closing.set()

    def _check_file_of_store(self) -> None:
        """Make `GET /ok?check_db=1` check the file of LangGraph's store, if it exists."""
        if self._config.database_url is None and (file := self._config.data_dir / "store.db").exists():
            self._health_checks["store"] = FileCheck(file).run

    async def _stop_worker_on_closing(self) -> None:
        """Stop the worker while clients are still connected, so that they get its agents' last events."""
        await self._streams.closing.wait()
        self._worker.stop()


def create_app(
    config: Config,
    *,
    agents: Mapping[str, object] | None = None,
    feedback: FeedbackUrls | None = None,
    info: Mapping[str, Any] | None = None,
    metrics: Sequence[MetricsText] = (),
    health: Mapping[str, Check] | None = None,
    plugins: Sequence[PluginProtocol] = (),
) -> Litestar:
    """Create the agent server as an ASGI app, with more `plugins`. `AgentServerPlugin` has the other parameters."""
    plugin = AgentServerPlugin(
        config, agents=agents, feedback=feedback, info=info, metrics=metrics, health=health, cors=True
    )
    http = config.http
    guard = plugin.authenticator.let_in_elsewhere if http.custom_route_auth else None
    front = [HttpApp(config, http.app, guard)] if http.app else []
    app = Litestar(
        plugins=[*plugins, plugin, *front],
        exception_handlers={**EXCEPTION_HANDLERS, **UNROUTED},
        openapi_config=None if "meta" in http.disabled else openapi_config("0.1.0", http.mount_prefix),
        logging_config=None,
    )
    ours = handler = hide_routes(app.asgi_handler, plugin.authenticator)
    for one in front:
        handler = plugin.wrap_custom_app(one.mount_before(ours))
    if http.mount_prefix:
        handler = mount_below(http.mount_prefix, handler, healthy=ours)
    app.asgi_handler = detect_client_left(check_host(handler, config.trust_forwarded))
    return app


def _authenticator(
    authenticator: RequestAuthenticator, config: Config, self_waits: SelfWaits
) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """Return the check of requests: authentication, authorization, and the body's presence, size and content.

    A function, not the plugin's method: Litestar deep-copies what a router holds, and would copy the whole server with
    it. Nor a guard: for guards, Litestar copies the route's handler with every request.
    """

    limit, rules = config.max_body_bytes, config.http.configurable_headers

    async def check(request: Request[Any, Any, Any]) -> None:
        await authenticator.let_in(request)
        caller = get_caller(request)
        set_request_context(
            RequestContext(caller.user.dict() if caller else None, rules.select(request.scope["headers"]))
        )
        self_waits.saw_host(request.headers.get("host"))
        check_query(request.scope["query_string"])
        if request.method in ("POST", "PATCH", "PUT", "DELETE"):
            await read_json(request, limit)
        await authenticator.authorize(request)

    return check


def _provide_value(value: object) -> Any:
    """Return a dependency provider that always returns `value`."""
    return lambda: value
