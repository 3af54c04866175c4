"""In-memory cache of API keys, at most a few seconds old.

There are few keys, so all of them are kept in memory: a wrong key costs no database query, a valid one a hash and a
dictionary lookup. The first request that finds the copy older than `FRESH_SECONDS` reloads it; after that time, every
process refuses a revoked key. While the database does not respond, every request gets 503.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import anyio

from agent_server.access.api_keys import ApiKeys, StoredKey
from agent_server.config.api_keys import ConfiguredKey, hash_key

FRESH_SECONDS = 2.0


class ApiKeyCache:
    """The keys of the database and of the environment."""

    def __init__(
        self, api_keys: ApiKeys, given: Collection[ConfiguredKey] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api_keys = api_keys
        self._configured = {key.hash: key for key in given}
        self._stored: dict[str, StoredKey] = {}
        self._read_at: float | None = None
        self._clock = clock
        self._reading = anyio.Lock()

    async def are_set(self) -> bool:
        """Return whether a key exists, or once did in the database: revoking the last key does not open the server."""
        await self._renew()
        return bool(self._configured or self._stored)

    async def find(self, key: str) -> ConfiguredKey | StoredKey | None:
        """Return the key's record; None if it is unknown, revoked or expired."""
        await self._renew()
        hashed = hash_key(key)
        if (given := self._configured.get(hashed)) is not None:
            return given
        kept = self._stored.get(hashed)
        if kept is None or kept.is_revoked or (kept.expires_at is not None and kept.expires_at <= time.time() * 1e6):
            return None
        return kept

    async def _renew(self) -> None:
        if self._is_fresh():
            return
        async with self._reading:
            if not self._is_fresh():
                began = self._clock()
                self._stored = {key.hash: key for key in await self._api_keys.load_stored_keys()}
                self._read_at = began

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < FRESH_SECONDS
