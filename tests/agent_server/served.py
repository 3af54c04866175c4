"""The whole application in this process, over a real database, called through its ASGI interface."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server import Config, create_app
from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings


async def counting(given: Any) -> AsyncGenerator[str | dict[str, Any], None]:
    """Yield as many numbers as the input says."""
    for number in range(given if isinstance(given, int) and abs(given) < 1000 else 1):
        yield {"n": number}


def whole_app(config: Config, agents: Mapping[str, object] | None = None) -> Litestar:
    """Return the agent server with feedback beside it, as the command line serves it."""
    url = config.database_url or f"sqlite:///{config.data_dir / 'feedback.db'}"
    agents = agents or {"agent": counting}
    feedback = FeedbackPlugin(open_database(url), FeedbackSettings(serve_root_info=False, serve_metrics=False))
    return create_app(
        config,
        agents=agents,
        feedback=feedback,
        info=feedback.client_info,
        metrics=[feedback.metrics_text],
        plugins=[feedback],
    )


def config_of(database_url: str, folder: Path, **settings: Any) -> Config:
    postgres = database_url if database_url.startswith("postgres") else None
    given = {"allow_anyone": True, **settings}
    return Config(directory=folder, data_dir=folder, database_url=postgres, **given)


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """Yield a client of the application, which runs for the block."""
    async with AsyncTestClient(app, base_url="http://server.test") as client:
        yield client
