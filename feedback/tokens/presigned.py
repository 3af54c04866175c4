"""Presigned tokens: mint, list, open and claim them. Only this module and the key ring know what a token contains.

A grant is one row, for one run and up to 256 feedback keys, written when URLs are minted. A token is a sealed pointer
to the grant and to the place of one feedback key in it (`keyring.py`). So the row holds no secret, the URLs can be
listed again, and a token whose row was deleted gets 410, while one that does not open gets 404. The salt in the row
keeps an old URL from pointing to another grant after a backup was restored.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig
from feedback.database import Connection, Row, build_in_list
from feedback.errors import TokenExpired, TokenGone, TokenRevoked, TokenUsed
from feedback.metrics import Metrics
from feedback.projects.scoped_database import ProjectDatabase, get_unscoped
from feedback.runs import NOWHERE, RunPlace
from feedback.tokens.keyring import KeyRing
from feedback.validation import MAX_KEY, check_name, from_micros, run_name, to_micros

KEYS_PER_GRANT = 256
REMEMBERED_KEYS = 16
"""The most feedback keys of a grant that is cached when it is minted."""

INSERT = """INSERT INTO feedback_grant
    (project, salt, ring_key, run_id, feedback_keys, key_count, configs, expires_at, max_uses, created_at,
    thread_id, assistant_id, assistant_version, trace_parent)
VALUES (:project, :salt, (SELECT MAX(number) FROM feedback_ring WHERE retired_at IS NULL),
    :run_id, :feedback_keys, :key_count, :configs, :expires_at, :max_uses, now_us(),
    :thread_id, :assistant_id, :assistant_version, :trace_parent)
RETURNING id, ring_key, (SELECT number FROM feedback_epoch) AS epoch"""
SELECT = """SELECT project, run_id, thread_id, assistant_id, assistant_version, trace_parent,
    salt, feedback_keys, configs, expires_at, max_uses, now_us() AS now,
    COALESCE(revoked_at, (SELECT revoked_at FROM feedback_denial WHERE feedback_denial.id = :denial),
        (SELECT retired_at FROM feedback_ring WHERE number = ring_key)) AS revoked_at
FROM feedback_grant WHERE id = :id AND ring_key = :ring_key"""
PAGE = """SELECT * FROM (
    SELECT id, salt, ring_key, feedback_keys, key_count, expires_at,
        COALESCE(revoked_at, (SELECT retired_at FROM feedback_ring WHERE number = ring_key)) AS revoked_at,
        CAST(SUM(key_count) OVER (ORDER BY id) - key_count AS BIGINT) AS before
    FROM feedback_grant WHERE project = :project AND run_id = :run_id
) AS pages WHERE before < :stop AND before + key_count > :start ORDER BY id"""
DENIED = "SELECT id FROM feedback_denial WHERE id IN"
USE = """INSERT INTO feedback_use (grant_id, place, uses) VALUES (:grant, :place, 1)
ON CONFLICT (grant_id, place) DO UPDATE SET uses = feedback_use.uses + 1 WHERE feedback_use.uses < :max_uses"""
USES = "SELECT uses FROM feedback_use WHERE grant_id = :grant AND place = :place"
GIVE_BACK = "UPDATE feedback_use SET uses = uses - 1 WHERE grant_id = :grant AND place = :place AND uses > 0"
CONFIGS = "SELECT configs FROM feedback_grant WHERE id = :id"


class Order(Struct):
    """URLs to mint: one run, one expiry (or never), any number of feedback keys, a configuration (or none) for each.

    `max_uses` is the number of submissions that each URL accepts; None means no limit.
    """

    run_id: str
    keys: list[str]
    configs: list[FeedbackConfig | None]
    expires_at: datetime | None
    place: RunPlace = NOWHERE
    max_uses: int | None = None


class Token(Struct):
    """An issued token, in its canonical spelling."""

    token: str
    key: str
    expires: int | None
    """When it expires, in microseconds since 1970; None for never."""
    revoked: bool = False

    @property
    def expires_at(self) -> str:
        """Return the expiry as the wire shows it."""
        return _format_expiry(self.expires)


class Pointer(Struct, frozen=True):
    """The content of an opened token: a place in a grant.

    A signing key opens whatever it could seal; only if it is the grant's (`ring_key`) was the token issued.
    """

    grant: int
    salt: int
    place: int
    ring_key: int


class Grant(Struct):
    """What a token allows: to submit feedback on `run_id` with `key`. A sealed token's grant has no row, and no id."""

    id: int | None
    place: int | None
    project: str
    run_id: str
    key: str
    config: FeedbackConfig | None
    expires: int | None
    """When it expires, in microseconds since 1970; None for never."""
    max_uses: int | None = None
    thread_id: str | None = None
    assistant_id: str | None = None
    """The run's assistant; None if no run was known when the token was minted."""
    assistant_version: int | None = None
    trace_parent: str | None = None
    is_used_up: bool = False
    """Whether no uses are left, if that was read."""

    @property
    def expires_at(self) -> str:
        """Return the expiry as the wire shows it."""
        return _format_expiry(self.expires)

    @property
    def scope(self) -> str:
        """Return the scope within which the Idempotency-Keys of its holders are unique."""
        return f"sealed {self.run_id} {self.key}" if self.id is None else f"token {self.id} {self.place}"


