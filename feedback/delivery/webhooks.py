"""Webhooks: deliver every change of feedback to other services, signed, until they accept it.

Signed as in the Standard Webhooks specification 1.0: `webhook-id`, the same for every attempt, so that receivers detect
repeats; `webhook-timestamp`; `webhook-signature`, `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`. Any 2xx
accepts a message. Otherwise it is sent again later, nine times over three days, and then given up; an endpoint that
responds 410 is disabled. Messages may arrive out of order: `modified_at` says which is newer.

Several processes share the work: a lease gives a message to one process at a time, and to another if that one dies.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import random
import secrets
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from feedback.database import Connection, Database, Row
from feedback.delivery.outbox import EVALUATIONS, Endpoint
from feedback.metrics import Metrics
from feedback.validation import from_micros

logger = logging.getLogger("feedback")

RETRIES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds to wait after each failed attempt; the specification's own example."""
SEND_SECONDS = 15.0
LEASE_SECONDS = 60
LOOK_SECONDS = 1.0
AT_ONCE = 20
MIN_SECRET, MAX_SECRET = 24, 64
KEEP_GIVEN_UP_DAYS = 30
FORGET_SECONDS = 3600.0
MOST_LISTED = 1000
SECOND = 1_000_000

DUE = "given_up_at IS NULL AND due_at <= now_us() AND leased_until <= now_us()"
LOOK = f"SELECT 1 AS due FROM feedback_outbox WHERE {DUE} LIMIT 1"
CLAIM = f"""UPDATE feedback_outbox SET lease = :lease, leased_until = now_us() + :time
WHERE (id, webhook) IN (SELECT id, webhook FROM feedback_outbox WHERE {DUE} ORDER BY due_at LIMIT :limit) AND {DUE}
RETURNING id, webhook, payload, attempts"""
TAKEN = "DELETE FROM feedback_outbox WHERE id = :id AND webhook = :webhook AND lease = :lease"
AGAIN = """UPDATE feedback_outbox
SET attempts = attempts + 1, due_at = now_us() + :wait, leased_until = 0, error = :error
WHERE id = :id AND webhook = :webhook AND lease = :lease"""
GIVE_UP = """UPDATE feedback_outbox SET attempts = attempts + 1, given_up_at = now_us(), error = :error
WHERE id = :id AND webhook = :webhook AND lease = :lease"""
BACKLOG = """SELECT COUNT(*) - COUNT(given_up_at) AS waiting, COUNT(given_up_at) AS given_up,
    COALESCE(now_us() - MIN(CASE WHEN given_up_at IS NULL THEN created_at END), 0) AS oldest
FROM feedback_outbox"""
STUCK = """SELECT feedback_outbox.id AS id, feedback_outbox.webhook AS webhook, COALESCE(url, '') AS url, payload,
    created_at, due_at, attempts, given_up_at, error
FROM feedback_outbox LEFT JOIN feedback_webhook ON feedback_webhook.id = feedback_outbox.webhook
ORDER BY created_at, feedback_outbox.id LIMIT :limit"""
FORGET = "DELETE FROM feedback_outbox WHERE given_up_at < now_us() - :time"
REVIVE = """UPDATE feedback_outbox SET given_up_at = NULL, attempts = 0, due_at = now_us(), leased_until = 0
WHERE given_up_at IS NOT NULL"""
ENABLE = """INSERT INTO feedback_webhook (id, url) VALUES (:id, :url)
ON CONFLICT (id) DO UPDATE SET disabled_at = NULL"""


