"""Forms: the parts of a `multipart/form-data` body, as browsers' `FormData`, `curl -F` and LangSmith's clients send."""

from __future__ import annotations

from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP

from feedback.errors import Invalid

MULTIPART = "multipart/form-data"


def parts_of(content_type: str, body: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Name and content of each part; None where a part has none. Errors: `Invalid`."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise Invalid("The body is not multipart/form-data with a boundary")
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        yield str(part.get_param("name", "", header="content-disposition")), _bytes(content)


def _bytes(content: object) -> bytes | None:
    return content if isinstance(content, bytes) else None
