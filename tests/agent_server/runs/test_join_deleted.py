"""Joining a run that is deleted meanwhile ends with a 404, or with an error once the response has begun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar.types import Message

from agent_server.errors import NotFound
from agent_server.routes.run_responses import respond_or_not_found


async def _deleted(*before: bytes) -> AsyncIterator[bytes]:
    for chunk in before:
        yield chunk
    raise NotFound("Run with ID x not found")


async def sent(chunks: AsyncIterator[bytes]) -> list[Message]:
    """Return what the response sends from an app that begins at once, as a stream does."""

    def respond(chunks: AsyncIterator[bytes]) -> Any:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        return app

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await respond_or_not_found(chunks, respond)({}, None, send)  # type: ignore[typeddict-item, arg-type]
    return messages


async def test_deleted_run_ends_a_join_with_404() -> None:
    start, body = await sent(_deleted())
    assert (start["status"], msgspec.json.decode(body["body"])) == (404, {"detail": "Run with ID x not found"})


async def test_open_join_of_a_deleted_run_fails() -> None:
    messages = await sent(_deleted(b"\n"))
    assert [message.get("status") for message in messages] == [200, None, None]
    body = b"".join(message.get("body", b"") for message in messages)
    assert msgspec.json.decode(body) == {"__error__": {"error": "NotFound", "message": "Run with ID x not found"}}


@pytest.mark.parametrize("chunks", [[b"{}"], [b"\n", b"{}"]])
async def test_other_joins_pass_unchanged(chunks: list[bytes]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    messages = await sent(pieces())
    assert [message.get("status") for message in messages][:1] == [200]
    assert b"".join(message.get("body", b"") for message in messages) == b"".join(chunks)
