"""The errors of the feedback service, by cause.

Each has an HTTP status and a `code` for programs; `str(error)` is the message for people. No permanent condition has a
status that clients retry (408, 425, 429, 5xx).
"""


class FeedbackError(Exception):
    """The base class of all errors that a caller may see."""

    status_code = 500
    code = "error"


class NotFound(FeedbackError):
    """The requested object does not exist."""

    status_code = 404
    code = "not_found"


class TokenUnknown(NotFound):
    """This service never issued the token, or the token was altered."""

    code = "token_unknown"


class TokenGone(FeedbackError):
    """This service issued the token, and it accepts no more submissions; `code` says why."""

    status_code = 410
    code = "token_gone"


class TokenExpired(TokenGone):
    """The token has expired."""

    code = "token_expired"


class TokenRevoked(TokenGone):
    """The token was revoked."""

    code = "token_revoked"


class TokenUsed(TokenGone):
    """The token has no uses left."""

    code = "token_used"


class Unauthorized(FeedbackError):
    """The request needs an API key, and sends none or a wrong one."""

    status_code = 401
    code = "unauthorized"


class Forbidden(FeedbackError):
    """The API key is valid, but lacks the permission."""

    status_code = 403
    code = "forbidden"


class Conflict(FeedbackError):
    """The request is well formed, but conflicts with what exists."""

    status_code = 409
    code = "conflict"


class FeedbackIsFinal(Conflict):
    """The subject has submitted feedback, and the first submission for this feedback key is final."""

    code = "feedback_is_final"


class UnsupportedMediaType(FeedbackError):
    """The service does not accept the declared type of the body."""

    status_code = 415
    code = "unsupported_media_type"


class TooLarge(FeedbackError):
    """The body, or a field of it, exceeds its size limit."""

    status_code = 413
    code = "too_large"


class TooMany(FeedbackError):
    """An address, token or project has exceeded its rate limit."""

    status_code = 429
    code = "too_many"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Invalid(FeedbackError):
    """The request is invalid; it will fail again unless it changes."""

    status_code = 422
    code = "invalid"


class Rejected(Invalid):
    """The submission is well formed, but the feedback key's configuration does not allow it."""

    code = "rejected"


class SecretMismatch(FeedbackError):
    """The configured secret differs from the one that the key ring was made with. Raised only at start-up."""

    code = "secret_mismatch"
