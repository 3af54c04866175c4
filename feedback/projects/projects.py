"""Projects: teams or products that share a server, each with its own feedback.

A project is a name; its id is derived from the name, for clients that need a UUID. Requests read projects from memory,
at most a few seconds old, so that naming a project needs no query.
"""

from __future__ import annotations

import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from feedback.database import Connection, Database, Row
from feedback.errors import Conflict, Forbidden, Invalid, NotFound
from feedback.projects.known_projects import KnownProjects, build_known_projects
from feedback.projects.page_columns import LOGO, LOOKS, change_pages, merge_settings, read_pages
from feedback.projects.schema import Project, ProjectCreate, ProjectPages, ProjectPatch
from feedback.projects.scoped_database import DEFAULT
from feedback.rate_limits import parse_rate_limit
from feedback.settings.pages import PageSettings
from feedback.validation import from_micros, is_id, parse_origin

TENANT = "00000000-0000-0000-0000-000000000000"
"""The id of `default`; LangSmith's clients received it before there were other projects."""
NAMESPACE = uuid.UUID("6f2c1a34-7d0e-5b8e-9f61-0d5f0c2b7a11")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MAX_ORIGINS = 100
FRESH_SECONDS = 2.0
REMEMBERED_GRANTS = 50_000

SELECT = f"SELECT name, origins, rate, created_at, pages, {LOOKS} AS looks FROM feedback_project"
ALL = f"{SELECT} ORDER BY created_at, name"
ONE = f"{SELECT} WHERE name = :name"
INSERT = """INSERT INTO feedback_project (name, origins, rate, created_at)
VALUES (:name, :origins, :rate, now_us()) ON CONFLICT DO NOTHING"""
CHANGE = "UPDATE feedback_project SET origins = :origins, rate = :rate WHERE name = :name"
TAKE = "UPDATE feedback_project SET name = name WHERE name = :name"
DELETE = "DELETE FROM feedback_project WHERE name = :name"
HOLDS = """SELECT (SELECT COUNT(*) FROM feedback WHERE project = :name) AS feedback,
    (SELECT COUNT(*) FROM feedback_history WHERE project = :name) AS history,
    (SELECT COUNT(*) FROM feedback_grant WHERE project = :name) AS grants"""
BELONGINGS = (
    *("feedback_config", "feedback_retention", "feedback_minted", "feedback_alert_rule", "feedback_resource"),
)
DENY = """INSERT INTO feedback_denial (id, project, run_id, ring_key, revoked_at)
VALUES (:id, :name, NULL, NULL, now_us()) ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at"""
OF_GRANT = "SELECT project FROM feedback_grant WHERE id = :id"


class Erasable(Protocol):
    """What a project contains."""

    async def erase_all(self) -> object:
        """Erase all of it."""


