"""WebSockets that read nothing until the application asks for a message.

uvicorn reads frames as soon as a client has asked for the upgrade: up to a whole message of a client that has not shown
its API key yet.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_SWITCHING_PROTOCOLS = 101


class PatientWebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. Its first frame is read once the application has received `websocket.connect`."""

    def handle_connect(self, event: Request) -> None:
        """Start the application, and stop reading; uvicorn's `receive` resumes it."""
        super().handle_connect(event)
        if self.response.status_code == _SWITCHING_PROTOCOLS:
            self.read_paused = True
            self.transport.pause_reading()
