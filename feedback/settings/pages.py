"""Settings of the pages behind presigned URLs: the product's name, logo and colour; whether they quote the reply."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from msgspec import Struct

LOGO_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
MAX_LOGO = 100 * 1024
COLOUR = re.compile(r"#[0-9a-f]{6}")


class PageSettings(Struct, frozen=True):
    """How the pages look. `logo` is a `data:` URL, so that a page loads nothing from elsewhere; `colour` is `#rrggbb`.

    With `quotes_reply`, a page shows the agent's reply to everyone who has the URL.
    """

    product: str = ""
    logo: str = ""
    colour: str = ""
    quotes_reply: bool = False

    def __post_init__(self) -> None:
        if self.logo and not self.logo.startswith("data:image/"):
            raise ValueError(f"The logo {self.logo[:60]!r} is no `data:` URL; use `read_logo` for a file")
        if self.colour:
            parse_colour(self.colour)


def read_logo(path: str) -> str:
    """Return an image file as a `data:` URL. Errors: `ValueError`."""
    file = Path(path)
    kind = LOGO_TYPES.get(file.suffix.lower())
    if kind is None:
        raise ValueError(f"{path!r}; it must be the path of a PNG, JPEG, WebP or SVG file")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{path!r}, which cannot be read ({error.strerror})") from None
    if not 0 < len(content) <= MAX_LOGO:
        raise ValueError(f"{path!r}, which has {len(content)} bytes; it must have at most {MAX_LOGO}")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def parse_colour(text: str) -> str:
    """Return the colour as `#rrggbb`. Errors: `ValueError`."""
    colour = text.strip().lower()
    if re.fullmatch(r"#[0-9a-f]{3}", colour):
        colour = "#" + "".join(digit * 2 for digit in colour[1:])
    if not COLOUR.fullmatch(colour):
        raise ValueError(f"{text!r}; it must be a colour such as #0a7d5a")
    return colour
