"""The app for an ASGI server of the user's own, configured by the environment."""

from __future__ import annotations

from litestar.types import ASGIApp

from agent_server.asgi.forwarded import set_forwarded_scheme
from agent_server.asgi.garbage_collection import freeze_once_started
from agent_server.asgi.startup_errors import explain_by_message, explain_startup_errors
from agent_server.cli.settings import export_env, load_config
from agent_server.composition import build
from agent_server.config import ConfigError
from agent_server.errors import AgentServerError
from agent_server.observability.logs import configure_logs
from feedback import FeedbackError


def build_app_from_environment() -> ASGIApp:
    """Return the app. Errors: `SystemExit` with the reason if a setting is wrong."""
    try:
        config = load_config()
        export_env(config)
        configure_logs(config.log_format, config.log_level)
        explain = explain_by_message(ConfigError, AgentServerError, FeedbackError)
        return explain_startup_errors(set_forwarded_scheme(freeze_once_started(build(config))), explain)
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from None
