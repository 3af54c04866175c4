"""Feedback on what agents answer: mint presigned URLs for runs, store what users submit, report on it.

A Litestar plugin that speaks the API of LangSmith's clients.
"""

from feedback.delivery.outbox import Endpoint
from feedback.delivery.webhooks import Webhook
from feedback.errors import FeedbackError
from feedback.plugin import FeedbackPlugin
from feedback.rate_limits import Limits, RateLimit
from feedback.reports.alert_rules import AlertRule, alert_rules
from feedback.runs import RunFacts, RunList, RunLookup, RunSelection, RunsLookup
from feedback.schema import Feedback, FeedbackConfig, FeedbackIngestToken
from feedback.settings import FeedbackSettings, Links

__all__ = [
    "AlertRule",
    "Endpoint",
    "Feedback",
    "FeedbackConfig",
    "FeedbackError",
    "FeedbackIngestToken",
    "FeedbackPlugin",
    "FeedbackSettings",
    "Limits",
    "Links",
    "RateLimit",
    "RunFacts",
    "RunList",
    "RunLookup",
    "RunSelection",
    "RunsLookup",
    "Webhook",
    "alert_rules",
]
