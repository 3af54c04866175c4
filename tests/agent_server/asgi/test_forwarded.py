"""When `X-Forwarded-For` and `X-Forwarded-Proto` are trusted."""

from __future__ import annotations

from typing import Any

import pytest

from agent_server.asgi.forwarded import client_address, set_forwarded_scheme

LOCAL, PROXY, CLIENT = "127.0.0.1", "10.0.0.1", "203.0.113.9"


def scope(peer: str | None, *headers: tuple[str, str], kind: str = "http") -> dict[str, Any]:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": kind, "client": (peer, 5) if peer else None, "headers": raw, "scheme": "http"}


@pytest.mark.parametrize(
    ("peer", "trusts", "lines", "expected"),
    [
        (PROXY, False, [CLIENT], PROXY),
        (PROXY, True, [CLIENT], CLIENT),
        (LOCAL, False, [CLIENT], CLIENT),
        (PROXY, True, ["1.2.3.4", CLIENT], CLIENT),
        (PROXY, True, [f"1.2.3.4, {CLIENT}"], CLIENT),
        (PROXY, True, ["garbage"], PROXY),
        (PROXY, True, [CLIENT, "garbage"], PROXY),
        (PROXY, True, [], PROXY),
        (None, True, [CLIENT], CLIENT),
        (None, False, [CLIENT], None),
    ],
)
def test_nearest_hop_of_all_lines_counts(peer: str, trusts: bool, lines: list[str], expected: str | None) -> None:
    given = scope(peer, *(("x-forwarded-for", line) for line in lines))
    assert client_address(given, trusts) == expected


@pytest.mark.parametrize(
    ("peer", "sent", "expected"), [(LOCAL, "https", "https"), (LOCAL, "x", "http"), (PROXY, "https", "http")]
)
async def test_local_proxy_says_the_scheme(peer: str, sent: str, expected: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["scheme"])

    for kind in ("http", "websocket"):
        given: Any = scope(peer, ("x-forwarded-proto", sent), kind=kind)
        await set_forwarded_scheme(app)(given, None, None)  # type: ignore[arg-type]
    assert seen == [expected, expected.replace("http", "ws") if (peer, sent) == (LOCAL, "https") else "http"]
