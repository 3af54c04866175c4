"""Colours of the pages: a product's colour, made lighter or darker until it can be read (WCAG 2.2, contrast)."""

from __future__ import annotations

Rgb = tuple[float, float, float]

CARD, DARK_CARD = "#ffffff", "#1c1b25"
"""The backgrounds in `web/theme.css`."""
ENOUGH = 4.6
"""The contrast to reach: that of text (4.5), with a margin for rounding."""
STEPS = 50
TINT = 0.1


def accent_rules(colour: str) -> str:
    """Return the CSS that makes `#rrggbb` the accent of the pages, in light and in dark mode."""
    light, dark = (
        _make_readable(_rgb(colour), _rgb(CARD), (0, 0, 0)),
        _make_readable(_rgb(colour), _rgb(DARK_CARD), (1, 1, 1)),
    )
    tints = [_hex(_mix(_rgb(card), ink, TINT)) for card, ink in ((CARD, light), (DARK_CARD, dark))]
    accent = f"--accent: light-dark({_hex(light)}, {_hex(dark)})"
    return f"\n:root {{ {accent}; --tint: light-dark({tints[0]}, {tints[1]}) }}\n"


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    return _contrast(_rgb(one), _rgb(other))


def _make_readable(colour: Rgb, ground: Rgb, end: Rgb) -> Rgb:
    """Return the colour, moved towards `end` until it stands out from the ground."""
    mixed = (_mix(colour, end, step / STEPS) for step in range(STEPS + 1))
    return next((one for one in mixed if _contrast(one, ground) >= ENOUGH), end)


def _contrast(one: Rgb, other: Rgb) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(colour: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (a + (b - a) * share for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _rgb(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(colour: Rgb) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)
