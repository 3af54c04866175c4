"""Server processes for the official clients."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.clients.server_process import EXAMPLE, GRAPHS, ServerProcess

StartServer = Callable[..., ServerProcess]


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_this_machine() -> Iterator[None]:
    """Clear the environment variables that clients and servers read; tests set the ones they need."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_")):
                patch.delenv(name)
        patch.setenv("LANGSMITH_TRACING", "false")
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the servers' logs to the report of a failed test."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {})
        servers = [one for one in fixtures.values() if isinstance(one, ServerProcess)] + fixtures.get("servers", [])
        for server in dict.fromkeys(servers):
            report.sections.append((f"Log of {server.url}", server.log()[-8_000:]))
    return report


def _session_server(config: Path, directory: Path) -> Iterator[ServerProcess]:
    with ServerProcess(config, directory, AGENT_TOKEN_SECONDS="0.002") as server:
        yield server


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server of the example agents for all tests that leave it unchanged."""
    yield from _session_server(EXAMPLE, tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server of the tests' own graphs for all tests that leave it unchanged."""
    yield from _session_server(GRAPHS, tmp_path_factory.mktemp("graphs"))


@pytest.fixture
def servers() -> Iterator[list[ServerProcess]]:
    """Yield the list of the servers that a test starts itself, and end them after it."""
    started: list[ServerProcess] = []
    yield started
    for server in started:
        server.reap()


@pytest.fixture
def start_server(servers: list[ServerProcess], tmp_path: Path) -> StartServer:
    """Return a function that starts a server, which the test may stop, kill and restart; keywords set variables."""

    def start(config: Path = GRAPHS, **environ: str) -> ServerProcess:
        server = ServerProcess(config, tmp_path / f"server-{len(servers)}", **environ)
        servers.append(server)
        server.start()
        return server

    return start


@pytest.fixture
async def client(graphs: ServerProcess) -> AsyncIterator[LangGraphClient]:
    """Yield the official Python client of the server of the tests' own graphs."""
    async with get_client(url=graphs.url, api_key="any") as client:
        yield client


@pytest.fixture
async def example_client(example: ServerProcess) -> AsyncIterator[LangGraphClient]:
    """Yield the official Python client of the server of the example agents."""
    async with get_client(url=example.url, api_key="any") as client:
        yield client
