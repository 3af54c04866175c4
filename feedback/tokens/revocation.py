"""Revocation of tokens. They get 410 from then on; feedback that came through them stays."""

from __future__ import annotations

import uuid

from msgspec import Struct

from feedback.database import Connection
from feedback.errors import TokenUnknown
from feedback.projects.scoped_database import ProjectDatabase
from feedback.tokens.presigned import Pointer, Tokens, derive_url_denial
from feedback.tokens.sealed import SealedTokens, derive_sealed_denial
from feedback.validation import run_name

OF_PROJECT = "SELECT CASE WHEN project = :project THEN 1 ELSE 0 END AS ours FROM feedback_grant WHERE id = :id"
DENY = """INSERT INTO feedback_denial (project, id, run_id, ring_key, revoked_at)
VALUES (:project, :id, CAST(:run_id AS TEXT), CAST(:ring_key AS INTEGER), now_us()) ON CONFLICT DO NOTHING"""
COUNT = """SELECT COALESCE(SUM(key_count), 0) AS count FROM feedback_grant
WHERE project = :project AND revoked_at IS NULL AND """
REVOKE = "UPDATE feedback_grant SET revoked_at = now_us() WHERE project = :project AND revoked_at IS NULL AND "


class Revoked(Struct):
    """How many presigned URLs were revoked; sealed tokens have no rows to count."""

    revoked: int


class Revocation:
    """Revoke tokens of one project."""

    def __init__(self, database: ProjectDatabase, tokens: Tokens, sealed: list[SealedTokens]) -> None:
        self._database = database
        self._tokens = tokens
        self._sealed = sealed

    async def revoke_token(self, token: str) -> Revoked:
        """Revoke this token, of any family. Errors: `TokenUnknown`."""
        name, pointer = await self._denial(token)

        def work(db: Connection) -> int:
            if pointer is not None and (grant := db.one(OF_PROJECT, id=pointer.grant)) and not grant["ours"]:
                raise _build_not_ours()
            return db.execute(DENY, id=name, run_id=None, ring_key=None)

        return Revoked(await self._database.write(work))

    async def _denial(self, token: str) -> tuple[str, Pointer | None]:
        """Return the id of the token's denial; and its pointer, if it is a presigned URL's."""
        try:
            pointer = await self._tokens.open(token)
            return derive_url_denial(pointer), pointer
        except TokenUnknown:
            return await self._find_sealed_denial(token), None

    async def _find_sealed_denial(self, token: str) -> str:
        for family in self._sealed:
            try:
                opened = await family.open(token)
            except TokenUnknown:
                continue
            if opened.body.project == self._database.project:
                return derive_sealed_denial(opened)
        raise _build_not_ours()

    async def revoke_run(self, run_id: str) -> Revoked:
        """Revoke all tokens that were minted for the run until now; later ones stay valid."""
        name = run_name("run_id", run_id)
        return await self._database.write(lambda db: _revoke(db, "run_id = :run_id", run_id=name, ring_key=None))

    async def revoke_ring_key(self, number: int) -> Revoked:
        """Revoke all tokens of the project that this signing key sealed until now."""
        return await self._database.write(lambda db: _revoke(db, "ring_key = :ring_key", run_id=None, ring_key=number))


def _build_not_ours() -> TokenUnknown:
    return TokenUnknown("This token was not issued here (in this project), or was changed on its way")


def _revoke(db: Connection, which: str, *, run_id: str | None, ring_key: int | None) -> Revoked:
    chosen = {"run_id": run_id} if run_id is not None else {"ring_key": ring_key}
    counted = db.one(COUNT + which, **chosen)
    db.execute(REVOKE + which, **chosen)
    db.execute(DENY, id=uuid.uuid4().hex, run_id=run_id, ring_key=ring_key)
    return Revoked(int(counted["count"]) if counted else 0)
