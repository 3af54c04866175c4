"""The errors of the agent server, by whose fault they are.

Every error carries the HTTP status that the handler in `routes/error_handler.py` responds with; nothing below the
routes knows more of HTTP than that. `str(error)` is the message that a client reads: it states what was wrong and what
would be right.
"""


class AgentServerError(Exception):
    """The base of all errors that a caller may see."""

    status_code = 500


class BadRequest(AgentServerError):
    """The request asks for two things that exclude each other."""

    status_code = 400


class Unauthorized(AgentServerError):
    """The request does not say who it is from, as it must."""

    status_code = 401


class Forbidden(AgentServerError):
    """The server knows who asks, and this is not theirs to do."""

    status_code = 403


class NotFound(AgentServerError):
    """What the request names does not exist."""

    status_code = 404


class Conflict(AgentServerError):
    """The request is well formed, but what it names is in another state than it needs."""

    status_code = 409


class ThreadBusy(Conflict):
    """The thread runs another run and the request's strategy is `reject`."""


class LeaseLost(AgentServerError):
    """Another worker has the run; what this one does to it no longer counts."""

    status_code = 409


class Invalid(AgentServerError):
    """The request itself is wrong; sent again unchanged it will fail again."""

    status_code = 422


class UnsupportedMediaType(AgentServerError):
    """The body is declared as something else than what the server takes."""

    status_code = 415


class ClientLeft(AgentServerError):
    """The client closed the connection before the request was complete. No response reaches it; metrics count it.

    499 is nginx's status for this, which no client ever receives.
    """

    status_code = 499


class TooLarge(AgentServerError):
    """The body is larger than the server takes."""

    status_code = 413


class TooMany(AgentServerError):
    """More of the same kind than are taken in so short a time; `retry_after` seconds later it may be sent again."""

    status_code = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.headers = {"Retry-After": str(retry_after)}


class Unavailable(AgentServerError):
    """A store or a service that the request needs does not answer; the same request may succeed later."""

    status_code = 503


class Refused(AgentServerError):
    """Feedback does not take a submission; it has the status and the text of feedback's own error."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code
