"""The services of one project, which request handlers use.

`routes/authentication.py` gives a handler the services of its request's project. A request with a token names no
project: its services work on the project of the token.
"""

from __future__ import annotations

from msgspec import Struct

from feedback.configs.key_configs import KeyConfigs
from feedback.database import Database
from feedback.integrations.annotations import Annotations
from feedback.integrations.evalguard import OneTimeTokens
from feedback.integrations.langsmith.datasets import LangSmithDatasets
from feedback.integrations.langsmith.queues import Queues
from feedback.integrations.langsmith.runs import LangSmithRuns
from feedback.integrations.langsmith.sessions import Sessions
from feedback.integrations.scorers import Scorers
from feedback.integrations.workflowai import WorkflowAIFeedback
from feedback.metrics import Metrics
from feedback.projects.projects import Projects, project_id
from feedback.projects.scoped_database import ProjectDatabase
from feedback.rate_limits import RateLimiter
from feedback.records.datasets import Datasets
from feedback.records.erasure import Erasure
from feedback.records.history import Histories
from feedback.records.own import OwnFeedbackReader
from feedback.records.plain import SubmissionCache
from feedback.records.reviews import Reviews
from feedback.records.store import FeedbackStore
from feedback.reports.assistants import Assistants
from feedback.reports.choices import ChoicesReader
from feedback.reports.conversations import Conversations
from feedback.reports.distribution import Distributions
from feedback.reports.export import Exports
from feedback.reports.reader import FeedbackReader
from feedback.reports.reasons import Reasons
from feedback.reports.response_rates import ResponseRates
from feedback.reports.run_feedback import RunFeedbackReader
from feedback.reports.stats import Statistics
from feedback.reports.stored_rules import StoredAlertRules
from feedback.runs import RunLookups
from feedback.settings import FeedbackSettings
from feedback.tokens.keyring import KeyRing
from feedback.tokens.presigned import Tokens
from feedback.tokens.revocation import Revocation
from feedback.tokens.sealed import SealedTokens


class ServiceContext(Struct, frozen=True):
    """What the services of all projects share."""

    database: Database
    ring: KeyRing
    runs: RunLookups
    metrics: Metrics
    settings: FeedbackSettings
    rate_limiter: RateLimiter
    projects: Projects
    submissions: SubmissionCache


class ProjectServices:
    """The services of one project."""

    def __init__(self, project: str, shared: ServiceContext) -> None:
        mine, runs, metrics = (
            ProjectDatabase(shared.database, project),
            shared.runs.get_project_runs(project),
            shared.metrics,
        )
        workflowai, evalguard = SealedTokens(shared.ring, "workflowai"), SealedTokens(shared.ring, "evalguard")
        self.project = project
        self.projects = shared.projects
        self.all_runs = shared.runs
        self.settings = shared.settings
        self.rate_limiter = shared.rate_limiter
        self.tokens = Tokens(mine, shared.ring, metrics, shared.submissions.remember_minted)
        self.configs = KeyConfigs(mine)
        self.store = FeedbackStore(mine, shared.runs, metrics, shared.submissions)
        self.assistants = Assistants(mine, runs)
        self.reader = FeedbackReader(mine, self.assistants)
        self.by_run = RunFeedbackReader(mine, self.reader, runs)
        self.statistics = Statistics(mine, self.assistants)
        self.distributions = Distributions(mine)
        self.choices = ChoicesReader(mine, self.assistants)
        self.reasons = Reasons(mine)
        self.response_rates = ResponseRates(mine)
        self.datasets = Datasets(mine)
        self.alert_rules = StoredAlertRules(mine)
        self.exports = Exports(self.reader, runs)
        self.reviews = Reviews(mine)
        self.conversations = Conversations(self.store, self.reader, runs)
        self.histories = Histories(mine)
        self.erasure = Erasure(mine, shared.settings.run_token_expiry.days + 1)
        self.workflowai_feedback = WorkflowAIFeedback(mine, workflowai, shared.runs, metrics)
        self.one_time = OneTimeTokens(mine, evalguard, shared.runs, metrics)
        self.annotations = Annotations(mine, self.store)
        self.scorers = Scorers(mine)
        self.own_feedback = OwnFeedbackReader(shared.database, metrics)
        own_id = project_id(project)
        self.langsmith_runs = LangSmithRuns(mine, runs, own_id)
        self.langsmith_sessions = Sessions(project, shared.projects, self.assistants, runs, self.langsmith_runs)
        self.langsmith_datasets = LangSmithDatasets(mine, runs, own_id)
        self.langsmith_queues = Queues(mine, self.langsmith_runs, own_id)
        self.revocation = Revocation(mine, self.tokens, [workflowai, evalguard])
