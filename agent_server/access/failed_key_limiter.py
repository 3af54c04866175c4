"""Rate limit for unknown API keys, by address.

A key has 256 random bits, so no limit is needed against guessing. The limit tells a scanner, or a program with an old
key, when to retry, and protects the operator's log. It applies only after the key was looked up: a valid key works from
any address, however many clients behind the same proxy send wrong ones.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

import structlog

from agent_server.errors import TooMany, Unauthorized

log = structlog.get_logger("agent_server")

AT_ONCE = 30
"""Wrong keys that an address may send in a burst."""
SECONDS = 60.0
"""The time in which the full allowance is restored, evenly."""
REMEMBERED = 10_000


class FailedKeyLimiter:
    """Counts wrong keys by address (IPv6: by /64 network), each as the time when its full allowance is restored.

    Of more than `REMEMBERED` addresses, the one that was idle for longest is dropped.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._free_at)

    def refusal(self, address: str | None) -> Unauthorized | TooMany:
        """Return the error for one more wrong key from the address."""
        place, now = _network(address or ""), self._clock()
        free_at = max(self._free_at.get(place, now), now) + SECONDS / AT_ONCE
        if (wait := free_at - now - SECONDS) > 1e-6:
            return TooMany(
                "The API key that was sent is not one of this server's, or not any more; too many such came from your "
                f"address. Send a right one at any time, or come again in {math.ceil(wait)} s",
                math.ceil(wait),
            )
        if free_at - now > SECONDS - SECONDS / AT_ONCE:
            log.warning("many_wrong_api_keys", address=place)  # rarely: the next ones are refused and not counted
        self._free_at[place] = free_at
        self._free_at.move_to_end(place)
        if len(self._free_at) > REMEMBERED:
            self._free_at.popitem(last=False)
        return Unauthorized("The API key that was sent is not one of this server's, or not any more")


def _network(address: str) -> str:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return found.packed[:8].hex(":", 2) + "::/64"
    return str(getattr(found, "ipv4_mapped", None) or found)
