"""The journal of the steps of a storm's runs, and checks of what it must say."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple


class Span(NamedTuple):
    """One execution of a step. Times are those of the machine's monotonic clock, which all processes share."""

    step: int
    attempt: int
    pid: int
    began: float
    ended: float | None


def spans(journal: Path) -> dict[str, list[Span]]:
    """Return the executions of each run's steps, in the order in which they began."""
    found: dict[str, dict[tuple[int, int, int], Span]] = defaultdict(dict)
    for line in journal.read_text().splitlines():
        entry: dict[str, Any] = json.loads(line)
        key = (entry["step"], entry["attempt"], entry["pid"])
        if entry["what"] == "begin":
            found[entry["run"]][key] = Span(*key, entry["at"], None)
        else:
            found[entry["run"]][key] = found[entry["run"]][key]._replace(ended=entry["at"])
    return {run: sorted(each.values(), key=lambda one: one.began) for run, each in found.items()}


def begun_by_lost_attempts(journal: Path) -> list[tuple[str, Span]]:
    """Return the steps that an attempt began after a later attempt at the same run had begun one."""
    late = []
    for run, each in spans(journal).items():
        newest = 0
        for span in each:
            if span.attempt < newest:
                late.append((run, span))
            newest = max(newest, span.attempt)
    return late


def repeats(journal: Path) -> dict[str, list[int]]:
    """Return for each attempt of each run after the first how many steps it repeated."""
    repeated: dict[str, list[int]] = {}
    for run, each in spans(journal).items():
        first = {}
        last: dict[int, int] = {}
        for span in each:
            first.setdefault(span.attempt, span.step)
            last[span.attempt] = max(last.get(span.attempt, -1), span.step)
        attempts = sorted(first)
        repeated[run] = [
            max(last[one] for one in attempts[:at]) - first[attempts[at]] + 1 for at in range(1, len(attempts))
        ]
    return repeated
