"""Convert rows of threads to the SDK's shape, and extract values for searches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from agent_server.database import Row
from agent_server.errors import Invalid
from agent_server.schema import timestamp
from agent_server.threads.schema import Thread, ThreadTtl

THREAD_COLUMNS = (
    "thread_id, status, metadata, config, state, interrupts, error, created_at, updated_at, state_updated_at, "
    "ttl_strategy, ttl_minutes, expires_at"
)

_PATH = re.compile(r"(values|metadata|config|interrupts)((?:\.[^.\[\]]+|\[-?\d{1,9}\])*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(-?\d+)\]")


def read_thread(row: Row) -> Thread:
    """Return the thread in the SDK's shape."""
    return Thread(
        thread_id=row["thread_id"],
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
        state_updated_at=timestamp(row["state_updated_at"]),
        metadata=Raw(row["metadata"].encode()),
        status=row["status"],
        config=Raw(row["config"].encode()),
        values=Raw(row["state"].encode()),
        error=Raw(row["error"].encode()),
        interrupts=Raw(row["interrupts"].encode()),
    )


def read_ttl(row: Row) -> ThreadTtl | None:
    """Return the thread's TTL and expiry, or None where it does not expire."""
    if row["expires_at"] is None:
        return None
    return ThreadTtl(row["ttl_strategy"], row["ttl_minutes"], timestamp(row["expires_at"]))


def check_paths(extract: Mapping[str, str]) -> None:
    """Raise `Invalid` for a path that matches no thread."""
    for path in extract.values():
        if not _PATH.fullmatch(path):
            raise Invalid(
                f"Extract path {path!r} must start with one of values, metadata, config, interrupts, and go on with "
                "keys and indexes, such as values.messages[-1].content"
            )


def add_extracts(thread: Thread, extract: Mapping[str, str] | None) -> Thread:
    """Return the thread with the value at each path, by name; null where the path leads nowhere."""
    if extract is not None:
        thread.extracted = {name: _extract_value(thread, path) for name, path in extract.items()}
    return thread


def _extract_value(thread: Thread, path: str) -> Any:
    parsed = _PATH.fullmatch(path)
    value = msgspec.json.decode(getattr(thread, parsed[1])) if parsed else None
    for key, index in _STEP.findall(parsed[2] if parsed else ""):
        value = _step(value, key, index)
    return value


def _step(value: Any, key: str, index: str) -> Any:
    if key:
        return value.get(key) if isinstance(value, dict) else None
    number = int(index)
    return value[number] if isinstance(value, list) and -len(value) <= number < len(value) else None
