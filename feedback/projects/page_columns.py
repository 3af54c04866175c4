"""How the pages of a project look, as the columns `pages` (JSON) and `logo` of its row hold it.

The logo is a column of its own, which only a page reads: lists of projects stay small.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import UNSET, structs

from feedback.database import Connection, Row
from feedback.errors import Invalid
from feedback.projects.schema import ProjectPages, ProjectPagesPatch
from feedback.settings.pages import LOGO_TYPES, MAX_LOGO, PageSettings, parse_colour
from feedback.validation import MAX_NAME, check_text

LOOKS = "CASE WHEN logo IS NULL THEN 'server' WHEN logo = '' THEN 'none' ELSE 'own' END"
SET_PAGES = "UPDATE feedback_project SET pages = :pages WHERE name = :name"
SET_LOGO = "UPDATE feedback_project SET logo = :logo WHERE name = :name"
LOGO = "SELECT logo FROM feedback_project WHERE name = :name"


def read_pages(row: Row) -> ProjectPages:
    """Return the pages of a row that has `pages`, and `LOOKS` as `looks`."""
    return structs.replace(msgspec.json.decode(row["pages"], type=ProjectPages), logo=row["looks"])


def change_pages(db: Connection, name: str, now: ProjectPages, patch: ProjectPagesPatch) -> None:
    """Write the changes. Errors: `Invalid`."""
    given = structs.asdict(_check_patch(patch))
    logo = given.pop("logo")
    changed = {field: getattr(now, field) if value is UNSET else value for field, value in given.items()}
    kept = {field: value for field, value in changed.items() if value is not None}
    db.execute(SET_PAGES, name=name, pages=msgspec.json.encode(kept).decode())
    if logo is not UNSET:
        db.execute(SET_LOGO, name=name, logo=logo)


def merge_settings(server: PageSettings, own: ProjectPages, logo: str | None) -> PageSettings:
    """Return the server's settings with those that the project has; `logo` is its own one, or None."""
    own_fields: dict[str, Any] = {"product": own.product, "colour": own.color, "quotes_reply": own.quote, "logo": logo}
    return structs.replace(server, **{name: value for name, value in own_fields.items() if value is not None})


def _check_patch(patch: ProjectPagesPatch) -> ProjectPagesPatch:
    if isinstance(patch.product, str):
        patch = structs.replace(patch, product=check_text("pages.product", patch.product.strip(), MAX_NAME))
    if isinstance(patch.color, str) and patch.color:
        try:
            patch = structs.replace(patch, color=parse_colour(patch.color))
        except ValueError as error:
            raise Invalid(f"`pages.color` is {error}") from None
    if isinstance(patch.logo, str) and patch.logo:
        _check_logo(patch.logo)
    return patch


def _check_logo(logo: str) -> None:
    head, _, content = logo.partition(",")
    if head not in {f"data:{kind};base64" for kind in LOGO_TYPES.values()}:
        raise Invalid(
            f"`pages.logo` begins with {head[:60]!r}; send a PNG, JPEG, WebP or SVG image as a `data:` URL in base64"
        )
    try:
        size = len(base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError):
        raise Invalid("`pages.logo` is not base64 after its comma") from None
    if not 0 < size <= MAX_LOGO:
        raise Invalid(f"`pages.logo` has {size} bytes; it must have at least 1 and at most {MAX_LOGO}")