class Projects:
    """The projects of one feedback database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known_projects: KnownProjects | None = None
        self._read_at = 0.0
        self._changes = 0
        self._grants: OrderedDict[int, str] = OrderedDict()

    async def create(self, wanted: ProjectCreate) -> Project:
        """Create a project. Errors: `Invalid`; `Conflict` if the name exists."""
        row = {"name": check_project(wanted.name), **_columns(wanted.origins, wanted.rate)}

        def work(db: Connection) -> Row:
            if not db.execute(INSERT, **row):
                raise Conflict(f"There is a project {wanted.name!r} already")
            if wanted.pages is not None:
                change_pages(db, wanted.name, ProjectPages(), wanted.pages)
            return _get_row(db, wanted.name)

        return self._finish_change(await self._database.write(work))

    async def list_projects(self) -> list[Project]:
        """Return all projects, oldest first, which is `default`."""
        return [_project(row) for row in await self._database.read(lambda db: db.all(ALL))]

    async def get(self, name: str) -> Project:
        """Return the project. Errors: `NotFound`."""
        return _project(await self._database.read(lambda db: _get_row(db, name)))

    async def update(self, name: str, patch: ProjectPatch) -> Project:
        """Change the project, in all processes within seconds, and return it. Errors: `NotFound`, `Invalid`."""

        def work(db: Connection) -> Row:
            db.execute(TAKE, name=name)
            now = _project(_get_row(db, name))
            origins = now.origins if patch.origins is UNSET else patch.origins
            db.execute(CHANGE, name=name, **_columns(origins, now.rate if patch.rate is UNSET else patch.rate))
            if patch.pages is not UNSET:
                change_pages(db, name, now.pages, patch.pages)
            return _get_row(db, name)

        return self._finish_change(await self._database.write(work))

    async def delete(self, name: str, erasable: Erasable | None = None) -> None:
        """Delete the project with its configurations and rules; its sealed tokens accept no more submissions.

        With `erasable`, its feedback is erased first. Errors: `NotFound`; `Conflict` if it has feedback or URLs,
        and for `default`.
        """
        if name == DEFAULT:
            raise Conflict("`default` has all that names no project; it stays")
        await self.get(name)
        if erasable is not None:
            await erasable.erase_all()

        def work(db: Connection) -> None:
            _get_row(db, name)
            holds = db.one(HOLDS, name=name) or {}
            if any(holds.values()):
                raise Conflict(
                    f"The project {name!r} holds {holds['feedback']} pieces of feedback, "
                    f"{holds['history']} earlier versions and {holds['grants']} grants of URLs; "
                    "erase them with it, or leave it"
                )
            for table in BELONGINGS:
                db.execute(f"DELETE FROM {table} WHERE project = :name", name=name)
            db.execute(DENY, id=derive_project_denial(name), name=name)
            db.execute(DELETE, name=name)

        await self._database.write(work)
        self._forget()

    async def get_known(self) -> KnownProjects:
        """Return all projects and their rules, at most a few seconds old."""
        while (known := self._known_projects) is None or self._clock() - self._read_at >= FRESH_SECONDS:
            began, changes = self._clock(), self._changes
            found = build_known_projects(await self.list_projects())
            if changes == self._changes:  # else the rows may be older than a change by this process
                self._known_projects, self._read_at = found, began
        return known

    async def choose_project(self, bound: str | None, requested: str | None, tenant: str | None) -> str:
        """Return the project of a request: that of its API key, or the requested one, or `default`.

        `requested` is a name or id; `tenant` is the one that clients of other services send, and is ignored while
        `default` is the only project. Errors: `Forbidden`, `NotFound`.
        """
        if bound is None and requested is None and tenant is None:
            return DEFAULT
        known = await self.get_known()
        if bound is None:
            return _choose_name(known, requested, tenant)
        if bound not in known.rules:
            raise Forbidden(f"The API key is of the project {bound!r}, which there is not, or not any more")
        if any(one is not None and known.find_name(one) != bound for one in (requested, tenant)):
            raise Forbidden(f"The API key is of the project {bound!r}, and the request names another")
        return bound

    async def find_by_grant(self, grant_id: int) -> str:
        """Return the project of a URL's grant, which never changes; `default` if the grant is gone."""
        if (name := self._grants.get(grant_id)) is not None:
            return name
        row = await self._database.read(lambda db: db.one(OF_GRANT, id=grant_id))
        if row is None:
            return DEFAULT
        self._grants[grant_id] = name = row["project"]
        if len(self._grants) > REMEMBERED_GRANTS:
            self._grants.popitem(last=False)
        return str(name)

    async def page_settings(self, name: str, server: PageSettings) -> PageSettings:
        """Return how the project's pages look: as the server's settings say where the project has none of its own."""
        if (own := (await self.get_known()).pages.get(name)) is None:
            return server
        row = await self._database.read(lambda db: db.one(LOGO, name=name)) if own.logo == "own" else None
        given = None if row is None else row["logo"]
        return merge_settings(server, own, "" if own.logo == "none" else given)

    def _finish_change(self, row: Row) -> Project:
        self._forget()
        return _project(row)

    def _forget(self) -> None:
        """Read the projects again before their next use."""
        self._known_projects = None
        self._changes += 1


def check_project(name: str) -> str:
    """Return `name` if it is a valid project name. Errors: `Invalid`."""
    if not NAME.fullmatch(name) or is_id(name):
        raise Invalid(
            f"`name` is {name[:80]!r}; a project's name has 1 to 63 lower-case letters, digits and hyphens between them"
        )
    return name


def project_id(name: str) -> str:
    """Return the fixed UUID of the project with this name."""
    return TENANT if name == DEFAULT else str(uuid.uuid5(NAMESPACE, name))


def derive_project_denial(name: str) -> str:
    """Return the id of the denial that revokes a deleted project's sealed tokens."""
    return f"project {name}"


def _choose_name(known: KnownProjects, requested: str | None, tenant: str | None) -> str:
    if tenant is not None and requested is None and len(known.rules) == 1:
        return DEFAULT
    found = {known.find_name(one) for one in (requested, tenant) if one is not None}
    name = found.pop()
    if found or name is None:
        named = next(one for one in (requested, tenant) if one is not None)
        raise NotFound(
            f"There is no project {named[:80]!r}, by name or id; `agent-server feedback projects list` has all"
        )
    return name


def _columns(origins: list[str], rate: str | None) -> dict[str, Any]:
    if len(origins) > MAX_ORIGINS:
        raise Invalid(f"`origins` has {len(origins)} entries; at most {MAX_ORIGINS} are taken")
    for origin in origins:
        if parse_origin(origin) != origin.lower():
            raise Invalid(f"`origins` has {origin[:80]!r}; give origins such as https://shop.example, without a path")
    try:
        limit = parse_rate_limit(rate) if rate is not None else None
    except ValueError as error:
        raise Invalid(f"`rate`: {error}") from None
    kept = list(dict.fromkeys(origin.lower() for origin in origins))
    return {"origins": msgspec.json.encode(kept).decode(), "rate": rate if limit else None}


def _get_row(db: Connection, name: str) -> Row:
    if (row := db.one(ONE, name=name)) is None:
        raise NotFound(f"There is no project {name[:80]!r}")
    return row


def _project(row: Row) -> Project:
    origins = msgspec.json.decode(row["origins"], type=list[str])
    made = from_micros(row["created_at"])
    return Project(row["name"], project_id(row["name"]), origins, row["rate"], made, read_pages(row))
