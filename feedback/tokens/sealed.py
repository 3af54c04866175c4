"""Sealed tokens: opaque text that contains its grant, so that minting writes no row.

The body (run, feedback key, times, nonce) is encrypted and authenticated by HMAC-SHA256 alone, with the same SIV
construction (see `keyring.py`) and keys of its own from the same ring:

    token   base64url( version 1 | tag 16 | body xor HMAC(k_mask, context | tag | counter) )
    tag     HMAC(k_tag, context | body), cut to 128 bits

The context names the version and the family, so that a token of one family never opens as another's, nor as a presigned
URL's. Each token has one spelling: anything else does not open.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import Struct, structs

from feedback.configs.feedback_config import FeedbackConfig
from feedback.database import Connection
from feedback.errors import TokenExpired, TokenRevoked, TokenUnknown
from feedback.projects.projects import derive_project_denial
from feedback.projects.scoped_database import DEFAULT
from feedback.tokens.keyring import Key, KeyRing
from feedback.tokens.presigned import Grant
from feedback.validation import MAX_KEY, check_name, from_micros, run_name

Family = Literal["workflowai", "evalguard"]
VERSION = b"\x01"
TAG_BYTES = 16
LONGEST = 2048

NOW = "SELECT now_us() AS now"
DENIED = """SELECT 1 AS denied FROM feedback_denial
WHERE revoked_at >= :issued_at AND run_id = :run_id AND project = :project
UNION ALL SELECT 1 FROM feedback_denial
WHERE revoked_at >= :issued_at AND ring_key = :ring_key AND project = :project
UNION ALL SELECT 1 FROM feedback_denial WHERE revoked_at >= :issued_at AND id = :of_project
UNION ALL SELECT 1 FROM feedback_denial WHERE id = :denial
UNION ALL SELECT 1 FROM feedback_ring WHERE number = :ring_key AND retired_at IS NOT NULL LIMIT 1"""


class Body(Struct, array_like=True, frozen=True):
    """The content of a sealed token. Times are microseconds since 1970; the nonce is 16 hexadecimal digits.

    The project is left out if it is `default`, as in tokens from before there were others.
    """

    run_id: str
    key: str
    issued_at: int
    expires_at: int
    nonce: str
    project: str = DEFAULT


class Opened(Struct, frozen=True):
    """A sealed token that this service issued: its body, and the number of the signing key that sealed it."""

    body: Body
    ring_key: int


class SealedTokens:
    """Mint and open the tokens of one family. The ring must be loaded."""

    def __init__(self, ring: KeyRing, family: Family) -> None:
        self._ring = ring
        self._context = f"feedback.sealed.{family}.1\0".encode()

    def draft(self, project: str, run_id: str, key: str, lasting: timedelta) -> Body:
        """Return the body of a new token. Errors: `Invalid` if the run or the feedback key is no valid name."""
        now = time.time_ns() // 1000
        name, key = run_name("run_id", run_id), check_name("feedback_key", key, MAX_KEY)
        return Body(name, key, now, now + lasting // timedelta(microseconds=1), secrets.token_hex(8), project)

    def seal(self, body: Body, ring_key: int | None = None) -> str:
        """Return the deterministic token for `body`, under the newest signing key or the one with this number."""
        key = self._ring.key(self._ring.newest if ring_key is None else ring_key)
        parts = structs.astuple(body)
        plain = msgspec.msgpack.encode(parts[:-1] if body.project == DEFAULT else parts)
        tag = key.sealed_tag(self._context + plain)[:TAG_BYTES]
        return _text(VERSION + tag + _mask_text(key, self._context, tag, plain))

    @property
    def newest(self) -> int:
        """Return the number of the signing key that seals new tokens."""
        return self._ring.newest

    async def learn(self, ring_key: int) -> None:
        """Load the signing key with this number if another process has just added it."""
        await self._ring.learn(ring_key)

    async def open(self, token: str) -> Opened:
        """Return the content of `token`, without a query; `TokenUnknown` if this service did not issue it."""
        raw = _bytes(token)
        if raw is not None and (opened := await self._ring.find(lambda key: self._open(key, raw))):
            return opened
        raise TokenUnknown(
            "This feedback token was not issued here, or was changed on its way; use it exactly as it was given"
        )

    def _open(self, key: Key, raw: bytes) -> Opened | None:
        tag, sealed = raw[1 : 1 + TAG_BYTES], raw[1 + TAG_BYTES :]
        plain = _mask_text(key, self._context, tag, sealed)
        if not hmac.compare_digest(key.sealed_tag(self._context + plain)[:TAG_BYTES], tag):
            return None
        return Opened(msgspec.msgpack.decode(plain, type=Body), key.number)


def claim_sealed(db: Connection, opened: Opened, config: FeedbackConfig | None = None) -> Grant:
    """Return what the token allows now, in the transaction that uses it. Errors: `TokenGone`."""
    body, now = opened.body, db.one(NOW)
    if now is not None and body.expires_at <= now["now"]:
        raise TokenExpired(f"This feedback token expired at {from_micros(body.expires_at)}; ask for a new one")
    columns = {"issued_at": body.issued_at, "run_id": body.run_id, "denial": derive_sealed_denial(opened)}
    project = {"project": body.project, "of_project": derive_project_denial(body.project)}
    if db.one(DENIED, ring_key=opened.ring_key, **columns, **project):
        raise TokenRevoked("This feedback token was taken back; ask for a new one")
    return Grant(None, None, body.project, body.run_id, body.key, config, body.expires_at)


def derive_sealed_denial(opened: Opened) -> str:
    """Return the id of the denial that revokes one token."""
    return f"sealed {opened.body.nonce}"


def _mask_text(key: Key, context: bytes, tag: bytes, text: bytes) -> bytes:
    """Return `text` xor the key stream of `tag`."""
    blocks = range((len(text) + 31) // 32)
    stream = b"".join(key.sealed_mask(context + tag + block.to_bytes(4)) for block in blocks)[: len(text)]
    return (int.from_bytes(text) ^ int.from_bytes(stream)).to_bytes(len(text))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(token: str) -> bytes | None:
    """Return the bytes of a token in its canonical spelling, or None."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    fits = len(token) <= LONGEST and len(raw) > 1 + TAG_BYTES and raw[:1] == VERSION
    return raw if fits and _text(raw) == token else None
