"""`agent-server feedback`: the feedback module without a server, also while servers run on the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent_server.cli.place import accept_place, check_exists, choose_config
from agent_server.composition import feedback_without_server
from feedback import FeedbackPlugin
from feedback.cli import feedback_commands


@asynccontextmanager
async def open_feedback_alone(path: Path | None, data_dir: Path | None) -> AsyncIterator[FeedbackPlugin]:
    """Open the feedback module without a server. Errors: `NotFound` if there is no data."""
    config = choose_config(path, data_dir)
    check_exists(config, "feedback.db")
    async with feedback_without_server(config) as opened:
        yield opened


feedback = feedback_commands(open_feedback_alone)
accept_place(feedback)
