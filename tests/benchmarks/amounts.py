"""The amounts of work of the measurements."""

from __future__ import annotations

from msgspec import Struct


class Amounts(Struct, frozen=True):
    """How much a round does, and how many rounds there are."""

    rounds: int
    runs: int
    streams: int
    runs_a_client: int
    submit_seconds: float
    submitters: tuple[int, ...]
    mints: int
    slow_runs: int
    """Runs in sequence beside the official server, which takes a second for each."""
    slow_rounds: int
    """Rounds of all measurements but the first table."""
    processes: tuple[int, ...]
    load_seconds: float
    idle_streams: int
    idle_seconds: float
    starts: int
    stored_threads: int
    """Each with ten runs."""
    stored_feedback: int


FULL = Amounts(
    rounds=5,
    runs=60,
    streams=3,
    runs_a_client=8,
    submit_seconds=1.0,
    submitters=(32, 256),
    mints=150,
    slow_runs=3,
    slow_rounds=3,
    processes=(1, 2, 4),
    load_seconds=5.0,
    idle_streams=5000,
    idle_seconds=5.0,
    starts=3,
    stored_threads=10_000,
    stored_feedback=1_000_000,
)
QUICK = Amounts(
    rounds=1,
    runs=10,
    streams=1,
    runs_a_client=1,
    submit_seconds=0.3,
    submitters=(32,),
    mints=10,
    slow_runs=1,
    slow_rounds=1,
    processes=(1, 2),
    load_seconds=1.0,
    idle_streams=100,
    idle_seconds=1.0,
    starts=1,
    stored_threads=1000,
    stored_feedback=20_000,
)
