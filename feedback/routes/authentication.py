"""Authentication: checks each request's scope and selects its project before its body is read.

A handler's `opt` sets the scope (`feedback_scope`); the default depends on the method. Token routes
(`feedback_token_route`) and public routes (`feedback_open`) need no scope and no project: the token names it. Every
other request has a project: that of its API key, or the one that it names (`X-Tenant-Id` of LangSmith's clients;
`?project=`; the tenant in WorkflowAI's paths), or `default`; its handler gets the services of that project. Operators'
routes (`feedback_unbound`) reject API keys of a project.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from feedback.auth import WITHOUT_KEY, ApiKeys, Entry, Scope, check_content_type, sent_key
from feedback.errors import Forbidden, Invalid, Unauthorized
from feedback.projects.scoped_database import DEFAULT
from feedback.rate_limits import RateLimiter
from feedback.routes.origins import hold_presigned
from feedback.services import ProjectServices
from feedback.validation import check_query

AnyRequest = Request[Any, Any, Any]
ServicesOf = Callable[[str], ProjectServices]
ServicesDependency = NamedDependency[SkipValidation[ProjectServices]]
OPEN = ("feedback_token_route", "feedback_open")
ENTRY, SERVICES, FIND_SERVICES = "feedback_entry", "services", "feedback_find_services"
FAILED = "feedback_failed"
"""The request state's entry for the error that the handler raises."""
OWN_TENANT = "_"
CHECKS_QUERY = "feedback_checks_query"
"""The `opt` of our own GET routes. Other services' clients may send parameters that we do not know."""


def admission(api_keys: ApiKeys, find_services: ServicesOf) -> Callable[[AnyRequest], Awaitable[None]]:
    """Return a hook that checks each request before its body is read. Wrong API keys count against their address.

    It is not a guard: Litestar copies the route's handler for each guard on every request.
    """

    async def let_in(request: AnyRequest) -> None:
        opt, state = request.route_handler.opt, request.scope["state"]
        if (error := state.get(FAILED)) is not None:
            raise error
        check_query(request.scope["query_string"])
        if (scope := find_needed_scope(request.method, opt)) is None:
            if "token" in request.path_params:
                await hold_presigned(request, find_services(DEFAULT))
            return
        state[ENTRY] = entry = await _check_api_key(api_keys, find_services(DEFAULT).rate_limiter, request, scope)
        if entry.project is not None and opt.get("feedback_unbound"):
            raise Forbidden(f"The API key is of the project {entry.project!r}; this needs one that is of none")
        if not opt.get("feedback_takes_any_type"):
            check_content_type(request.headers)
        if opt.get(CHECKS_QUERY) and request.method in ("GET", "HEAD"):
            _check_parameters(request)
        state[SERVICES], state[FIND_SERVICES] = await _services(request, entry, find_services), find_services

    return let_in


def _check_parameters(request: AnyRequest) -> None:
    """Reject query parameters that the route does not have. Errors: `Invalid`.

    Otherwise a misspelt filter would return everything, as if it had matched.
    """
    known = _list_parameters(request.route_handler) - request.path_params.keys()
    if unknown := sorted(set(request.query_params) - known):
        raise Invalid(f"There is no query parameter {unknown[0][:60]!r} here; there are {', '.join(sorted(known))}")


@cache
def _list_parameters(handler: Any) -> frozenset[str]:
    """Return the names of a route's query parameters, including `project`, which every route accepts."""
    sources = [handler, *handler.resolve_dependencies().values()]
    fields = [field for one in sources for field in one.parsed_fn_signature.parameters.items()]
    names = (getattr(field.kwarg_definition, "name", None) or name for name, field in fields)
    return frozenset(names) - _NO_PARAMETERS - frozenset(handler.resolve_dependencies()) | {"project"}


_NO_PARAMETERS = frozenset(("request", "data"))


async def _check_api_key(api_keys: ApiKeys, rate_limiter: RateLimiter, request: AnyRequest, scope: Scope) -> Entry:
    """Check the request's API key. Wrong API keys count against the address's limit; valid ones never wait for it."""
    try:
        return await api_keys.check(request, scope)
    except Exception as error:
        headers, client = request.headers, request.scope["client"]
        sent = sent_key(headers.get("x-api-key"), headers.get("authorization"))
        if sent and api_keys.counts_wrong_keys and getattr(error, "status_code", None) == 401:
            rate_limiter.admit(client[0] if client else None, request.scope["headers"])
        raise


async def _services(request: AnyRequest, entry: Entry, find_services: ServicesOf) -> ProjectServices:
    requested = request.query_params.get("project") if b"project=" in request.scope["query_string"] else None
    tenant = request.path_params.get("tenant", OWN_TENANT)
    named = request.headers.get("x-tenant-id") if tenant == OWN_TENANT else tenant
    if entry.project is None and not requested and not named:
        return find_services(DEFAULT)
    return find_services(
        await find_services(DEFAULT).projects.choose_project(entry.project, requested or None, named or None)
    )


def find_needed_scope(method: str, opt: dict[str, Any]) -> Scope | None:
    """Return the scope that a request needs; None for a preflight and for public routes."""
    if method == "OPTIONS" or any(opt.get(name) for name in OPEN):
        return None
    scope: Scope = opt.get("feedback_scope") or ("feedback-read" if method in ("GET", "HEAD") else "feedback-write")
    return scope


def services_dependency(find_services: ServicesOf) -> dict[str, Provide]:
    """Return the handlers' dependency `services`. It is the only one: for several that depend on each other Litestar
    starts a task group on every request (a fifth of a submission's CPU time).
    """

    def provide_services(request: AnyRequest) -> Any:
        return request.scope["state"].get(SERVICES) or find_services(DEFAULT)

    return {"services": Provide(provide_services, sync_to_thread=False)}


async def find_named_services(request: AnyRequest, services: ProjectServices, name: str | None) -> ProjectServices:
    """Return the services of the project that the body names; without a name, the request's own."""
    if name is None:
        return services
    find_services: ServicesOf = request.scope["state"][FIND_SERVICES]
    return find_services(await services.projects.choose_project(get_entry(request).project, None, name))


def get_entry(request: AnyRequest) -> Entry:
    """Return how the request was authenticated."""
    entry: Entry = request.scope["state"].get(ENTRY, WITHOUT_KEY)
    return entry


def bearer(request: AnyRequest) -> str:
    """Return the API key that the request sends in EvalGuard's way. Errors: `Unauthorized` without one."""
    if not (key := sent_key(None, request.headers.get("authorization"))):
        raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`")
    return key
