"""The stored errors of runs, as text."""

from __future__ import annotations

import msgspec


def describe_run_error(error: bytes) -> str:
    """Return a run's stored error as `type: message`."""
    failure = msgspec.json.decode(error)
    if not isinstance(failure, dict):
        return str(failure)
    return ": ".join(str(failure[name]) for name in ("error", "message") if failure.get(name))
