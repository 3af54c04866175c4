"""Feedback on what agents answer: presigned URLs for a run, what people say through them, kept and shown.

A Litestar plugin that LangSmith's own clients talk to.
"""

from feedback.alerts import AlertRule, alert_rules
from feedback.errors import FeedbackError
from feedback.gate import Limits
from feedback.links import Links
from feedback.outbox import Endpoint
from feedback.plugin import FeedbackPlugin
from feedback.runs import RunFacts, RunLookup, RunsLookup
from feedback.schema import Feedback, FeedbackConfig, FeedbackIngestToken
from feedback.throttle import RateLimit
from feedback.webhooks import Webhook

__all__ = [
    "AlertRule",
    "Endpoint",
    "Feedback",
    "FeedbackConfig",
    "FeedbackError",
    "FeedbackIngestToken",
    "FeedbackPlugin",
    "Limits",
    "Links",
    "RateLimit",
    "RunFacts",
    "RunLookup",
    "RunsLookup",
    "Webhook",
    "alert_rules",
]
