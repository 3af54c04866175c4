"""The projects as requests read them: names, rules and pages, from memory."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from feedback.projects.schema import Project, ProjectPages
from feedback.rate_limits import RateLimit, parse_rate_limit
from feedback.validation import is_id, parse_id


class Rules(Struct, frozen=True):
    """A project's rules for submissions and minting."""

    origins: frozenset[str] = frozenset()
    rate: RateLimit | None = None


FREE_RULES = Rules()


class KnownProjects(Struct, frozen=True):
    """All projects and their rules, whether any has rules, and the pages that differ from the server's settings."""

    rules: Mapping[str, Rules]
    names: Mapping[str, str]
    """Project names by name and by id."""
    have_origins: bool
    have_rates: bool
    pages: Mapping[str, ProjectPages]

    def find_name(self, text: str) -> str | None:
        """Return the name of the project with this name or id, in any spelling."""
        return self.names.get(parse_id("project", text) if is_id(text) else text)


def build_known_projects(listed: list[Project]) -> KnownProjects:
    """Return what requests read of the projects."""
    rules = {
        one.name: Rules(frozenset(one.origins), parse_rate_limit(one.rate) if one.rate else None) for one in listed
    }
    names = {text: one.name for one in listed for text in (one.name, one.id)}
    have_origins, have_rates = any(one.origins for one in rules.values()), any(one.rate for one in rules.values())
    pages = {one.name: one.pages for one in listed if one.pages != ProjectPages()}
    return KnownProjects(rules, names, have_origins, have_rates, pages)
