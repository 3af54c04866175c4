"""Refuse to start an unprotected server: only API keys or explicit configuration open it to other machines."""

from __future__ import annotations

import structlog

from agent_server.access.api_keys import ApiKeys
from agent_server.access.key_auth import HOW_TO_OPEN
from agent_server.access.key_cache import ApiKeyCache
from agent_server.config import Config
from agent_server.config.addresses import is_loopback
from agent_server.database import open_database
from agent_server.errors import Invalid

log = structlog.get_logger("agent_server")


def warn_of_missing_public_url(config: Config) -> None:
    """Log a warning that feedback URLs follow the requests' `Host`, if other machines may send requests."""
    if config.public_url is None and not is_loopback(config.host):
        log.warning(
            "public_url_missing",
            setting="AGENT_SERVER_PUBLIC_URL",
            meaning="feedback URLs begin with the Host of the request that starts the run, which its client chooses; a "
            "cron keeps the one of the request that created it",
        )


async def check_is_closed(config: Config) -> None:
    """Check that the server may listen at the configured address.

    Errors: `Invalid` if the address is not a loopback address, there is no API key and no `auth`, and the configuration
    does not allow this explicitly.
    """
    if config.allow_anyone or config.auth or config.api_keys or is_loopback(config.host):
        return
    async with open_database(config.get_url("runs")) as database:
        await database.migrate("agent_server")
        if await ApiKeyCache(ApiKeys(database)).are_set():
            return
    raise Invalid(
        f"{config.host} is not a loopback address, and there are no API keys: every client that reaches this server "
        f"could run agents and read feedback. Listen on 127.0.0.1; or {HOW_TO_OPEN}"
    )
