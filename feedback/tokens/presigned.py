"""Tokens: presigned URLs for a run. With the key ring, the only room that knows what a token is.

A grant is one row, for one run and up to 256 keys, written when URLs are minted; a token is a sealed pointer to the
grant and to the place of one key in it (`keyring.py`). So the row holds nothing secret, the URLs can be listed again,
and a token whose row is gone was issued here once (410), while one that does not open never was (404).
The salt in the row keeps an old URL from pointing to somebody else's grant after a backup was restored.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from feedback.configs.feedback_config import FeedbackConfig
from feedback.database import Connection, Row, listed
from feedback.errors import TokenExpired, TokenGone, TokenRevoked, TokenUsed
from feedback.metrics import Metrics
from feedback.projects.scoped_database import ProjectDatabase, whole
from feedback.runs import NOWHERE, RunPlace
from feedback.tokens.keyring import KeyRing
from feedback.validation import MAX_KEY, check_name, from_micros, run_name, to_micros

KEYS_PER_GRANT = 256
REMEMBERED_KEYS = 16
"""The most keys of a grant that is remembered when it is minted."""

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
    """URLs to mint: one run, one expiry (or never), any number of keys, a configuration (or none) for each.

    `max_uses` is how many answers may come through each of the URLs; none means any number.
    """

    run_id: str
    keys: list[str]
    configs: list[FeedbackConfig | None]
    expires_at: datetime | None
    place: RunPlace = NOWHERE
    max_uses: int | None = None


class Token(Struct):
    """A token that was issued, in its canonical spelling."""

    token: str
    key: str
    expires_at: str
    revoked: bool = False


class Pointer(Struct, frozen=True):
    """What a token says once it is opened: it was issued here, for this place in this grant.

    A key of the ring opens what it could seal; only with that of the grant (`ring_key`) is it what was issued.
    """

    grant: int
    salt: int
    place: int
    ring_key: int


class Grant(Struct):
    """What the holder of a token may do: submit feedback on `run_id` with `key`. A sealed token's has no row, no id."""

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
    """The run's assistant; nothing where no run was known when the token was minted."""
    assistant_version: int | None = None
    trace_parent: str | None = None
    is_used_up: bool = False
    """Whether all its uses are taken, where that was asked."""

    @property
    def expires_at(self) -> str:
        """When it expires, as the wire shows it."""
        return _shown(self.expires)

    @property
    def scope(self) -> str:
        """The scope in which the Idempotency-Keys of its holders count."""
        return f"sealed {self.run_id} {self.key}" if self.id is None else f"token {self.id} {self.place}"


class Minted(Struct, frozen=True):
    """Grants that were minted, and the number that `feedback_epoch` had then."""

    epoch: int
    salt: int
    ring_key: int
    grants: Sequence[Grant]


class Tokens:
    """Mints and lists the tokens of one project, and opens those of any. The ring must be loaded."""

    def __init__(
        self,
        database: ProjectDatabase,
        ring: KeyRing,
        metrics: Metrics,
        remember: Callable[[Minted], None] = lambda _: None,
    ) -> None:
        """`remember` is called with what was minted."""
        self._database = database
        self._ring = ring
        self._metrics = metrics
        self._remember = remember

    async def mint(self, orders: Sequence[Order]) -> list[Token]:
        """Tokens for each order's keys, in order. One unit of work: durable, and all of them or none.

        Errors: `Invalid` where a run, a key or a configuration is not one.
        """
        grants = [grant for order in orders for grant in _split(order)]
        salts = [secrets.randbits(16) for _ in grants]
        rows = [_grant_row(order, salt) for order, salt in zip(grants, salts, strict=True)]
        written = await self._database.write(lambda db: [db.all(INSERT, **row)[0] for row in rows])
        tokens: list[Token] = []
        for order, salt, row in zip(grants, salts, written, strict=True):
            tokens += await self._seal_all(row, salt, order.keys, _micros(order.expires_at))
            if len(order.keys) <= REMEMBERED_KEYS:
                self._remember(Minted(row["epoch"], salt, row["ring_key"], self._grants(order, row["id"])))
        self._metrics.minted("presigned", len(tokens))
        return tokens

    def _grants(self, order: Order, grant_id: int) -> list[Grant]:
        expires, project, place = _micros(order.expires_at), self._database.project, order.place
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

    async def issued(self, run_id: str, limit: int, offset: int) -> list[Token]:
        """The run's tokens in the order they were minted, those that have expired or were taken back too."""
        window = {"run_id": run_name("run_id", run_id), "start": offset, "stop": offset + limit}

        def work(db: Connection) -> tuple[list[Row], set[str]]:
            rows = db.all(PAGE, **window)
            return rows, _denied(whole(db), rows)

        rows, denied = await self._database.read(work)
        tokens: list[Token] = []
        for row in rows:
            keys = msgspec.json.decode(row["feedback_keys"], type=list[str])
            sealed = await self._seal_all(row, row["salt"], keys, row["expires_at"])
            for place, token in enumerate(sealed):
                token.revoked = row["revoked_at"] is not None or _denial(row["id"], place) in denied
            tokens += sealed
        first = offset - (rows[0]["before"] if rows else 0)
        return tokens[first : first + limit]

    async def open(self, token: str) -> Pointer:
        """What `token` points to, without a look into the database; `TokenUnknown` where it was not issued here."""
        body, ring_key = await self._ring.open(token)
        return Pointer(body >> 24, body >> 8 & 0xFFFF, body & 0xFF, ring_key)

    async def redeem(self, token: str) -> Grant:
        """What the token's holder may do now. Errors: `TokenUnknown`, `TokenGone`."""
        pointer = await self.open(token)
        return await self._database.whole.read(lambda db: claim(db, pointer))

    async def _seal_all(self, row: Row, salt: int, keys: Sequence[str], expires_at: int | None) -> list[Token]:
        ring_key, body = row["ring_key"], row["id"] << 24 | salt << 8
        expiry = _shown(expires_at)
        return [Token(await self._ring.seal(ring_key, body | place), key, expiry) for place, key in enumerate(keys)]


