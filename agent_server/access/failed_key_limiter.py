"""WrongKeys: how often an address has sent API keys that nobody has.

A key has 256 random bits: what keeps anybody from guessing it is not a limit. The limit tells a scanner, or a program
with an old key, when to come again, and the operator's log of it. It is asked only after the key was looked up: who has
a right one comes in from any address, however many others behind the same proxy have none.
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
"""Wrong keys that an address may send before it is told to wait."""
SECONDS = 60.0
"""In which they come back, evenly."""
REMEMBERED = 10_000


class FailedKeyLimiter:
    """Counts them by address (of IPv6: by network of 64 bits), each as the time when all its attempts are there again.

    Of more than `REMEMBERED` addresses, the one that was quiet for longest is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._free_at)

    def refusal(self, address: str | None) -> Unauthorized | TooMany:
        """What to answer to one more wrong key from the address."""
        place, now = _network(address or ""), self._clock()
        free_at = max(self._free_at.get(place, now), now) + SECONDS / AT_ONCE
        if (wait := free_at - now - SECONDS) > 1e-6:
            return TooMany(
                "The API key that was sent is not one of this server's, or not any more; too many such came from your "
                f"address. Send a right one at any time, or come again in {math.ceil(wait)} s",
                math.ceil(wait),
            )
        if free_at - now > SECONDS - SECONDS / AT_ONCE:
            log.warning("many_wrong_api_keys", address=place)  # once in a while: the next are refused, and not counted
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
