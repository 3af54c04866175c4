"""Settings of the feedback service, and how they are read from the environment."""

from feedback.settings.service import (
    SHARED,
    TOKEN_PATH,
    VARIABLES,
    FeedbackSettings,
    LinkMode,
    Links,
    clean_url,
)

__all__ = ["SHARED", "TOKEN_PATH", "VARIABLES", "FeedbackSettings", "LinkMode", "Links", "clean_url"]
