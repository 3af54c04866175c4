"""Create, list and revoke the API keys in the database. A key is shown once, and stored as a hash."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta

from msgspec import Struct

from agent_server.config.api_keys import SCOPES, Scope, hash_key, new_key, parse_scopes
from agent_server.database import Connection, Database, Row
from agent_server.errors import Conflict, NotFound
from agent_server.schema import timestamp


class ApiKey(Struct):
    """A key without its secret, for display. Times are ISO 8601."""

    key_id: str
    name: str
    ending: str
    """Its last four characters, for recognition."""
    scopes: list[Scope]
    project: str | None
    """The only project whose feedback it gives access to."""
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class StoredKey(Struct, frozen=True):
    """The stored data that a request's key is checked against."""

    hash: str
    scopes: frozenset[Scope]
    project: str | None
    expires_at: int | None
    """Microseconds since 1970."""
    is_revoked: bool


class ApiKeys:
    """The API keys of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, scopes: Collection[Scope], expires_in: timedelta | None, project: str | None = None
    ) -> tuple[str, ApiKey]:
        """Create a key; return its text, which cannot be shown again, and its record."""
        key = new_key()

        def work(connection: Connection) -> ApiKey:
            row = connection.one(
                """INSERT INTO api_keys (key_id, name, hash, ending, scopes, project, created_at, expires_at)
                VALUES (:key_id, :name, :hash, :ending, :scopes, :project, now_us(),
                    CASE WHEN :lasts < 0 THEN NULL ELSE now_us() + :lasts END) RETURNING *""",
                key_id=secrets.token_hex(4),
                name=name,
                hash=hash_key(key),
                ending=key[-4:],
                scopes="+".join(scope for scope in SCOPES if scope in scopes),
                project=project,
                lasts=-1 if expires_in is None else int(expires_in.total_seconds() * 1_000_000),
            )
            assert row is not None
            return _public(row)

        return key, await self._database.write(work)

    async def list_keys(self) -> list[ApiKey]:
        """Return all keys ever created, newest first."""
        rows = await self._database.read(lambda c: c.all("SELECT * FROM api_keys ORDER BY created_at DESC, key_id"))
        return [_public(row) for row in rows]

    async def load_stored_keys(self) -> list[StoredKey]:
        """Return all keys ever created, for checking requests."""
        rows = await self._database.read(lambda c: c.all("SELECT * FROM api_keys"))
        return [
            StoredKey(
                row["hash"],
                parse_scopes(row["scopes"].split("+")),
                row["project"],
                row["expires_at"],
                row["revoked_at"] is not None,
            )
            for row in rows
        ]

    async def revoke(self, which: str) -> ApiKey:
        """Revoke the key with this id or name. Errors: `NotFound`; `Conflict` if several keys have the name."""

        def work(connection: Connection) -> ApiKey:
            found = connection.all(
                "SELECT key_id FROM api_keys WHERE key_id = :which OR (name = :which AND revoked_at IS NULL)",
                which=which,
            )
            if not found:
                raise NotFound(f"There is no key {which!r}; `agent-server keys list` shows them")
            if len(found) > 1:
                raise Conflict(f"Several keys are named {which!r}; say which by its id")
            row = connection.one(
                """UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now_us()) WHERE key_id = :id
                RETURNING *""",
                id=found[0]["key_id"],
            )
            assert row is not None
            return _public(row)

        return await self._database.write(work)


def _public(row: Row) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        name=row["name"],
        ending=row["ending"],
        scopes=[scope for scope in SCOPES if scope in parse_scopes(row["scopes"].split("+"))],
        project=row["project"],
        created_at=timestamp(row["created_at"]),
        expires_at=timestamp(row["expires_at"]) if row["expires_at"] is not None else None,
        revoked_at=timestamp(row["revoked_at"]) if row["revoked_at"] is not None else None,
    )
