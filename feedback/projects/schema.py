"""The wire's structs of projects."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class ProjectPages(Struct, frozen=True):
    """How the pages behind a project's URLs look: its product's name and colour, and whether they quote the reply.

    Null means the server's setting, an empty text none. `logo` says whose logo they show.
    """

    product: str | None = None
    color: str | None = None
    quote: bool | None = None
    logo: Literal["server", "own", "none"] = "server"


class ProjectPagesPatch(Struct):
    """Changes of a project's pages; null returns to the server's setting. `logo` is a `data:` URL, or empty for none.

    `color` is `#rrggbb`, the logo a PNG, JPEG, WebP or SVG image of at most 100 KB.
    """

    product: str | UnsetType | None = UNSET
    color: str | UnsetType | None = UNSET
    quote: bool | UnsetType | None = UNSET
    logo: str | UnsetType | None = UNSET


class Project(Struct):
    """A project. `origins` are the only web origins whose pages may submit through its URLs (empty: any may).

    `rate` limits submissions and minting, such as `300/60` for 300 in 60 seconds; null means no limit.
    """

    name: str
    id: str
    origins: list[str]
    rate: str | None
    created_at: str
    pages: ProjectPages = ProjectPages()


class ProjectCreate(Struct):
    """Request a project. Its name has lower-case letters, digits and hyphens."""

    name: str
    origins: list[str] = []
    rate: str | None = None
    pages: ProjectPagesPatch | None = None


class ProjectPatch(Struct):
    """Changes of a project; a `rate` of null removes the limit."""

    origins: list[str] | UnsetType = UNSET
    rate: str | UnsetType | None = UNSET
    pages: ProjectPagesPatch | UnsetType = UNSET
