"""Rate limits of submissions and minting, by token, by client address and by project.

They count the expensive requests: submissions through a token of this service, minting without an API key, and wrong
API keys. Pages, reads and forged tokens (rejected by two HMACs) do not count. The buckets belong to this process. A
connection from a loopback address that forwards no other is limited by token and project only: it comes from a local
program, or from a proxy that does not forward the client's address.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from msgspec import Struct

from feedback.errors import TooMany

Address = IPv4Address | IPv6Address
RawHeaders = Iterable[tuple[bytes, bytes]]
"""Headers as ASGI has them, names in lower case: most requests need none, and a mapping of all would cost each."""
REMEMBERED = 50_000
_MOST_HOPS = 20
_LOCAL = ip_address("127.0.0.1")
_RATE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})")


class RateLimit(Struct, frozen=True):
    """A number of requests in a number of seconds, in bursts or spread; used requests come back at an even rate."""

    requests: int
    seconds: float

    def __post_init__(self) -> None:
        if self.requests < 1 or self.seconds <= 0:
            raise ValueError(f"{self} allows no request; give at least 1 request and more than 0 seconds")


def parse_rate_limit(text: str) -> RateLimit | None:
    """Parse `300/60`; None for `off`. `ValueError` for any other text."""
    if text == "off":
        return None
    if (found := _RATE.fullmatch(text)) is None:
        raise ValueError(f"{text[:40]!r} is no rate; give one such as 300/60 (so many in so many seconds), or off")
    return RateLimit(int(found[1]), float(found[2]))


class TokenBuckets:
    """Token buckets, stored as the time when each is full again (the generic cell rate algorithm, ATM Forum 1996).

    Beyond `remembered` names, the least recently used one is dropped, and starts again with a full bucket.
    """

    def __init__(
        self, limit: RateLimit, remembered: int = REMEMBERED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each = limit.seconds / limit.requests
        self._span = limit.seconds
        self._remembered = remembered
        self._clock = clock
        self._full_at: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: bytes) -> float:
        """Take one request and return 0; or return the seconds until one is available, and take none."""
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now) + self._each
        if (wait := full_at - now - self._span) > self._each * 1e-6:
            return wait
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        return 0.0


class Limits(Struct, frozen=True):
    """The rate limits of submissions and minting; `None` means no limit.

    `token` limits submissions through one token, `address` submissions and minting from one address (of IPv6: one
    network of 64 bits), `minting` the minting from one address alone. Behind several proxies, `proxies` lists the
    addresses or networks of all but the nearest, so that the client's address can be found behind them;
    `X-Forwarded-For` counts only with `trust_forwarded`.
    """

    token: RateLimit | None = RateLimit(300, 60)
    address: RateLimit | None = RateLimit(6000, 60)
    proxies: tuple[str, ...] = ()
    minting: RateLimit | None = None


class RateLimiter:
    """Count requests against the limits. Addresses are stored as hashes, with a key that ends with the process."""

    def __init__(self, limits: Limits, trust_forwarded: bool) -> None:
        self._tokens = TokenBuckets(limits.token) if limits.token else None
        self._addresses = TokenBuckets(limits.address) if limits.address else None
        self._mintings = TokenBuckets(limits.minting) if limits.minting else None
        self._proxies = [ip_network(one, strict=False) for one in limits.proxies]
        self._trust_forwarded = trust_forwarded
        self._secret = secrets.token_bytes(32)
        self._projects: dict[str, tuple[RateLimit, TokenBuckets]] = {}

    def admit(
        self,
        peer: str | None,
        headers: RawHeaders,
        token: tuple[int, int] | None = None,
        minting: bool = False,
    ) -> None:
        """Count one request of `peer`: a submission (with its token, if it has one), or minting without an API key.

        Errors: `TooMany` if the bucket of the address or of the token is empty.
        """
        if (address := self._visitor(peer, headers)) is not None:
            self._admit_address(self._hash(_neighbourhood(address)), minting)
        if self._tokens is not None and token and (wait := self._tokens.take(b"%d %d" % token)):
            raise _too_many("through this URL", wait)

    def _admit_address(self, name: bytes, minting: bool) -> None:
        if self._addresses is not None and (wait := self._addresses.take(name)):
            raise _too_many("from your network", wait)
        if self._mintings is not None and minting and (wait := self._mintings.take(name)):
            raise _too_many("for new URLs from your network", wait)

    def admit_to(self, project: str, rate: RateLimit) -> None:
        """Count one request against the project's own limit. Errors: `TooMany`."""
        kept = self._projects.get(project)
        if kept is None or kept[0] != rate:
            self._projects[project] = kept = (rate, TokenBuckets(rate))
        if wait := kept[1].take(b""):
            raise _too_many(f"for the project {project!r}", wait)

    def _visitor(self, peer: str | None, headers: RawHeaders) -> Address | None:
        """Return the address to limit: the nearest one that is no proxy's. None for a local program.

        `X-Forwarded-For` counts if it is trusted, or comes from this machine. If a hop is unreadable, or claims to be a
        loopback address, the connection's own address counts, so a client cannot avoid its bucket.
        """
        own = _LOCAL if peer == "127.0.0.1" else _address(peer or "")
        is_local = own is None or own is _LOCAL or own.is_loopback
        hops = _list_forwarded(headers) if self._trust_forwarded or is_local else []
        if not hops:
            return None if is_local else own
        address = None
        for hop in reversed(hops[-_MOST_HOPS:]):
            found = _address(hop)
            if found is not None and found.is_loopback and is_local:  # another proxy on this machine
                continue
            if found is None or found.is_loopback:
                return own or _LOCAL
            address = found
            if not any(address in network for network in self._proxies):
                break
        return address or own or _LOCAL

    def _hash(self, name: bytes) -> bytes:
        return hashlib.blake2b(name, key=self._secret, digest_size=16).digest()


def _list_forwarded(headers: RawHeaders) -> list[str]:
    """Return the hops of all `X-Forwarded-For` lines, nearest last: some proxies add a line instead of a hop."""
    lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return [hop.strip() for line in lines for hop in line.split(",")] if any(lines) else []


def _address(text: str) -> Address | None:
    """Return the address in `text`, which may have a port, as some proxies write it; None if there is none."""
    bare = text.partition("]")[0].lstrip("[") if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _neighbourhood(address: Address) -> bytes:
    return address.packed[:8] if isinstance(address, IPv6Address) else address.packed


def _too_many(whence: str, wait: float) -> TooMany:
    seconds = max(1, math.ceil(wait))
    return TooMany(f"Too many requests {whence} in a short time; send it again in {seconds} s", seconds)
