"""FeedbackPlugin: the feedback service inside any Litestar app.

app = Litestar(plugins=[FeedbackPlugin(open_database("sqlite:///feedback.db"))])
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Litestar, Router
from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.plugins import InitPlugin

from feedback.alerts import AlertRule, Alerts
from feedback.api_keys import ApiKeys, Checker
from feedback.assistants import Assistants
from feedback.conversations import Conversations
from feedback.database import Database
from feedback.erasure import Erasure
from feedback.export import Exports
from feedback.gate import Gate, Limits
from feedback.histories import Histories
from feedback.key_configs import KeyConfigs
from feedback.keyring import KeyRing
from feedback.links import Links
from feedback.logs import RedactTokens
from feedback.metrics import Metrics
from feedback.one_time import OneTimeTokens
from feedback.outbox import Endpoint
from feedback.outcomes import Outcomes
from feedback.own_answers import OwnAnswers
from feedback.reading import Reading
from feedback.reviews import Reviews
from feedback.revocation import Revocation
from feedback.routes.admission import admission
from feedback.routes.assets import assets_router
from feedback.routes.dashboard import dashboard_router
from feedback.routes.evalguard import evalguard_router
from feedback.routes.keeping import keeping_router
from feedback.routes.langsmith import INFO, langsmith_routers
from feedback.routes.openapi import JsonUnions
from feedback.routes.reading import reading_router
from feedback.routes.reviewing import reviewing_router
from feedback.routes.tokens import TokensHere
from feedback.routes.watching import metrics_router, watching
from feedback.routes.workflowai import workflowai_router
from feedback.runs import KnownRuns, RunLookup, RunsLookup
from feedback.schema import Feedback
from feedback.sealed import SealedTokens
from feedback.search import MAX_LIMIT, FeedbackSearch
from feedback.settings import TOKEN_PATH, Settings, clean_url
from feedback.stats import Statistics
from feedback.store import FeedbackStore
from feedback.tokens import Order, Tokens
from feedback.webhooks import Webhooks

ACCESS_LOG = "uvicorn.access"

FOLLOWED = Links()
GENEROUS = Limits()


class FeedbackPlugin(InitPlugin):
    """Mints presigned URLs for runs, takes what people answer, keeps it and shows it."""

    def __init__(
        self,
        database: Database,
        *,
        public_url: str | None = None,
        trust_forwarded: bool = False,
        default_expiry: timedelta = timedelta(hours=3),
        secret: str | None = None,
        run_lookup: RunLookup | None = None,
        runs_lookup: RunsLookup | None = None,
        run_token_expiry: timedelta = timedelta(days=30),
        api_keys: Collection[str] | Checker = (),
        serve_root_info: bool = True,
        serve_metrics: bool = True,
        webhooks: Sequence[Endpoint] = (),
        alerts: Sequence[AlertRule] = (),
        links: Links = FOLLOWED,
        limits: Limits = GENEROUS,
    ) -> None:
        """Serve from `database`, which the app's lifespan opens and closes, and tell `webhooks` of every change.

        `public_url` is the base of every URL that is handed out (by default the request's own address, in which the
        `X-Forwarded-*` headers count with `trust_forwarded`). `secret`, of at least 16 characters, makes the database
        alone useless for forging URLs; it must stay the same. `api_keys` are texts that each may do everything, or the
        app's own `Checker`; without any, everybody may. `run_lookup` tells about a run, where something knows
        of runs, and `runs_lookup` about many at once, for exports. `serve_root_info` and `serve_metrics` are
        to be off where `/info` and `/metrics` belong to the app. `links` says what a GET does and where pages may lead
        on to, `limits` how often anybody may answer and mint. `alerts` are the rules by which webhooks are told of bad
        answers. Errors: `ValueError`.
        """
        if default_expiry <= timedelta(0):
            raise ValueError(f"default_expiry is {default_expiry}; URLs need some time to be used in")
        base = clean_url(public_url) if public_url else None
        gate = Gate(limits, trust_forwarded)
        self.settings = Settings(base, trust_forwarded, default_expiry, links, gate)
        self.runs = KnownRuns(run_lookup, runs_lookup)
        self.database = database
        self.ring = KeyRing(database, secret)
        self.metrics = Metrics()
        self.tokens = Tokens(database, self.ring, self.metrics)
        self.configs = KeyConfigs(database)
        self.store = FeedbackStore(database, self.runs, self.metrics)
        self.reading = Reading(database)
        self.statistics = Statistics(database)
        self.reviews = Reviews(database)
        self.conversations = Conversations(self.store, self.runs)
        self.assistants = Assistants(database, self.runs)
        self.histories = Histories(database)
        self.alerts = Alerts(database, self.statistics, alerts)
        self.erasure = Erasure(database, run_token_expiry.days + 1)
        self.webhooks = Webhooks(database, webhooks, self.metrics)
        self.exports = Exports(database, self.reading, self.runs)
        self.outcomes = Outcomes(database, SealedTokens(self.ring, "workflowai"), self.runs, self.metrics)
        self.one_time = OneTimeTokens(database, SealedTokens(self.ring, "evalguard"), self.runs, self.metrics)
        self.own_answers = OwnAnswers(database, self.metrics)
        families = [SealedTokens(self.ring, "workflowai"), SealedTokens(self.ring, "evalguard")]
        self.revocation = Revocation(database, self.tokens, families)
        self.api_keys = ApiKeys(api_keys)
        self._run_token_expiry = run_token_expiry
        self._serve_root_info = serve_root_info
        self._serve_metrics = serve_metrics

    @property
    def client_info(self) -> dict[str, Any]:
        """What LangSmith's clients look for in `/info`, for an app that serves that route itself."""
        return {name: value for name, value in INFO.items() if name != "version"}

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """The app's configuration, with the routes and the lifespan of feedback.

        With API keys, whatever needs no token needs one of them.
        """
        before = len(app_config.route_handlers)
        app_config.route_handlers.extend(langsmith_routers(self._dependencies(), self._serve_root_info))
        app_config.route_handlers.append(reading_router(self.reading, self.statistics, self.exports))
        app_config.route_handlers.append(
            reviewing_router(self.reviews, self.conversations, self.assistants, self.histories)
        )
        app_config.route_handlers.append(dashboard_router())
        app_config.route_handlers.append(workflowai_router(self._dependencies()))
        app_config.route_handlers.append(keeping_router(self.erasure))
        app_config.route_handlers.append(evalguard_router(self._dependencies()))
        app_config.route_handlers.append(assets_router())
        if self._serve_metrics:
            app_config.route_handlers.append(metrics_router(self.metrics_text))
        own = app_config.route_handlers[before:]
        watched = Router(
            "/",
            route_handlers=own,
            before_request=admission(self.api_keys, self.settings.gate),
            middleware=[watching(self.metrics)],
        )
        app_config.route_handlers[before:] = [watched]
        app_config.plugins.append(JsonUnions())
        app_config.lifespan.append(self._lifespan)
        return app_config

    def _dependencies(self) -> dict[str, Provide]:
        """What handlers are given.

        All ask for one that is there already: for those that do not, Litestar starts a task group with every request (a
        fifth of the CPU of an answer).
        """

        rooms = {
            "feedback_store": self.store,
            "feedback_configs": self.configs,
            "feedback_outcomes": self.outcomes,
            "feedback_one_time": self.one_time,
            "feedback_own_answers": self.own_answers,
            "feedback_revocation": self.revocation,
            "feedback_settings": self.settings,
        }
        beside = {
            name: Provide(_beside_tokens(room), sync_to_thread=False, use_cache=True) for name, room in rooms.items()
        }
        return {"feedback_tokens": Provide(lambda: self.tokens, sync_to_thread=False, use_cache=True), **beside}

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        async with self.opened():
            await self.webhooks.register()
            work = (
                self.erasure.keep_sweeping(),
                self.webhooks.serve(),
                self.webhooks.keep_forgetting(),
                self.alerts.keep_looking(),
            )
            chores = [asyncio.create_task(chore) for chore in work]
            try:
                yield
            finally:
                for chore in chores:
                    chore.cancel()
                await asyncio.wait(chores)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[FeedbackPlugin]:
        """The service with its database open, its tables up to date and its keys loaded; the app's lifespan does this.

        Errors: `SecretMismatch` where the key ring was made with another secret.
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

    async def urls_for_run(self, run_id: str, keys: Sequence[str], base_url: str) -> dict[str, str]:
        """A presigned URL for each of the keys, absolute: below the public URL, or `base_url` where there is none.

        One unit of work, durable when this returns. Errors: `Invalid` where the run or a key is not a name.
        """
        names = list(dict.fromkeys(keys))
        if not names:
            return {}
        base = self.settings.public_url or clean_url(base_url)
        expiry = datetime.now(UTC) + self.settings.default_expiry
        order = Order(run_id, names, [None] * len(names), expiry, await self.runs.place(run_id))
        return {token.key: f"{base}{TOKEN_PATH}{token.token}" for token in await self.tokens.mint([order])}

    def token_for_run(self, run_id: str) -> str:
        """A `feedback_token` for the run, as WorkflowAI's clients send it; made without a row, opaque, signed.

        It may be shown to anybody who may say how the run went. Errors: `Invalid` where the run is not a name.
        """
        return self.outcomes.token(run_id, self._run_token_expiry)

    async def metrics_text(self) -> str:
        """What this process does, and what waits in the database, in the Prometheus text format (0.0.4)."""
        backlog = await self.webhooks.backlog()
        self.metrics.found(backlog.waiting, backlog.given_up, backlog.oldest_seconds)
        self.metrics.alerts({str(rule): 0 for rule in self.alerts.rules} | await self.alerts.firing())
        return self.metrics.text()

    async def answers_for_run(self, run_id: str) -> list[Feedback]:
        """All answers about the run, newest first."""
        answers: list[Feedback] = []
        while True:
            page = await self.store.search(FeedbackSearch(run=[run_id], offset=len(answers)))
            answers += page
            if len(page) < MAX_LIMIT:
                return answers


def _beside_tokens(room: object) -> Callable[..., Any]:
    def give(feedback_tokens: TokensHere) -> Any:  # noqa: ARG001  its name is the request
        return room

    return give
