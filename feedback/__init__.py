"""Feedback on what agents answer: presigned URLs for a run, what people say through them, kept and shown.

A Litestar plugin that LangSmith's own clients talk to.
"""

from feedback.errors import FeedbackError
from feedback.plugin import FeedbackPlugin
from feedback.runs import RunFacts, RunLookup
from feedback.schema import Feedback, FeedbackConfig, FeedbackIngestToken

__all__ = [
    "Feedback",
    "FeedbackConfig",
    "FeedbackError",
    "FeedbackIngestToken",
    "FeedbackPlugin",
    "RunFacts",
    "RunLookup",
]
