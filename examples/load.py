"""Measure the runs per second and the latencies of your own server.

    python examples/load.py --url http://127.0.0.1:2024 --assistant agent --clients 16 --seconds 10
    python examples/load.py --threads            # each run on a new thread, with its checkpoints
    python examples/load.py --input '{"text": "one two three"}' --assistant plain

Each client starts a run, reads its events to the end, and starts the next. The load stops by itself. Run it on
another machine than the server's, or the client takes part of the processor time. The figures include your agent's
time: with an agent that calls a model, they mostly measure that model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Figures:
    """The measurements of the clients; times are in seconds."""

    first_event: list[float] = field(default_factory=list)
    whole_run: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def failed(self, reason: str) -> None:
        self.errors[reason] = self.errors.get(reason, 0) + 1


async def run_once(client: httpx.AsyncClient, body: dict[str, Any], on_thread: bool, figures: Figures) -> None:
    """Start a run and read its events to the end."""
    started_at, first_at = time.perf_counter(), 0.0
    path = "/runs/stream"
    if on_thread:
        thread = (await client.post("/threads", json={})).raise_for_status().json()
        path = f"/threads/{thread['thread_id']}{path}"
    async with client.stream("POST", path, json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
                if event != "metadata":  # the server's own event, before the agent's first
                    first_at = first_at or time.perf_counter()
                if event == "error":
                    figures.failed("the run ended with an error")
                    return
    figures.first_event.append((first_at or time.perf_counter()) - started_at)
    figures.whole_run.append(time.perf_counter() - started_at)


async def one_client(client: httpx.AsyncClient, given: argparse.Namespace, stop_at: float, figures: Figures) -> None:
    """Start one run after the other until the time is over."""
    body = {"assistant_id": given.assistant, "input": given.input, "stream_mode": given.stream_mode}
    while time.perf_counter() < stop_at:
        try:
            await run_once(client, body, given.threads, figures)
        except httpx.HTTPStatusError as error:
            figures.failed(f"status {error.response.status_code}")
            await asyncio.sleep(0.1)
        except httpx.TransportError as error:
            figures.failed(type(error).__name__)
            await asyncio.sleep(0.1)


async def measure(given: argparse.Namespace) -> tuple[Figures, float]:
    """Return the clients' measurements and the total time in seconds."""
    figures = Figures()
    headers = {"x-api-key": given.api_key} if given.api_key else {}
    limits = httpx.Limits(max_connections=given.clients)
    async with httpx.AsyncClient(base_url=given.url, headers=headers, limits=limits, timeout=60) as client:
        (await client.get("/ok")).raise_for_status()
        began_at = time.perf_counter()
        stop_at = began_at + given.seconds
        await asyncio.gather(*(one_client(client, given, stop_at, figures) for _ in range(given.clients)))
        return figures, time.perf_counter() - began_at


def report(figures: Figures, seconds: float) -> str:
    """Return the figures as text."""
    lines = [f"{len(figures.whole_run)} runs in {seconds:.1f} s: {len(figures.whole_run) / seconds:.1f} runs a second"]
    for name, times in (("first event", figures.first_event), ("whole run", figures.whole_run)):
        if len(times) > 1:
            cuts = statistics.quantiles(times, n=100, method="inclusive")
            shown = ", ".join(f"p{at} {cuts[at - 1] * 1000:.1f} ms" for at in (50, 95, 99))
            lines.append(f"{name:12}{shown}, max {max(times) * 1000:.1f} ms")
    lines += [f"failed      {count} x {reason}" for reason, count in figures.errors.items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure an agent server.")
    parser.add_argument("--url", default="http://127.0.0.1:2024")
    parser.add_argument("--assistant", default="agent", help="the name or id of the assistant")
    parser.add_argument("--clients", type=int, default=16, help="clients at once")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long runs are started")
    parser.add_argument("--threads", action="store_true", help="run on a new thread each time")
    parser.add_argument("--stream-mode", default="updates")
    parser.add_argument("--api-key")
    parser.add_argument(
        "--input", type=json.loads, default={"messages": [{"role": "user", "content": "Hello"}]}, help="JSON"
    )
    try:
        figures, seconds = asyncio.run(measure(parser.parse_args()))
    except (httpx.TransportError, httpx.HTTPStatusError) as error:
        print(f"The server does not answer: {error}", file=sys.stderr)
        return 2
    print(report(figures, seconds))
    return 1 if figures.errors or not figures.whole_run else 0


if __name__ == "__main__":
    sys.exit(main())
