"""Apps for `http.app` in tests: one with Starlette, one with Litestar, one with neither."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, get, post
from litestar import Request as LitestarRequest
from litestar.params import FromPath, JSONBody
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

lifespan_events: list[str] = []
"""What the apps' lifespans did."""
echoed: list[Any] = []
"""The bodies that `/echo` received."""


@asynccontextmanager
async def life(_app: Any) -> AsyncIterator[dict[str, str]]:
    lifespan_events.append("started")
    yield {"found": "at the start"}
    lifespan_events.append("stopped")


async def shown(request: Request) -> JSONResponse:
    return JSONResponse({"path": request.url.path, "found": request.state.found})


async def echo(request: Request) -> JSONResponse:
    echoed.append(await request.json())
    return JSONResponse({"given": echoed[-1]})


async def thing(request: Request) -> JSONResponse:
    return JSONResponse({"detail": f"No thing {request.path_params['name']}"}, status_code=404)


async def broken(_request: Request) -> JSONResponse:
    raise ValueError("secret of the app")


async def who(request: Request) -> JSONResponse:
    user = request.scope.get("user")
    auth = request.scope.get("auth")
    return JSONResponse({"user": user and user.identity, "permissions": auth and list(auth.scopes)})


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"user": websocket.user.identity})
    await websocket.close()


class Marking:
    """Middleware that adds a header to every response."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def marking(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-marked", b"yes")]}
            await send(message)

        await self.app(scope, receive, marking)


starlette = Starlette(
    routes=[
        Route("/", shown),
        Route("/info", shown),
        Route("/echo", echo, methods=["POST"]),
        Route("/things/{name}", thing),
        Route("/broken", broken),
        Route("/threads", shown),
        Route("/who", who),
        WebSocketRoute("/chat", chat),
    ],
    middleware=[Middleware(Marking)],
    lifespan=life,
)


@get(["/", "/info", "/threads"])
async def litestar_shown(request: LitestarRequest[Any, Any, Any]) -> dict[str, str]:
    return {"path": request.url.path, "found": request.scope["state"]["found"]}


@post("/echo", status_code=200)
async def litestar_echo(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    echoed.append(data)
    return {"given": data}


@get("/things/{name:str}", status_code=404)
async def litestar_thing(name: FromPath[str]) -> dict[str, str]:
    return {"detail": f"No thing {name}"}


@get("/broken")
async def litestar_broken() -> None:
    raise ValueError("secret of the app")


@asynccontextmanager
async def litestar_life(app: Litestar) -> AsyncIterator[None]:
    async with life(app):
        yield


async def _remember(request: LitestarRequest[Any, Any, Any]) -> None:
    request.scope["state"]["found"] = "at the start"


litestar = Litestar(
    [litestar_shown, litestar_echo, litestar_thing, litestar_broken],
    lifespan=[litestar_life],
    before_request=_remember,
    openapi_config=None,
    logging_config=None,
)


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """An app without a framework: it has no lifespan and reads the whole body before it looks for a route."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/broken":
        raise ValueError("secret of the app")
    bodies = {"/": b'{"path":"/","found":"at the start"}', "/echo": b'{"given":' + body + b"}"}
    is_there = scope["path"] in bodies
    await send({"type": "http.response.start", "status": 200 if is_there else 404, "headers": []})
    await send({"type": "http.response.body", "body": bodies.get(scope["path"], b'{"detail":"none of mine"}')})


async def failing(_scope: Any, receive: Any, send: Any) -> None:
    """An app whose start fails."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the cellar is locked"})
