"""A logging filter that removes tokens, and the query behind them, from log records."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/feedback/+tokens/+|[?&]feedback_token=)[^\s\"']+")


def redact(text: str) -> str:
    """Return `text` with `…/feedback/tokens/<token>` in place of each presigned URL's token and query."""
    return _TOKEN.sub(r"\1<token>", text)


class RedactTokens(logging.Filter):
    """A filter for a logger or handler: it passes every record, with the tokens removed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record's message and arguments, and return True."""
        if isinstance(record.msg, str):
            record.msg = redact(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(redact(part) if isinstance(part, str) else part for part in record.args)
        elif isinstance(record.args, dict):
            record.args = {name: redact(part) if isinstance(part, str) else part for name, part in record.args.items()}
        return True
