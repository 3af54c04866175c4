"""A cache for what Litestar derives from the functions of route handlers.

For each app, Litestar parses the signatures of all handlers anew. That is most of the time that an app takes to start,
and the tests start thousands of apps with the same handlers. Each result depends on its key alone, never on the app.

Litestar has no public way to keep these results, hence the private names. Without the cache, an app of feedback alone
takes three times as much CPU time to make (0.19 instead of 0.06 s), and so does the whole server (0.32 instead of
0.09 s).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import pytest
from litestar import Router
from litestar._kwargs import KwargsModel
from litestar._signature import SignatureModel
from litestar.routes import BaseRoute, HTTPRoute, WebSocketRoute
from litestar.utils.signature import ParsedSignature


def cache_registration() -> Callable[[], None]:
    """Make Litestar derive each thing once for a test process, and return what undoes that."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ParsedSignature, "from_fn", classmethod(_caching(ParsedSignature.from_fn, _key_of_parsing)))
    patch.setattr(SignatureModel, "create", classmethod(_caching(SignatureModel.create, _key_of_model)))
    create = KwargsModel.create_for_signature_model
    patch.setattr(KwargsModel, "create_for_signature_model", classmethod(_caching(create, _key_of_kwargs)))
    patch.setattr(Router, "route_handler_method_map", property(_RouteMap().get))
    return patch.undo


class _RouteMap:
    """The handlers of the router that registers its routes, by path and method.

    Litestar makes this map anew, of all routes, for each path that it registers; this one adds the new routes.
    """

    def __init__(self) -> None:
        self._routes: list[BaseRoute] = []
        self._mapped: list[BaseRoute] = []
        self._map: dict[str, dict[Any, Any]] = {}

    def get(self, router: Router) -> dict[str, dict[Any, Any]]:
        """Return what the property `route_handler_method_map` of Litestar returns."""
        done = len(self._mapped)
        if self._routes is not router.routes or router.routes[:done] != self._mapped:
            self._routes, self._mapped, self._map, done = router.routes, [], defaultdict(dict), 0
        for route in router.routes[done:]:
            self._mapped.append(route)
            self._map[route.path].update(_handlers_by_method(route))
        return self._map


def _handlers_by_method(route: Any) -> dict[Any, Any]:
    if isinstance(route, HTTPRoute):
        return {method: handler for handler in route.route_handlers for method in handler.http_methods}
    return {"websocket" if isinstance(route, WebSocketRoute) else "asgi": route.route_handler}


def _caching(derive: Callable[..., Any], key_of: Callable[..., object]) -> Callable[..., Any]:
    """Return `derive` with a cache; `key_of` returns None for arguments whose result must not be shared."""
    results: dict[object, tuple[Any, object]] = {}

    def cached(_cls: type, *positional: Any, **named: Any) -> Any:
        if (key := key_of(*positional, **named)) is None:
            return derive(*positional, **named)
        if key not in results:
            # The arguments are kept too: a key names some of them by id, which must not be used again.
            results[key] = derive(*positional, **named), (positional, named)
        return results[key][0]

    return cached


def _key_of_parsing(fn: Any, signature_namespace: dict[str, Any]) -> object:
    return _signature_of(fn), _by_id(signature_namespace)


def _signature_of(fn: Any) -> object:
    """Return what two functions have in common if their signatures are the same, as those of one `def` usually are."""
    if not isinstance(fn, FunctionType) or hasattr(fn, "__wrapped__"):
        return fn
    defaults = tuple(map(id, fn.__defaults__ or ())), _by_id(fn.__kwdefaults__ or {})
    annotations = tuple((name, one if isinstance(one, str) else id(one)) for name, one in fn.__annotations__.items())
    return fn.__code__, fn.__module__, annotations, defaults


def _by_id(values: dict[str, Any]) -> frozenset[tuple[str, int]]:
    return frozenset((name, id(value)) for name, value in values.items())


def _key_of_model(
    dependency_name_set: set[str], fn: Any, parsed_signature: ParsedSignature, type_decoders: Any, data_dto: Any = None
) -> object:
    names = getattr(fn, "__name__", None), getattr(fn, "__module__", None), frozenset(dependency_name_set)
    return names, id(parsed_signature), tuple(map(_decoder, type_decoders or ())), data_dto


def _decoder(pair: tuple[object, object]) -> object:
    """Return what a type decoder has in common with the same one of another app: Litestar makes some anew for each."""
    tests, decodes = pair
    if isinstance(decodes, partial):
        return tests, decodes.func, decodes.args, tuple(decodes.keywords.items())
    return pair


def _key_of_kwargs(
    signature_model: type[SignatureModel],
    parsed_signature: ParsedSignature,
    dependencies: dict[str, Any],
    path_parameters: set[str],
    layered_parameters: dict[str, Any],
    **_: object,
) -> object:
    if layered_parameters or not dependencies.keys().isdisjoint(signature_model._fields):
        return None  # a dependency belongs to its app
    return signature_model, id(parsed_signature), frozenset(path_parameters)
