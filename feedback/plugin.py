"""FeedbackPlugin: the feedback service inside any Litestar app.

app = Litestar(plugins=[FeedbackPlugin(open_database("sqlite:///feedback.db"))])
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin

from feedback.auth import ApiKeyInfo, ApiKeyListing, ApiKeys, Keys
from feedback.configs.feedback_config import FeedbackConfig
from feedback.database import Database
from feedback.delivery.outbox import Endpoint
from feedback.delivery.webhooks import Webhook, Webhooks
from feedback.metrics import Metrics
from feedback.projects.projects import Projects
from feedback.projects.scoped_database import DEFAULT
from feedback.rate_limits import RateLimiter
from feedback.records.erasure import Erasure, keep_sweeping
from feedback.records.plain import SubmissionCache
from feedback.records.purge import keep_purging
from feedback.records.text_blocks import keep_building
from feedback.reports.alert_rules import AlertRule, alert_rules
from feedback.reports.alerts import Alerts
from feedback.reports.stats import Statistics
from feedback.routes.alerts import alerts_router
from feedback.routes.api_keys import api_keys_router
from feedback.routes.app_router import AppRouter
from feedback.routes.assets import assets_router
from feedback.routes.authentication import admission, services_dependency
from feedback.routes.dashboard import dashboard_router
from feedback.routes.error_responses import FAILURES
from feedback.routes.evalguard import evalguard_router
from feedback.routes.langsmith import INFO, langsmith_routers
from feedback.routes.openapi import TAGS, JsonUnions
from feedback.routes.origins import narrow_origins
from feedback.routes.pages import PAGE_SETTINGS
from feedback.routes.projects import projects_router
from feedback.routes.request_metrics import metrics_router, observe_requests
from feedback.routes.retention import retention_router
from feedback.routes.reviews import reviews_router
from feedback.routes.search import search_router
from feedback.routes.short_path import short_path
from feedback.routes.unserved import explain_unserved
from feedback.routes.workflowai import workflowai_router
from feedback.run_urls import ProtocolSubmission, RunUrls, Submitted
from feedback.runs import RunLookup, RunLookups, RunReference, RunsLookup
from feedback.schema import Feedback
from feedback.services import ProjectServices, ServiceContext
from feedback.settings import FeedbackSettings
from feedback.tokens.keyring import KeyRing
from feedback.tokens.redaction import RedactTokens

ACCESS_LOG = "uvicorn.access"

DEFAULTS = FeedbackSettings()


class FeedbackPlugin(InitPlugin):
    """Mint presigned URLs for runs; store, list, count and export the feedback that comes through them.

    Each project has its own services (`get_services`); `default` has those of the project of that name.
    """

    def __init__(
        self,
        database: Database,
        settings: FeedbackSettings = DEFAULTS,
        *,
        run_lookup: RunLookup | None = None,
        runs_lookup: RunsLookup | None = None,
        api_keys: Keys = (),
        webhooks: Sequence[Endpoint] = (),
    ) -> None:
        """Serve from `database`, which the app's lifespan opens and closes.

        `run_lookup` describes a run, if the app has runs, and `runs_lookup` many runs at once, for exports. `api_keys`
        are texts that each have every scope (a mapping binds them to projects, or to none), or the app's own `Checker`;
        without any, no request needs an API key. `webhooks` are delivery targets in addition to those of the settings.
        Errors: `ValueError`; `ImportError` if the settings enable OpenTelemetry and it is not installed.
        """
        self.settings = settings
        self.runs = RunLookups(run_lookup, runs_lookup)
        self.runs.metadata_names = settings.run_metadata
        self.database = database
        self.ring = KeyRing(database, settings.secret)
        self.metrics = Metrics()
        self.projects = Projects(database)
        self._context = ServiceContext(
            database,
            self.ring,
            self.runs,
            self.metrics,
            settings,
            RateLimiter(settings.limits, settings.trust_forwarded),
            self.projects,
            SubmissionCache(),
        )
        self._services: dict[str, ProjectServices] = {}
        self.default = self.get_services(DEFAULT)
        self.alerts = Alerts(database, self.get_statistics_by_project, rules(settings))
        self.webhooks = Webhooks(database, [*endpoints(settings), *webhooks], self.metrics)
        self.api_keys = ApiKeys(api_keys)
        self.api_key_listing: ApiKeyListing | None = None
        self.buttons_path = RunUrls.buttons_path
        self.url_seconds = settings.default_expiry.total_seconds()

    @property
    def client_info(self) -> dict[str, Any]:
        """Return what LangSmith's clients read from `/info`, for an app that serves that route itself."""
        return {name: value for name, value in INFO.items() if name != "version"}

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the routes and the lifespan of feedback to the app's configuration.

        If there are API keys, every route that takes no token requires one.
        """
        before = len(app_config.route_handlers)
        app_config.state[PAGE_SETTINGS] = self.settings.pages
        given = services_dependency(self.get_services)
        app_config.route_handlers.extend(langsmith_routers(given, self.settings.serve_root_info))
        for router in (search_router, reviews_router, workflowai_router, retention_router):
            app_config.route_handlers.append(router(given))
        app_config.route_handlers.append(evalguard_router(given))
        app_config.route_handlers.append(projects_router(given, self.get_services))
        app_config.route_handlers.append(alerts_router(given, self.alerts))
        app_config.route_handlers.append(api_keys_router(given, self._list_api_keys))
        app_config.route_handlers.extend([dashboard_router(), assets_router()])
        if self.settings.serve_metrics:
            app_config.route_handlers.append(metrics_router(self.metrics_text))
        own = app_config.route_handlers[before:]
        watched = AppRouter(
            "/",
            route_handlers=own,
            exception_handlers=FAILURES,
            before_request=admission(self.api_keys, self.get_services),
            middleware=[observe_requests(self.metrics), narrow_origins, short_path(self.get_services)],
        )
        app_config.route_handlers[before:] = [watched]
        explain_unserved(app_config.exception_handlers)
        app_config.plugins.append(JsonUnions())
        if app_config.openapi_config is not None:
            app_config.openapi_config.tags = [*(app_config.openapi_config.tags or ()), *TAGS]
        app_config.lifespan.append(self._lifespan)
        return app_config

    def get_services(self, project: str) -> ProjectServices:
        """Return the services of the project with this name, whether the project exists or not."""
        if (services := self._services.get(project)) is None:
            self._services[project] = services = ProjectServices(project, self._context)
        return services

    async def get_statistics_by_project(self) -> dict[str, Statistics]:
        """Return the statistics of every project, by name."""
        return {name: self.get_services(name).statistics for name in (await self.projects.get_known()).rules}

    async def _list_api_keys(self) -> list[ApiKeyInfo]:
        return [] if self.api_key_listing is None else await self.api_key_listing()

    async def _erasures(self) -> list[Erasure]:
        return [self.get_services(name).erasure for name in (await self.projects.get_known()).rules]

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        async with self.open():
            await self.webhooks.register()
            work = (
                keep_sweeping(self._erasures),
                self.webhooks.serve(),
                self.webhooks.keep_forgetting(),
                self.ring.keep_reading(),
                self.alerts.keep_looking(),
                keep_purging(self.database),
                keep_building(self.database),
            )
            chores = [asyncio.create_task(chore) for chore in work]
            try:
                yield
            finally:
                for chore in chores:
                    chore.cancel()
                await asyncio.wait(chores)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FeedbackPlugin]:
        """Open the database, migrate the tables and load the key ring, as the app's lifespan does.

        Errors: `SecretMismatch` if the key ring was made with another secret.
        """
        redactor = RedactTokens()
        logging.getLogger(ACCESS_LOG).addFilter(redactor)
        try:
            async with self.database:
                await self.database.migrate("feedback")
                await self.ring.load()
                yield self
        finally:
            logging.getLogger(ACCESS_LOG).removeFilter(redactor)

    def get_run_urls(self, project: str | None) -> RunUrls:
        """Return the URLs, tokens and feedback of the project's runs (`default` for None)."""
        return RunUrls(self.get_services(project or DEFAULT))

    async def urls_for_run(
        self, run: RunReference | str, keys: Sequence[str], base_url: str, project: str | None = None
    ) -> dict[str, str]:
        """Mint URLs for a run of the project, as `RunUrls.urls_for_run` does."""
        return await self.get_run_urls(project).urls_for_run(run, keys, base_url)

    def token_for_run(self, run_id: str, project: str | None = None) -> str:
        """Make a token for a run of the project, as `RunUrls.token_for_run` does."""
        return self.get_run_urls(project).token_for_run(run_id)

    async def feedback_for_run(self, run_id: str, project: str | None = None) -> list[Feedback]:
        """Return the project's feedback on the run, as `RunUrls.feedback_for_run` does."""
        return await self.get_run_urls(project).feedback_for_run(run_id)

    async def configs_of_keys(self, keys: Sequence[str], project: str | None = None) -> dict[str, FeedbackConfig]:
        """Return the project's configurations of the feedback keys, as `RunUrls.configs_of_keys` does."""
        return await self.get_run_urls(project).configs_of_keys(keys)

    async def submit(self, run_id: str, submission: ProtocolSubmission, project: str | None = None) -> Submitted:
        """Store feedback on a run of the project, as `RunUrls.submit` does."""
        return await self.get_run_urls(project).submit(run_id, submission)

    async def submit_by_token(
        self, token: str, submission: ProtocolSubmission, project: str | None = None
    ) -> Submitted:
        """Store feedback through a token, as `RunUrls.submit_by_token` does."""
        return await self.get_run_urls(project).submit_by_token(token, submission)

    async def metrics_text(self) -> str:
        """Return this process's metrics and the database's gauges in the Prometheus text format (0.0.4)."""
        backlog = await self.webhooks.backlog()
        self.metrics.set_outbox(backlog.waiting, backlog.given_up, backlog.oldest_seconds)
        self.metrics.set_alerts({str(rule): 0 for rule in self.alerts.rules} | await self.alerts.count_firing())
        return self.metrics.text()


def rules(settings: FeedbackSettings) -> list[AlertRule]:
    """Return the alert rules of the settings. Errors: `ValueError`."""
    try:
        return alert_rules(settings.alerts)
    except ValueError as error:
        raise ValueError(f"alerts (AGENT_SERVER_FEEDBACK_ALERTS): {error}") from None


def endpoints(settings: FeedbackSettings) -> list[Endpoint]:
    """Return the delivery targets of the settings. Errors: `ImportError` if OpenTelemetry is enabled and missing."""
    found: list[Endpoint] = [Webhook(url, settings.webhook_secret or "") for url in settings.webhooks]
    if settings.otel:
        from feedback.delivery.opentelemetry import Evaluations

        found.append(Evaluations(settings.otel_comments))
    return found
