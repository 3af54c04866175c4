"""Feedback records: stored, listed, reviewed and erased."""

from feedback.records.store import FeedbackStore

__all__ = ["FeedbackStore"]
