"""The server's configuration: `langgraph.json`, and environment variables, which take precedence."""

from agent_server.config.config import Config
from agent_server.config.values import (
    ConfigError,
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
