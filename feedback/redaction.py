"""No token in any log: a filter that cuts it, and the query behind it, out of what is logged."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/feedback/+tokens/+|[?&]feedback_token=)[^\s\"']+")


def redact(text: str) -> str:
    """`text` with `…/feedback/tokens/<token>` in the place of each presigned URL's token and query."""
    return _TOKEN.sub(r"\1<token>", text)


class RedactTokens(logging.Filter):
    """Put it on a logger or a handler: every record passes, without tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True, with the record's message and arguments redacted."""
        if isinstance(record.msg, str):
            record.msg = redact(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(redact(part) if isinstance(part, str) else part for part in record.args)
        elif isinstance(record.args, dict):
            record.args = {name: redact(part) if isinstance(part, str) else part for name, part in record.args.items()}
        return True
