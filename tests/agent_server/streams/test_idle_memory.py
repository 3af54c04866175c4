"""The memory of open streams that wait for events."""

from __future__ import annotations

import gc
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import httpx
import uvicorn

from agent_server.agents.node_stacks import find_waiting_calls
from agent_server.asgi.http_protocol import BoundedHttpProtocol
from tests.agent_server.served import config_of, whole_app

STREAMS = 100
MOST_BYTES = 24_000
"""The limit of what Python allocates for a stream with asyncio's own event loop; uvloop's connections take less.

It is 19,000 on Python 3.11 and 21,300 on 3.13; with a task for each heartbeat and a watch for each client, 30,400.
"""


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[int]:
    """Serve the application; yield its port."""
    app = whole_app(config_of("", folder))
    settings = uvicorn.Config(app, interface="asgi3", http=BoundedHttpProtocol, log_config=None, access_log=False)
    server, listener = uvicorn.Server(settings), socket.create_server(("127.0.0.1", 0))
    with listener:
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            yield listener.getsockname()[1]
            server.should_exit = True


async def open_streams(port: int, count: int, opened: ExitStack) -> None:
    """Open streams of new threads, and wait for their heads."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        ids = [(await client.post("/threads", json={})).json()["thread_id"] for _ in range(count)]
    for thread_id in ids:
        connection = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        connection.sendall(f"GET /threads/{thread_id}/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await anyio.to_thread.run_sync(connection.recv, 4096)


async def test_idle_stream_takes_little_memory(tmp_path: Path) -> None:
    async with listening(tmp_path) as port:
        with ExitStack() as opened:
            await open_streams(port, 10, opened)  # what the first streams allocate for all
            await anyio.sleep(0.1)
            gc.collect()
            tracemalloc.start()
            try:
                await open_streams(port, STREAMS, opened)
                await anyio.sleep(0.1)
                find_waiting_calls()  # as every few seconds while runs are at work
                gc.collect()
                taken, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert taken / STREAMS < MOST_BYTES
