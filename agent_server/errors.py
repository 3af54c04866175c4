"""The errors of the agent server, by cause.

Every error carries the HTTP status that the handler in `routes/error_handler.py` sends; modules below the routes know
nothing else of HTTP. `str(error)` is the message for the client: it states what was wrong and what would be right.
"""


class AgentServerError(Exception):
    """The base of all errors that clients may see."""

    status_code = 500


class BadRequest(AgentServerError):
    """The request combines options that exclude each other."""

    status_code = 400


class Unauthorized(AgentServerError):
    """The request lacks valid credentials."""

    status_code = 401


class Forbidden(AgentServerError):
    """The caller is authenticated, but not allowed to do this."""

    status_code = 403


class NotFound(AgentServerError):
    """The resource in the request does not exist."""

    status_code = 404


class Conflict(AgentServerError):
    """The request is valid, but the resource is in another state than it needs."""

    status_code = 409


class ThreadBusy(Conflict):
    """Another run of the thread is active and the request's strategy is `reject`."""


class LeaseLost(AgentServerError):
    """Another worker has claimed the run; this worker's writes no longer count."""

    status_code = 409


class Invalid(AgentServerError):
    """The request itself is wrong; sending it again unchanged fails again."""

    status_code = 422


class UnsupportedMediaType(AgentServerError):
    """The declared type of the body is not supported."""

    status_code = 415


class ClientLeft(AgentServerError):
    """The client closed the connection before the request was complete. No response reaches it; metrics count it.

    499 is nginx's status for this, which no client ever receives.
    """

    status_code = 499


class TooLarge(AgentServerError):
    """The body exceeds the size limit."""

    status_code = 413


class TooMany(AgentServerError):
    """The rate limit is exceeded; the client may retry after `retry_after` seconds."""

    status_code = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.headers = {"Retry-After": str(retry_after)}


class Unavailable(AgentServerError):
    """A database or service that the request needs does not respond; the same request may succeed later."""

    status_code = 503


class Refused(AgentServerError):
    """Feedback refuses a submission; the error has the status and the text of feedback's own error."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code
