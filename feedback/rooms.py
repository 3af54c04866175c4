"""Rooms: what a request works with. Each project has rooms of its own, which find, change and count nothing else.

A handler is given the rooms of the project that its request is for (`routes/admission.py`). Whoever holds a token has
no project to name: what the rooms do for them is about the token's project, whichever it is.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from feedback.assistants import Assistants
from feedback.conversations import Conversations
from feedback.database import Database
from feedback.erasure import Erasure
from feedback.export import Exports
from feedback.histories import Histories
from feedback.key_configs import KeyConfigs
from feedback.keyring import KeyRing
from feedback.metrics import Metrics
from feedback.one_time import OneTimeTokens
from feedback.outcomes import Outcomes
from feedback.own_answers import OwnAnswers
from feedback.project_database import ProjectDatabase
from feedback.projects import Projects
from feedback.reading import Reading
from feedback.reviews import Reviews
from feedback.revocation import Revocation
from feedback.runs import KnownRuns
from feedback.sealed import SealedTokens
from feedback.settings import Settings
from feedback.stats import Statistics
from feedback.store import FeedbackStore
from feedback.tokens import Tokens


class Shared(Struct, frozen=True):
    """What the rooms of all projects share."""

    database: Database
    ring: KeyRing
    runs: KnownRuns
    metrics: Metrics
    settings: Settings
    projects: Projects
    run_token_expiry: timedelta


class Rooms:
    """The rooms of one project."""

    def __init__(self, project: str, shared: Shared) -> None:
        mine, runs, metrics = ProjectDatabase(shared.database, project), shared.runs.of(project), shared.metrics
        workflowai, evalguard = SealedTokens(shared.ring, "workflowai"), SealedTokens(shared.ring, "evalguard")
        self.project = project
        self.projects = shared.projects
        self.settings = shared.settings
        self.tokens = Tokens(mine, shared.ring, metrics)
        self.configs = KeyConfigs(mine)
        self.store = FeedbackStore(mine, shared.runs, metrics)
        self.reading = Reading(mine)
        self.statistics = Statistics(mine)
        self.exports = Exports(mine, self.reading, runs)
        self.reviews = Reviews(mine)
        self.conversations = Conversations(self.store, runs)
        self.assistants = Assistants(mine, runs)
        self.histories = Histories(mine)
        self.erasure = Erasure(mine, shared.run_token_expiry.days + 1)
        self.outcomes = Outcomes(mine, workflowai, shared.runs, metrics)
        self.one_time = OneTimeTokens(mine, evalguard, shared.runs, metrics)
        self.own_answers = OwnAnswers(shared.database, metrics)
        self.revocation = Revocation(mine, self.tokens, [workflowai, evalguard])