class Minted(Struct, frozen=True):
    """Minted grants, and the number of `feedback_epoch` at that time."""

    epoch: int
    salt: int
    ring_key: int
    grants: Sequence[Grant]


class Tokens:
    """Mint and list the tokens of one project, and open those of any. The ring must be loaded."""

    def __init__(
        self,
        database: ProjectDatabase,
        ring: KeyRing,
        metrics: Metrics,
        remember: Callable[[Minted], None] = lambda _: None,
    ) -> None:
        """`remember` is called with minted grants."""
        self._database = database
        self._ring = ring
        self._metrics = metrics
        self._remember = remember

    async def mint(self, orders: Sequence[Order]) -> list[Token]:
        """Return tokens for each order's feedback keys, in order. One transaction: durable, and all of them or none.

        Errors: `Invalid` if a run, a feedback key or a configuration is invalid.
        """
        grants = [grant for order in orders for grant in _split(order)]
        rows = [_grant_row(order, secrets.randbits(16)) for order in grants]
        written = await self._database.write(lambda db: [db.tuples(INSERT, **row)[0] for row in rows])
        tokens: list[Token] = []
        for order, row, (grant_id, ring_key, epoch) in zip(grants, rows, written, strict=True):
            salt, expires = row["salt"], row["expires_at"]
            tokens += await self._seal_all(grant_id, ring_key, salt, order.keys, expires)
            if len(order.keys) <= REMEMBERED_KEYS:
                self._remember(Minted(epoch, salt, ring_key, self._grants(order, grant_id, expires)))
        self._metrics.count_minted("presigned", len(tokens))
        return tokens

    def _grants(self, order: Order, grant_id: int, expires: int | None) -> list[Grant]:
        project, place = self._database.project, order.place
        return [
            Grant(
                grant_id,
                at,
                project,
                order.run_id,
                key,
                config,
                expires,
                order.max_uses,
                place.thread_id,
                place.assistant_id,
                place.assistant_version,
                place.trace_parent,
            )
            for at, (key, config) in enumerate(zip(order.keys, order.configs, strict=True))
        ]

    async def list_issued(self, run_id: str, limit: int, offset: int) -> list[Token]:
        """Return the run's tokens in the order of minting, with expired and revoked ones."""
        window = {"run_id": run_name("run_id", run_id), "start": offset, "stop": offset + limit}

        def work(db: Connection) -> tuple[list[Row], set[str]]:
            rows = db.all(PAGE, **window)
            return rows, _find_denied(get_unscoped(db), rows)

        rows, denied = await self._database.read(work)
        tokens: list[Token] = []
        for row in rows:
            keys = msgspec.json.decode(row["feedback_keys"], type=list[str])
            sealed = await self._seal_all(row["id"], row["ring_key"], row["salt"], keys, row["expires_at"])
            for place, token in enumerate(sealed):
                token.revoked = row["revoked_at"] is not None or _denial(row["id"], place) in denied
            tokens += sealed
        first = offset - (rows[0]["before"] if rows else 0)
        return tokens[first : first + limit]

    async def open(self, token: str) -> Pointer:
        """Return what `token` points to, without a query; `TokenUnknown` if this service did not issue it."""
        body, ring_key = await self._ring.open(token)
        return Pointer(body >> 24, body >> 8 & 0xFFFF, body & 0xFF, ring_key)

    async def redeem(self, token: str) -> Grant:
        """Return what the token allows now. Errors: `TokenUnknown`, `TokenGone`."""
        pointer = await self.open(token)
        return await self._database.whole.read(lambda db: claim(db, pointer))

    async def _seal_all(
        self, grant_id: int, ring_key: int, salt: int, keys: Sequence[str], expires: int | None
    ) -> list[Token]:
        key, body = await self._ring.load_key(ring_key), grant_id << 24 | salt << 8
        return [Token(key.seal(body | place), name, expires) for place, name in enumerate(keys)]


def claim(db: Connection, pointer: Pointer) -> Grant:
    """Return the pointer's grant, in the transaction that uses it. `TokenGone` if it accepts no more submissions."""
    row = db.one(SELECT, id=pointer.grant, ring_key=pointer.ring_key, denial=derive_url_denial(pointer))
    keys = msgspec.json.decode(row["feedback_keys"], type=list[str]) if row else []
    if row is None or row["salt"] != pointer.salt or pointer.place >= len(keys):
        raise TokenGone("This feedback URL was removed, with what it belonged to; ask for a new one")
    if row["revoked_at"] is not None:
        raise TokenRevoked("This feedback URL was taken back; ask for a new one")
    if row["expires_at"] is not None and row["expires_at"] <= row["now"]:
        raise TokenExpired(f"This feedback URL expired at {_format_expiry(row['expires_at'])}; ask for a new one")
    config = _configs(row["configs"])[pointer.place] if row["configs"] else None
    return Grant(
        pointer.grant,
        pointer.place,
        row["project"],
        row["run_id"],
        keys[pointer.place],
        config,
        row["expires_at"],
        row["max_uses"],
        row["thread_id"],
        row["assistant_id"],
        row["assistant_version"],
        row["trace_parent"],
    )


