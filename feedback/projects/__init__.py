"""Projects, and the database scoped to one of them."""

from feedback.projects.projects import Projects

__all__ = ["Projects"]
