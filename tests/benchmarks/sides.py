"""The compared sides: each does its work once a round and returns figures by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from statistics import median, quantiles
from time import perf_counter

from uuid_utils import uuid7

from tests.benchmarks.amounts import Amounts
from tests.benchmarks.graphs import CHAT_INPUT, TINY_INPUT, TOKENS
from tests.benchmarks.in_process import KEYS
from tests.benchmarks.processes import InProcess, Server
from tests.benchmarks.wire import Connection, Streamed, repeat, request

Figures = dict[str, float]
Side = Callable[[], Awaitable[Figures]]

TINY_RUN = {"assistant_id": "tiny", "input": TINY_INPUT, "stream_mode": "values"}
CHAT_RUN = {"assistant_id": "chat", "input": CHAT_INPUT, "stream_mode": "messages-tuple"}
MCP_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "tiny", "arguments": TINY_INPUT},
}
A2A_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "SendMessage",
    "params": {"message": {"role": "ROLE_USER", "messageId": "1", "parts": [{"data": TINY_INPUT}]}},
}
CHAT_CALL = {"model": "tiny", "messages": [{"role": "user", "content": json.dumps(TINY_INPUT)}]}


def agui_input() -> dict[str, object]:
    """Return the input of a new run on a new thread; repeated ids would join the run."""
    ids = {"threadId": str(uuid7()), "runId": str(uuid7())}
    return {**ids, "protocolVersion": "1.0", "messages": [], "state": TINY_INPUT}


SUBMISSION = {"score": 1, "comment": "That one made me laugh."}
CLIENTS = 32
URLS_A_REQUEST = 100


def all_sides(amounts: Amounts, server: Server, nothing: Server, floors: InProcess) -> list[Side]:
    """Return every side, each lower bound next to what it bounds."""
    sides = [
        _floor("plain", floors, amounts.runs),
        sequential("stateless", server, amounts.runs, stateless_run),
        _floor("memory", floors, amounts.runs),
        sequential("thread", server, amounts.runs, thread_run),
        _floor("sqlite", floors, amounts.runs),
        _calls("wait", server, amounts.runs, "/runs/wait", TINY_RUN),
        _calls("mcp", server, amounts.runs, "/mcp", MCP_CALL),
        _calls("a2a", server, amounts.runs, "/a2a/tiny", A2A_CALL),
        _calls("agui", server, amounts.runs, "/agui/tiny", agui_input),
        _completions(server, amounts.runs),
        concurrent("stateless32", server, amounts.runs_a_client, stateless_run),
        concurrent("thread32", server, amounts.runs_a_client, thread_run),
        _floor("tokens", floors, amounts.streams),
        streams("token", server, amounts.streams),
        _floor("insert", floors, amounts.mints),
        _floor("mint", floors, amounts.mints),
        _batches(server, amounts.mints // 5),
    ]
    for count in amounts.submitters:
        sides.append(_submissions("nothing", nothing, count, amounts.submit_seconds))
        sides.append(_submissions("submit", server, count, amounts.submit_seconds))
    return sides


async def stateless_run(connection: Connection) -> Streamed:
    """Run without a thread."""
    return _whole(await connection.stream("/runs/stream", TINY_RUN))


async def thread_run(connection: Connection) -> Streamed:
    """Run on a new thread; the times are the run's own, as the thread is created before."""
    thread = await connection.post("/threads", {})
    return _whole(await connection.stream(f"/threads/{thread['thread_id']}/runs/stream", TINY_RUN))


def _whole(seen: Streamed) -> Streamed:
    """Return the stream after a check that its run succeeded."""
    if seen.body.count(b"event: values") != 2 or b"event: error" in seen.body:
        raise RuntimeError(f"a measured run went wrong: {seen.body!r}")
    return seen


Run = Callable[[Connection], Awaitable[Streamed]]


def sequential(name: str, server: Server, times: int, run: Run) -> Side:
    """Make runs one after the other."""

    async def side() -> Figures:
        connection = await Connection.open(server.port)
        cpu = server.cpu()
        seen = [await run(connection) for _ in range(times)]
        cpu = server.cpu() - cpu
        connection.close()
        return {
            f"{name} cpu": cpu * 1000 / times,
            f"{name} first p50": median(one.first_event for one in seen) * 1000,
            f"{name} first p95": _p95([one.first_event for one in seen]) * 1000,
            f"{name} end p50": median(one.end for one in seen) * 1000,
        }

    return side


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _calls(name: str, server: Server, times: int, path: str, body: object) -> Side:
    """Make runs whose clients wait for the end, one after the other; `body` may be a function that makes each body."""

    async def side() -> Figures:
        connection = await Connection.open(server.port)
        cpu = server.cpu()
        for _ in range(times):
            seen = await connection.stream(path, body() if callable(body) else body)
            if b'"x":2' not in seen.body and b'"value":2' not in seen.body:
                raise RuntimeError(f"a measured call went wrong: {seen.body!r}")
        cpu = server.cpu() - cpu
        connection.close()
        return {f"{name} call cpu": cpu * 1000 / times}

    return side


