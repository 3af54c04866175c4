"""Validation of fields: text, JSON, ids and times that every store and client can return unchanged."""

from __future__ import annotations

import math
import re
import uuid
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from feedback.errors import Invalid, TooLarge

MAX_BODY = 64 * 1024
MAX_MINT_BODY = 1024 * 1024
MAX_COMMENT = 16 * 1024
MAX_DEPTH = 16
MAX_KEY = 180
"""LangSmith's own bound on the length of a feedback key."""
MAX_NAME = 200
FOREVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The wire's "never", since the official clients require a time."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CANONICAL_ID = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_text(field: str, text: str, limit: int) -> str:
    """Return `text` if it has no NUL or lone surrogate (`Invalid`), and at most `limit` bytes in UTF-8 (`TooLarge`)."""
    if "\0" in text:
        raise Invalid(f"`{field}` holds a NUL character (\\u0000); leave it out")
    if not text.isascii() and _SURROGATE.search(text):
        raise Invalid(f"`{field}` holds half of a surrogate pair (\\ud800 to \\udfff); send whole characters")
    if len(text) > limit or len(text.encode()) > limit:
        raise TooLarge(f"`{field}` has {len(text.encode()):,} bytes; at most {limit:,} are taken")
    return text


def check_name(field: str, text: str, limit: int = MAX_NAME) -> str:
    """Return `text` if it is a valid name: as `check_text`, and not empty."""
    if not text.strip():
        raise Invalid(f"`{field}` is empty; give it a name of 1 to {limit} characters")
    if len(text) > limit:
        raise Invalid(f"`{field}` has {len(text)} characters; at most {limit} are taken")
    return check_text(field, text, 4 * limit)


def check_number(field: str, number: float) -> float:
    """Return `number` if it is finite and, if whole, fits 64 bits. Errors: `Invalid`."""
    if isinstance(number, float) and not math.isfinite(number):
        raise Invalid(f"`{field}` is {number}; send a finite number")
    if isinstance(number, int) and abs(number) >= 2**63:
        raise Invalid(f"`{field}` is too large a whole number; send one below 2**63, or text")
    return number


def check_json(field: str, value: Any, depth: int = MAX_DEPTH) -> None:
    """Reject JSON that is nested deeper than `MAX_DEPTH`, or has text or numbers that cannot be stored."""
    if isinstance(value, str):
        check_text(field, value, MAX_BODY)
    elif isinstance(value, (int, float)):
        check_number(field, value)
    elif isinstance(value, (dict, list)):
        if depth == 0:
            raise Invalid(f"`{field}` is nested more than {MAX_DEPTH} levels deep; send a flatter one")
        for item in value if isinstance(value, list) else (*value, *value.values()):
            check_json(field, item, depth - 1)


def parse_id(field: str, text: str) -> str:
    """Return `text` as a lower-case hyphenated UUID, from any spelling. Errors: `Invalid`."""
    if _CANONICAL_ID.fullmatch(text):  # as nearly all are; a tenth of the time of a UUID
        return text
    try:
        if len(text) > 64:
            raise ValueError
        return str(uuid.UUID(text))
    except ValueError:
        raise Invalid(f"`{field}` is not a UUID; send one such as 018f0000-0000-7000-8000-000000000001") from None


def is_id(text: str | None) -> bool:
    """Return whether `text` is a UUID in some spelling."""
    return text is not None and (_CANONICAL_ID.fullmatch(text) is not None or _is_spelled_id(text))


@lru_cache(maxsize=4096)
def _is_spelled_id(text: str) -> bool:
    try:
        return len(text) <= 64 and bool(uuid.UUID(text))
    except ValueError:
        return False


def run_name(field: str, text: str) -> str:
    """Return the canonical spelling of a run's id: a UUID in lower case with hyphens, any other name unchanged."""
    return parse_id(field, text) if is_id(text) else check_name(field, text)


def parse_time(field: str, text: str | float) -> datetime:
    """Return `text` as an aware time; without a zone it is UTC. A number is JavaScript's: milliseconds since 1970."""
    try:
        if not isinstance(text, str):
            return EPOCH + timedelta(milliseconds=text)
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"`{field}` is not a time; send ISO 8601, such as 2030-01-02T03:04:05+00:00") from None


def to_micros(time: datetime) -> int:
    """Return the exact microseconds since 1970."""
    return (time - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> str:
    """Format microseconds since 1970 as the official clients do: `2026-11-22T01:16:09.109934+00:00`."""
    minutes, within = divmod(micros, 60_000_000)
    day, minute = divmod(minutes, 1440)
    seconds, fraction = divmod(within, 1_000_000)
    return f"{_format_day(day)}T{_format_minute(minute)}:{seconds:02}.{fraction:06}+00:00"


@lru_cache(maxsize=1024)
def _format_day(day: int) -> str:
    """Return the date. Lists and exports have many times of the same day, in order."""
    return (EPOCH + timedelta(days=day)).date().isoformat()


@lru_cache(maxsize=1440)
def _format_minute(minute: int) -> str:
    """Return the hour and minute of a minute of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def parse_origin(address: str) -> str | None:
    """Return `scheme://host[:port]` of an absolute web address without a user part, else None."""
    try:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or not address.isprintable():
            return None
    except ValueError:
        return None
    plain = "@" not in parts.netloc and "\\" not in address and " " not in address
    return f"{parts.scheme}://{parts.netloc}".lower() if plain else None


def check_query(query: bytes) -> None:
    """Reject a query string that is not UTF-8 once decoded; frameworks read U+FFFD instead. Errors: `Invalid`."""
    if query.isascii() and b"%" not in query:
        return
    try:
        unquote_to_bytes(query).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The query of the URL is not UTF-8 (byte {error.start}); percent-encode UTF-8") from None
