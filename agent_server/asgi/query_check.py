"""Check that the query of a request is UTF-8, as its body must be."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from agent_server.errors import Invalid


def check_query(query: bytes) -> None:
    """Refuse a query string whose decoded form is not UTF-8. Errors: `Invalid`.

    Frameworks would substitute U+FFFD, and so search for or store something that the client did not send.
    """
    if query.isascii() and b"%" not in query:
        return
    try:
        unquote_to_bytes(query).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The query of the URL is not UTF-8 (byte {error.start}); percent-encode UTF-8") from None
