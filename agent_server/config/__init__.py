"""The server's configuration: `langgraph.json`, and environment variables, which take precedence."""

from agent_server.config.config import Config
from agent_server.config.errors import ConfigError
from agent_server.config.values import (
    AuthSettings,
    CorsRules,
    Graph,
    Http,
    RouteGroup,
    Serde,
    StoreIndex,
    StoreTtl,
    ThreadTtlDefaults,
)
from agent_server.config.variables import VARIABLES

__all__ = [
    "VARIABLES",
    "AuthSettings",
    "Config",
    "ConfigError",
    "CorsRules",
    "Graph",
    "Http",
    "RouteGroup",
    "Serde",
    "StoreIndex",
    "StoreTtl",
    "ThreadTtlDefaults",
]
