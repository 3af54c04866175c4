"""Throttle: how often each of many names may ask, in a bounded memory of one number a name."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

REMEMBERED = 50_000
_RATE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})")


class RateLimit(Struct, frozen=True):
    """So many requests in so many seconds: all at once, or spread; what is used up comes back evenly."""

    requests: int
    seconds: float

    def __post_init__(self) -> None:
        if self.requests < 1 or self.seconds <= 0:
            raise ValueError(f"{self} lets nobody in; give 1 request or more, and more than 0 seconds")


def rate_of(text: str) -> RateLimit | None:
    """What `300/60` says; nothing for `off`. `ValueError` where it says neither."""
    if text == "off":
        return None
    if (found := _RATE.fullmatch(text)) is None:
        raise ValueError(f"{text[:40]!r} is no rate; give one such as 300/60 (so many in so many seconds), or off")
    return RateLimit(int(found[1]), float(found[2]))


class Throttle:
    """Token buckets, kept as the time when each is full again (the generic cell rate algorithm, ATM Forum 1996).

    Of more than `remembered` names, the one that was quiet for longest is forgotten: it begins with a full bucket.
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
        """0, and one request less; or the seconds until there is one again, and nothing changed."""
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now) + self._each
        if (wait := full_at - now - self._span) > self._each * 1e-6:
            return wait
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        return 0.0
