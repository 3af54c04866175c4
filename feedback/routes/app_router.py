"""The router around all routes of feedback."""

from __future__ import annotations

from typing import Self

from litestar import Router


class AppRouter(Router):
    """A router that is made for one app, so Litestar need not copy it.

    Litestar copies each router that it registers, with all handlers inside, so that the same router may belong to
    several apps. Inside this one are routers, whose handlers it has copied already: a hook of the app stays out of
    other apps. The second copy would take a quarter of the time in which an app is made.
    """

    def __deepcopy__(self, _memo: object) -> Self:
        return self
