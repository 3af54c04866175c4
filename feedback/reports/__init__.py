"""Reports over stored feedback: queries, statistics, exports, alerts."""

from feedback.reports.stats import Statistics

__all__ = ["Statistics"]
