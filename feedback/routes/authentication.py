"""Which routes need which scope, and which project a request is for: asked of every request before its body is read.

`feedback_scope` in a handler's `opt` says the scope, or else the method does. Routes of tokens (`feedback_token_route`)
and what everybody may see (`feedback_open`) need none, and name no project: the token does. Every other request is for
one: its key's, or the one that it names (`X-Tenant-Id`, as LangSmith's clients have it; `?project=`; the tenant in
WorkflowAI's paths), or `default`; and its handler is given the rooms of that one. What is the operator's alone
(`feedback_unbound`) is closed to keys of a project.
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
ENTRY, SERVICES = "feedback_entry", "services"
FAILED = "feedback_failed"
"""Where the state of a request holds the error that its handler is to raise."""
OWN_TENANT = "_"
CHECKS_QUERY = "feedback_checks_query"
"""The `opt` of GET routes that are our own, and no other service's, whose clients may send what we do not know."""


def admission(api_keys: ApiKeys, services_of: ServicesOf) -> Callable[[AnyRequest], Awaitable[None]]:
    """Looks at every request before its body is read. Wrong keys count at the gate, by the address that sends them.

    Not a guard: for each of those Litestar copies the route's handler with every request.
    """

    async def let_in(request: AnyRequest) -> None:
        opt, state = request.route_handler.opt, request.scope["state"]
        if (error := state.get(FAILED)) is not None:
            raise error
        check_query(request.scope["query_string"])
        if (scope := needed_scope(request.method, opt)) is None:
            if "token" in request.path_params:
                await hold_presigned(request, services_of(DEFAULT))
            return
        state[ENTRY] = entry = await _checked(api_keys, services_of(DEFAULT).rate_limiter, request, scope)
        if entry.project is not None and opt.get("feedback_unbound"):
            raise Forbidden(f"The API key is of the project {entry.project!r}; this needs one that is of none")
        if not opt.get("feedback_takes_any_type"):
            check_content_type(request.headers)
        if opt.get(CHECKS_QUERY) and request.method in ("GET", "HEAD"):
            _check_parameters(request)
        state[SERVICES] = await _services(request, entry, services_of)

    return let_in


def _check_parameters(request: AnyRequest) -> None:
    """Refuse a query parameter that the route does not have. Errors: `Invalid`.

    Otherwise a misspelt filter answers with everything, and looks as if it had found it.
    """
    known = _parameters_of(request.route_handler) - request.path_params.keys()
    if unknown := sorted(set(request.query_params) - known):
        raise Invalid(f"There is no query parameter {unknown[0][:60]!r} here; there are {', '.join(sorted(known))}")


@cache
def _parameters_of(handler: Any) -> frozenset[str]:
    """Return the names of a route's query parameters, with `project`, which every route takes."""
    asked = [handler, *handler.resolve_dependencies().values()]
    fields = [field for one in asked for field in one.parsed_fn_signature.parameters.items()]
    names = (getattr(field.kwarg_definition, "name", None) or name for name, field in fields)
    return frozenset(names) - _NO_PARAMETERS - frozenset(handler.resolve_dependencies()) | {"project"}


_NO_PARAMETERS = frozenset(("request", "data"))


async def _checked(api_keys: ApiKeys, rate_limiter: RateLimiter, request: AnyRequest, scope: Scope) -> Entry:
    """What the check says of the request. A right key is never kept waiting by others' wrong ones."""
    try:
        return await api_keys.check(request, scope)
    except Exception as error:
        headers, client = request.headers, request.scope["client"]
        sent = sent_key(headers.get("x-api-key"), headers.get("authorization"))
        if sent and getattr(error, "status_code", None) == 401:
            rate_limiter.admit(client[0] if client else None, headers)
        raise


async def _services(request: AnyRequest, entry: Entry, services_of: ServicesOf) -> ProjectServices:
    asked = request.query_params.get("project") if b"project=" in request.scope["query_string"] else None
    tenant = request.path_params.get("tenant", OWN_TENANT)
    named = request.headers.get("x-tenant-id") if tenant == OWN_TENANT else tenant
    if entry.project is None and not asked and not named:
        return services_of(DEFAULT)
    return services_of(await services_of(DEFAULT).projects.chosen(entry.project, asked or None, named or None))


def needed_scope(method: str, opt: dict[str, Any]) -> Scope | None:
    """What a request needs; nothing for a preflight and where everybody may come in."""
    if method == "OPTIONS" or any(opt.get(name) for name in OPEN):
        return None
    scope: Scope = opt.get("feedback_scope") or ("feedback-read" if method in ("GET", "HEAD") else "feedback-write")
    return scope


def services_dependency(services_of: ServicesOf) -> dict[str, Provide]:
    """`services`, which handlers ask for. It is the only thing that they ask for: for several that depend on each
    other Litestar starts a task group with every request (a fifth of the CPU of an answer).
    """

    def given(request: AnyRequest) -> Any:
        return request.scope["state"].get(SERVICES) or services_of(DEFAULT)

    return {"services": Provide(given, sync_to_thread=False)}


def entry_of(request: AnyRequest) -> Entry:
    """How the request came in."""
    entry: Entry = request.scope["state"].get(ENTRY, WITHOUT_KEY)
    return entry


def bearer(request: AnyRequest) -> str:
    """The key that the request sends as EvalGuard has it. `Unauthorized` without one."""
    if not (key := sent_key(None, request.headers.get("authorization"))):
        raise Unauthorized("This needs an API key: send `Authorization: Bearer <key>`")
    return key
