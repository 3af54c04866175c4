"""What can go wrong with feedback, told by whose fault it is.

Every error carries the HTTP status it is answered with and a `code` for programs; `str(error)` is the message people
read. No permanent condition has a status that clients retry (408, 425, 429, 5xx).
"""


class FeedbackError(Exception):
    """The base of all errors that a caller may see."""

    status_code = 500
    code = "error"


class NotFound(FeedbackError):
    """What the request names does not exist."""

    status_code = 404
    code = "not_found"


class TokenUnknown(NotFound):
    """The token was never issued here, or was changed on its way."""

    code = "token_unknown"


class TokenGone(FeedbackError):
    """The token was issued here and takes no more answers; `code` says why."""

    status_code = 410
    code = "token_gone"


class TokenExpired(TokenGone):
    """The token's time is over."""

    code = "token_expired"


class TokenRevoked(TokenGone):
    """The token was taken back."""

    code = "token_revoked"


class TokenUsed(TokenGone):
    """The token has taken as many answers as it was for."""

    code = "token_used"


class Unauthorized(FeedbackError):
    """The request needs an API key, and has none that is right."""

    status_code = 401
    code = "unauthorized"


class Forbidden(FeedbackError):
    """The API key is right, and not for this."""

    status_code = 403
    code = "forbidden"


class Conflict(FeedbackError):
    """The request is well formed, but what it names belongs to something else."""

    status_code = 409
    code = "conflict"


class AnswerStands(Conflict):
    """The subject has answered, and for this key the first answer stands."""

    code = "answer_stands"


class UnsupportedMediaType(FeedbackError):
    """The body is declared as something else than what the service takes."""

    status_code = 415
    code = "unsupported_media_type"


class TooLarge(FeedbackError):
    """The body, or a field of it, is larger than the service takes."""

    status_code = 413
    code = "too_large"


class TooMany(FeedbackError):
    """More requests than are taken from one address, or for one token, in so short a time."""

    status_code = 429
    code = "too_many"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Invalid(FeedbackError):
    """The request itself is wrong; sent again unchanged it will fail again."""

    status_code = 422
    code = "invalid"


class Rejected(Invalid):
    """The answer is well formed, but not one that the key's configuration allows."""

    code = "rejected"


class SecretMismatch(FeedbackError):
    """The configured secret is not the one that the key ring was made with. Raised at start-up, never to a client."""

    code = "secret_mismatch"