def _completions(server: Server, times: int) -> Side:
    """Make chat completions of OpenAI's API, one after the other; unlike the calls before, they have a length."""

    async def side() -> Figures:
        connection = await Connection.open(server.port)
        cpu = server.cpu()
        for _ in range(times):
            seen = await connection.post("/v1/chat/completions", CHAT_CALL)
            if json.loads(seen["choices"][0]["message"]["content"])["x"] != 2:
                raise RuntimeError(f"a measured completion went wrong: {seen!r}")
        cpu = server.cpu() - cpu
        connection.close()
        return {"openai call cpu": cpu * 1000 / times}

    return side


def concurrent(name: str, server: Server, times: int, run: Run) -> Side:
    """Make `times` runs from each of 32 clients at once."""

    async def client() -> None:
        connection = await Connection.open(server.port)
        for _ in range(times):
            await run(connection)
        connection.close()

    async def side() -> Figures:
        cpu, began = server.cpu(), perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        cpu, wall = server.cpu() - cpu, perf_counter() - began
        return {f"{name} cpu": cpu * 1000 / (CLIENTS * times), f"{name} rate": CLIENTS * times / wall}

    return side


def streams(name: str, server: Server, times: int) -> Side:
    """Read streams of 1,000 tokens, one after the other."""

    async def side() -> Figures:
        connection = await Connection.open(server.port)
        cpu, began = server.cpu(), perf_counter()
        for _ in range(times):
            seen = await connection.stream("/runs/stream", CHAT_RUN)
            if seen.body.count(b"event: messages") < TOKENS:
                raise RuntimeError(f"a measured stream lost tokens: it ends with {seen.body[-300:]!r}")
        cpu, wall = server.cpu() - cpu, perf_counter() - began
        connection.close()
        return {f"{name} cpu": cpu * 1e6 / (times * TOKENS), f"{name} rate": times * TOKENS / wall}

    return side


def _floor(name: str, floors: InProcess, times: int) -> Side:
    async def side() -> Figures:
        return {f"{name} {figure}": value for figure, value in (await floors.run(name, times)).items()}

    return side


def _orders(count: int) -> list[dict[str, str]]:
    """Return the bodies that mint `count` URLs: the keys of one run, then of the next."""
    runs = [str(uuid7()) for _ in range(0, count, len(KEYS))]
    return [{"run_id": run_id, "feedback_key": key} for run_id in runs for key in KEYS][:count]


def _batches(server: Server, times: int) -> Side:
    async def side() -> Figures:
        connection = await Connection.open(server.port)
        bodies = [_orders(URLS_A_REQUEST) for _ in range(times)]
        cpu, began = server.cpu(), perf_counter()
        for body in bodies:
            await connection.post("/feedback/tokens", body)
        cpu, wall = server.cpu() - cpu, perf_counter() - began
        connection.close()
        urls = times * URLS_A_REQUEST
        return {"batch cpu": cpu * 1e6 / urls, "batch wall": wall * 1e6 / urls}

    return side


def _submissions(name: str, server: Server, count: int, seconds: float) -> Side:
    """Submit feedback through `count` connections at once, each to its own URL."""
    messages: list[bytes] = []

    async def side() -> Figures:
        if not messages:
            messages.extend(request(path, SUBMISSION) for path in await _paths(name, server, count))
        cpu, began = server.cpu(), perf_counter()
        responses = await repeat(server.port, messages, seconds)
        cpu, wall = server.cpu() - cpu, perf_counter() - began
        return {f"{name} {count} rate": responses / wall, f"{name} {count} cpu": cpu * 1e6 / responses}

    return side


async def _paths(name: str, server: Server, count: int) -> list[str]:
    if name == "nothing":
        return [f"/feedback/tokens/{uuid7()}" for _ in range(count)]
    connection = await Connection.open(server.port)
    minted = await connection.post("/feedback/tokens", _orders(count))
    connection.close()
    return ["/feedback/tokens/" + one["url"].rsplit("/", 1)[-1] for one in minted]
