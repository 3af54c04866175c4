"""The answer of what stands in front of the routes, where no route is asked."""

from __future__ import annotations

import json
from typing import Any


async def refuse(send: Any, status: int, detail: str) -> None:
    """Send the answer, in the shape of all others: `{"detail": …}`."""
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
