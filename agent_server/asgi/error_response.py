"""Error responses of the layers in front of the routes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent_server.errors import AgentServerError


async def refuse(send: Any, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
    """Send an error response in the same shape as all others: `{"detail": …}`."""
    body = json.dumps({"detail": detail}).encode()
    named = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def get_headers(error: AgentServerError) -> dict[str, str]:
    """Return the headers that the error sets on its response."""
    challenge = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}
    return challenge | dict(getattr(error, "headers", None) or {})
