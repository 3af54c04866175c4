"""Parsers of environment variables. Errors: `ValueError` with the text and what would be right."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

from feedback.rate_limits import RateLimit, parse_rate_limit
from feedback.validation import parse_origin

FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def parse_flag(value: str) -> bool:
    """Return true or false."""
    try:
        return FLAGS[value.strip().lower()]
    except KeyError:
        raise ValueError(f"{value!r}; it must be true or false") from None


def parse_seconds(value: str) -> timedelta:
    """Return a duration above zero."""
    try:
        length = timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        length = timedelta(0)
    if length <= timedelta(0):
        raise ValueError(f"{value!r}; it must be a number of seconds greater than 0")
    return length


def parse_whole_seconds(value: str) -> timedelta:
    """Return a duration of whole seconds."""
    if not value.strip().isdecimal() or not 1 <= int(value) <= 10**9:
        raise ValueError(f"{value!r}; it must be a whole number from 1 to 1000000000")
    return timedelta(seconds=int(value))


def parse_list(value: str) -> tuple[str, ...]:
    """Return the items that commas separate."""
    return tuple(one.strip() for one in value.split(",") if one.strip())


def parse_origins(value: str) -> tuple[str, ...]:
    """Return web origins, separated by commas."""
    for one in parse_list(value):
        if parse_origin(one) != one.lower():
            raise ValueError(f"{one!r}; it must be an origin such as https://shop.example, without a path")
    return parse_list(value)


def parse_networks(value: str) -> tuple[str, ...]:
    """Return addresses or networks, separated by commas."""
    for one in parse_list(value):
        try:
            ip_network(one, strict=False)
        except ValueError:
            raise ValueError(f"{one!r}; it must be an address such as 10.0.0.7, or 10.0.0.0/8") from None
    return parse_list(value)


def parse_rate(value: str) -> RateLimit | None:
    """Return a rate limit; None for `off`."""
    try:
        return parse_rate_limit(value.strip().lower())
    except ValueError:
        raise ValueError(f"{value!r}; it must be a number and seconds, such as 300/60, or off") from None
