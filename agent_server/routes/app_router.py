"""The router that the agent server's routes are registered with."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import Scope


class AppRouter(Router):
    """A router that is made for one app, so Litestar need not copy it.

    Litestar copies each router that it registers, with all that its handlers refer to, so that the same router may
    belong to several apps. Here, a router copies each handler that it is given, and no more: a hook of the app stays
    out of other apps. Litestar's copies would take a third of the time in which an app is made.

    Its routes share one handler of `OPTIONS`, which names all methods of the path. Litestar makes one for each route,
    which takes 1.6 MB, and it knows only the methods that were registered when it was made.
    """

    _options: HTTPRouteHandler | None = None

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    @classmethod
    def get_route_handler_map(cls, value: Any) -> dict[str, Any]:
        """Return the handlers by path and method; a handler that belongs to no router yet is copied."""
        return super().get_route_handler_map(value if isinstance(value, Router) else _copy_handler(value))

    def register(self, value: Any) -> list[BaseRoute]:
        """Register the handler or the router, as Litestar does, and return its routes."""
        routes = super().register(value)
        for route in routes:
            if isinstance(route, HTTPRoute):
                route.route_handlers[:] = [self._share(handler) for handler in route.route_handlers]
        return routes

    def _share(self, handler: HTTPRouteHandler) -> HTTPRouteHandler:
        """Return the shared handler of `OPTIONS` instead of one that Litestar has made, and any other unchanged."""
        if handler.fn.__module__ != HTTPRoute.__module__:
            return handler
        if self._options is None:
            self._options = _options_handler()
            self._options.owner = self
        return self._options


def _options_handler() -> HTTPRouteHandler:
    handler = HTTPRouteHandler(http_method="OPTIONS", include_in_schema=False, status_code=204, sync_to_thread=False)
    return handler(_list_methods)


def _list_methods(scope: Scope) -> Response[None]:
    """Return which methods the path has."""
    routes = [one for one in scope["litestar_app"].routes if one.path_format == scope["path_template"]]
    methods = {method for route in routes for method in route.methods}
    return Response(None, headers={"Allow": ", ".join(sorted(methods))}, media_type="text/plain", status_code=204)


def _copy_handler(handler: Any) -> Any:
    """Return a copy with its own dictionaries and lists: Litestar keeps there what it derives from the app's hooks."""
    copied = copy(handler)
    for name in (name for one in type(handler).__mro__ for name in getattr(one, "__slots__", ())):
        if isinstance(value := getattr(handler, name, None), (dict, list)):
            setattr(copied, name, copy(value))
    return copied