class Webhook(Struct, frozen=True):
    """A delivery target: a URL, and the secret (`whsec_` and Base64 of 24 to 64 bytes) that signs its messages.

    Errors: `ValueError`.
    """

    url: str
    secret: str

    def __post_init__(self) -> None:
        parts = httpx.URL(self.url)
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError(f"the webhook {self.url!r} is not an address; give one such as https://example.com/hook")
        try:
            size = len(base64.b64decode(self.secret.removeprefix("whsec_"), validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if not self.secret.startswith("whsec_") or not MIN_SECRET <= size <= MAX_SECRET:
            raise ValueError(
                f"the webhook's secret is not one: give `whsec_` and the Base64 of {MIN_SECRET} to {MAX_SECRET} "
                "random bytes, such as `openssl rand -base64 32` makes"
            )

    @property
    def id(self) -> str:
        """The id that its messages are stored under."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]

    def headers(self, message: str, at: int, body: bytes) -> dict[str, str]:
        """Return the headers of one attempt to send `body` at the time `at`, in seconds since 1970."""
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signature = hmac.digest(key, f"{message}.{at}.".encode() + body, "sha256")
        return {
            "Content-Type": "application/json",
            "User-Agent": "agent-server-feedback",
            "webhook-id": message,
            "webhook-timestamp": str(at),
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }

    async def send(self, client: httpx.AsyncClient, row: Row) -> str | None:
        """Send the row's message. Return the error, or None if the endpoint accepted it."""
        body = row["payload"].encode()
        try:
            response = await asyncio.wait_for(
                client.post(self.url, content=body, headers=self.headers(row["id"], int(time.time()), body)),
                2 * SEND_SECONDS,
            )
        except (httpx.HTTPError, TimeoutError) as error:
            return type(error).__name__
        return None if response.is_success else str(response.status_code)


class Backlog(Struct):
    """Number of messages in the outbox: waiting for delivery or a retry, and given up."""

    waiting: int
    given_up: int
    oldest_seconds: float
    """Age of the oldest waiting message; 0 if none waits."""


class Undelivered(Struct):
    """A message in the outbox. It shows only scheme and host of its endpoint, since a URL may be a secret."""

    id: str
    to: str
    type: str
    created_at: str
    attempts: int
    next_at: str | None
    given_up_at: str | None
    error: str | None


class Webhooks:
    """Deliver the messages of one feedback database to its endpoints, which are the same in every process."""

    def __init__(self, database: Database, endpoints: Sequence[Endpoint] = (), metrics: Metrics | None = None) -> None:
        self._database = database
        self._metrics = metrics or Metrics()
        self._endpoints = {endpoint.id: endpoint for endpoint in endpoints}
        self.look_seconds = LOOK_SECONDS
        self.retries: Sequence[float] = RETRIES

    async def register(self) -> None:
        """Queue changes for these endpoints and no others from now on."""

        def work(db: Connection) -> None:
            for row in db.all("SELECT id FROM feedback_webhook WHERE disabled_at IS NULL"):
                if row["id"] not in self._endpoints:
                    db.execute("UPDATE feedback_webhook SET disabled_at = now_us() WHERE id = :id", id=row["id"])
            for endpoint in self._endpoints.values():
                db.execute(ENABLE, id=endpoint.id, url=endpoint.url)

        await self._database.write(work)

    async def backlog(self) -> Backlog:
        """Return the number of messages in the outbox now."""
        row = await self._database.read(lambda db: db.one(BACKLOG))
        return Backlog(row["waiting"], row["given_up"], row["oldest"] / SECOND) if row else Backlog(0, 0, 0.0)

    async def list_undelivered(self, limit: int = MOST_LISTED) -> list[Undelivered]:
        """Return the messages in the outbox, oldest first, waiting or given up."""
        return [_read_undelivered(row) for row in await self._database.read(lambda db: db.all(STUCK, limit=limit))]

    async def revive(self) -> int:
        """Queue given-up messages for delivery again; return their number."""
        return await self._database.write(lambda db: db.execute(REVIVE))

    async def forget(self, days: int = KEEP_GIVEN_UP_DAYS) -> int:
        """Delete the messages that were given up more than `days` ago; return their number."""
        return await self._database.write(lambda db: db.execute(FORGET, time=days * 86_400 * SECOND))

    async def keep_forgetting(self, every: float = FORGET_SECONDS) -> None:
        """Call `forget` regularly, until cancelled."""
        while True:
            try:
                await self.forget()
            except Exception as error:  # the database may respond again later
                logger.warning("messages that were given up were not cleaned away: %r", error)
            await asyncio.sleep(every)

    async def serve(self) -> None:
        """Deliver due messages, until cancelled. Without endpoints, return: a client's TLS context takes megabytes."""
        if not self._endpoints:
            return
        async with httpx.AsyncClient(timeout=SEND_SECONDS, follow_redirects=False) as client:
            while True:
                try:
                    delivered = await self.deliver(client)
                except Exception as error:  # the database may respond again later
                    logger.warning("webhook messages wait: %r", error)
                    delivered = 0
                if delivered < AT_ONCE:
                    await asyncio.sleep(self.look_seconds)

    async def deliver(self, client: httpx.AsyncClient) -> int:
        """Try the due messages that no other process has leased; return their number."""
        if await self._database.read(lambda db: db.one(LOOK)) is None:
            return 0
        claim = {"lease": secrets.token_hex(16), "time": LEASE_SECONDS * SECOND, "limit": AT_ONCE}
        rows = await self._database.write(lambda db: db.all(CLAIM, **claim))
        await asyncio.gather(*(self._work_on(client, row, claim["lease"]) for row in rows))
        return len(rows)

    async def _work_on(self, client: httpx.AsyncClient, row: Row, lease: object) -> None:
        named = {"id": row["id"], "webhook": row["webhook"], "lease": lease}
        endpoint = self._endpoints.get(row["webhook"])
        error = "the endpoint is configured no more" if endpoint is None else await endpoint.send(client, row)
        to = EVALUATIONS if row["webhook"] == EVALUATIONS else "webhook"
        if error is None:
            self._metrics.count_delivery(to, "taken")
            await self._database.write(lambda db: db.execute(TAKEN, **named))
        elif endpoint is None or error == "410" or row["attempts"] >= len(self.retries):
            self._metrics.count_delivery(to, "given_up")
            logger.warning("webhook message %s was given up: %s", row["id"], error)
            await self._database.write(lambda db: _give_up(db, named, str(error)))
        else:
            self._metrics.count_delivery(to, "refused")
            wait = int(self.retries[row["attempts"]] * random.uniform(1, 1.2) * SECOND)
            await self._database.write(lambda db: db.execute(AGAIN, **named, wait=wait, error=error))


def _give_up(db: Connection, named: dict[str, Any], error: str) -> None:
    db.execute(GIVE_UP, **named, error=error)
    if error == "410":
        db.execute("UPDATE feedback_webhook SET disabled_at = now_us() WHERE id = :id", id=named["webhook"])


def _read_undelivered(row: Row) -> Undelivered:
    parts = httpx.URL(row["url"])
    given_up = row["given_up_at"]
    return Undelivered(
        id=row["id"],
        to=f"{parts.scheme}://{parts.netloc.decode()}" if parts.host else row["url"] or row["webhook"],
        type=msgspec.json.decode(row["payload"])["type"],
        created_at=from_micros(row["created_at"]),
        attempts=row["attempts"],
        next_at=None if given_up else from_micros(row["due_at"]),
        given_up_at=from_micros(given_up) if given_up else None,
        error=row["error"],
    )
