"""The keyring's proof of the configured secret: costly to guess, and rewritten where an older version wrote it."""

from __future__ import annotations

import time

import pytest

from agent_server.database import Database
from feedback.errors import SecretMismatch
from feedback.tokens.keyring import Key, KeyRing, open_key

SECRET = "sixteen characters and more"
MATERIAL = bytes(range(32))
INSERT = "INSERT INTO feedback_ring (number, material, proof, created_at) VALUES (1, :material, :proof, now_us())"


async def ring(database: Database, secret: str | None) -> KeyRing:
    loaded = KeyRing(database, secret)
    await loaded.load()
    return loaded


async def proofs(database: Database) -> list[str]:
    return [row["proof"] for row in await database.read(lambda c: c.all("SELECT proof FROM feedback_ring"))]


async def test_new_key_stretches_the_secret(database: Database) -> None:
    await database.migrate("feedback")
    created = await ring(database, SECRET)
    token = created.key(1).seal(42)
    [proof] = await proofs(database)
    assert proof.startswith("scrypt:")
    assert await (await ring(database, SECRET)).open(token) == (42, 1)
    for wrong in ("another secret of some length", None):
        with pytest.raises(SecretMismatch):
            await ring(database, wrong)
    assert await created.rotate() == 2
    assert await (await ring(database, SECRET)).open(token) == (42, 1)


async def test_older_proof_is_replaced_and_urls_stay_good(database: Database) -> None:
    await database.migrate("feedback")
    old = Key(1, MATERIAL, SECRET.encode())
    await database.write(lambda c: c.execute(INSERT, material=MATERIAL.hex(), proof=old.proof))
    with pytest.raises(SecretMismatch):
        await ring(database, "another secret of some length")
    for _ in range(2):
        assert await (await ring(database, SECRET)).open(old.seal(42)) == (42, 1)
        [proof] = await proofs(database)
        assert proof.startswith("scrypt-proof:")
    with pytest.raises(SecretMismatch):
        await ring(database, None)


async def test_ring_without_a_secret_is_as_before(database: Database) -> None:
    await database.migrate("feedback")
    token = (await ring(database, None)).key(1).seal(7)
    [proof] = await proofs(database)
    assert ":" not in proof
    assert await (await ring(database, None)).open(token) == (7, 1)
    with pytest.raises(SecretMismatch):
        await ring(database, SECRET)


def test_guess_is_costly() -> None:
    began = time.perf_counter()
    for kind in ("scrypt", "scrypt-proof"):
        assert open_key(1, MATERIAL, f"{kind}:00", b"a guess") is None
    assert time.perf_counter() - began > 0.02