def derive_url_denial(pointer: Pointer) -> str:
    """Return the id of the denial that revokes one URL."""
    return _denial(pointer.grant, pointer.place)


def _denial(grant: int, place: int) -> str:
    return f"url {grant} {place}"


def url_denials(grant_id: int, key_count: int) -> list[str]:
    """Return the ids of the denials that revoke each URL of a grant."""
    return [_denial(grant_id, place) for place in range(key_count)]


def _find_denied(db: Connection, rows: Sequence[Row]) -> set[str]:
    """Return the ids of the denials that revoke single URLs of these grants."""
    every = (_denial(row["id"], place) for row in rows for place in range(row["key_count"]))
    chosen, names = build_in_list("url", every)
    return {row["id"] for row in db.all(f"{DENIED} {chosen}", **names)} if names else set()


def use(db: Connection, grant: Grant) -> None:
    """Count a use, in the transaction that stores the submission. `TokenUsed` if the grant has none left."""
    if grant.max_uses is not None and not get_unscoped(db).execute(
        USE, grant=grant.id, place=grant.place, max_uses=grant.max_uses
    ):
        times = "once" if grant.max_uses == 1 else f"{grant.max_uses} times"
        raise TokenUsed(f"This feedback URL could be used {times}, and was; ask for a new one")


def is_used_up(db: Connection, grant: Grant) -> bool:
    """Return whether the token accepts no more submissions, except changes of stored ones."""
    row = None if grant.max_uses is None else get_unscoped(db).one(USES, grant=grant.id, place=grant.place)
    return row is not None and row["uses"] >= (grant.max_uses or 0)


def give_back(db: Connection, grant_id: int | None, place: int | None) -> None:
    """Give a use back, in the transaction that retracts its submission."""
    get_unscoped(db).execute(GIVE_BACK, grant=grant_id, place=place)


def find_config_of_grant(db: Connection, grant_id: int | None, place: int | None) -> FeedbackConfig | None:
    """Return the configuration that a URL was minted with, if it has one and its grant exists."""
    if (
        grant_id is None
        or place is None
        or (row := get_unscoped(db).one(CONFIGS, id=grant_id)) is None
        or not row["configs"]
    ):
        return None
    return _configs(row["configs"])[place]


def _micros(expires_at: datetime | None) -> int | None:
    return None if expires_at is None else to_micros(expires_at.astimezone(UTC))


def _configs(text: str) -> list[FeedbackConfig | None]:
    return msgspec.json.decode(text, type=list[FeedbackConfig | None])


def _format_expiry(expires_at: int | None) -> str:
    return "9999-12-31T23:59:59+00:00" if expires_at is None else from_micros(expires_at)


def _split(order: Order) -> list[Order]:
    """Return the order as one valid order for each grant. Errors: `Invalid`."""
    run_id = run_name("run_id", order.run_id)
    for config in order.configs:
        if config is not None:
            config.validate()
    if run_id == order.run_id and len(order.keys) <= KEYS_PER_GRANT:
        return [order] if order.keys else []
    return [
        Order(
            run_id,
            order.keys[at : at + KEYS_PER_GRANT],
            order.configs[at : at + KEYS_PER_GRANT],
            order.expires_at,
            order.place,
            order.max_uses,
        )
        for at in range(0, len(order.keys), KEYS_PER_GRANT)
    ]


def _grant_row(order: Order, salt: int) -> dict[str, Any]:
    keys, place = tuple(order.keys), order.place
    return {
        "salt": salt,
        "run_id": order.run_id,
        "feedback_keys": _encode_common_keys(keys) if len(keys) <= REMEMBERED_KEYS else _encode_keys(keys),
        "key_count": len(keys),
        "configs": msgspec.json.encode(order.configs).decode() if any(order.configs) else None,
        "expires_at": _micros(order.expires_at),
        "max_uses": order.max_uses,
        "thread_id": place.thread_id,
        "assistant_id": place.assistant_id,
        "assistant_version": place.assistant_version,
        "trace_parent": place.trace_parent,
    }


def _encode_keys(keys: tuple[str, ...]) -> str:
    """Return feedback keys as they are stored. Errors: `Invalid`."""
    return msgspec.json.encode([check_name("feedback_key", key, MAX_KEY) for key in keys]).decode()


_encode_common_keys = lru_cache(maxsize=256)(_encode_keys)
"""The same; nearly all runs of a server have the same few keys."""