def claim(db: Connection, pointer: Pointer) -> Grant:
    """The grant behind the pointer, in the unit of work that spends it. `TokenGone` where it takes no more answers."""
    row = db.one(SELECT, id=pointer.grant, ring_key=pointer.ring_key, denial=denial_of_url(pointer))
    keys = msgspec.json.decode(row["feedback_keys"], type=list[str]) if row else []
    if row is None or row["salt"] != pointer.salt or pointer.place >= len(keys):
        raise TokenGone("This feedback URL was removed, with what it belonged to; ask for a new one")
    if row["revoked_at"] is not None:
        raise TokenRevoked("This feedback URL was taken back; ask for a new one")
    if row["expires_at"] is not None and row["expires_at"] <= row["now"]:
        raise TokenExpired(f"This feedback URL expired at {_shown(row['expires_at'])}; ask for a new one")
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


def denial_of_url(pointer: Pointer) -> str:
    """What one URL is called in the list of those that were taken back."""
    return _denial(pointer.grant, pointer.place)


def _denial(grant: int, place: int) -> str:
    return f"url {grant} {place}"


def url_denials(grant_id: int, key_count: int) -> list[str]:
    """Return the names under which the URLs of a grant are listed once they are revoked one by one."""
    return [_denial(grant_id, place) for place in range(key_count)]


def _denied(db: Connection, rows: Sequence[Row]) -> set[str]:
    """What the URLs of these grants that were taken back one by one are called."""
    every = (_denial(row["id"], place) for row in rows for place in range(row["key_count"]))
    chosen, names = listed("url", every)
    return {row["id"] for row in db.all(f"{DENIED} {chosen}", **names)} if names else set()


def use(db: Connection, grant: Grant) -> None:
    """Count one more answer, in the unit of work that keeps it. `TokenUsed` where the grant has no use left."""
    if grant.max_uses is not None and not whole(db).execute(
        USE, grant=grant.id, place=grant.place, max_uses=grant.max_uses
    ):
        times = "once" if grant.max_uses == 1 else f"{grant.max_uses} times"
        raise TokenUsed(f"This feedback URL could be used {times}, and was; ask for a new one")


def is_used_up(db: Connection, grant: Grant) -> bool:
    """Whether no more answers may come through the token, but for changes of those that did."""
    row = None if grant.max_uses is None else whole(db).one(USES, grant=grant.id, place=grant.place)
    return row is not None and row["uses"] >= (grant.max_uses or 0)


def give_back(db: Connection, grant_id: int | None, place: int | None) -> None:
    """Count one answer less, in the unit of work that takes it back."""
    whole(db).execute(GIVE_BACK, grant=grant_id, place=place)


def config_of_grant(db: Connection, grant_id: int | None, place: int | None) -> FeedbackConfig | None:
    """The configuration that a URL was minted with, if it had one and its grant is still there."""
    if grant_id is None or place is None or (row := whole(db).one(CONFIGS, id=grant_id)) is None or not row["configs"]:
        return None
    return _configs(row["configs"])[place]


def _micros(expires_at: datetime | None) -> int | None:
    return None if expires_at is None else to_micros(expires_at.astimezone(UTC))


def _configs(text: str) -> list[FeedbackConfig | None]:
    return msgspec.json.decode(text, type=list[FeedbackConfig | None])


def _shown(expires_at: int | None) -> str:
    return "9999-12-31T23:59:59+00:00" if expires_at is None else from_micros(expires_at)


def _split(order: Order) -> list[Order]:
    """The order as one order a grant, checked."""
    run_id = run_name("run_id", order.run_id)
    for key in order.keys:
        check_name("feedback_key", key, MAX_KEY)
    for config in order.configs:
        if config is not None:
            config.validate()
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
    return {
        "salt": salt,
        "run_id": order.run_id,
        "feedback_keys": msgspec.json.encode(order.keys).decode(),
        "key_count": len(order.keys),
        "configs": msgspec.json.encode(order.configs).decode() if any(order.configs) else None,
        "expires_at": _micros(order.expires_at),
        "max_uses": order.max_uses,
        **structs.asdict(order.place),
    }
