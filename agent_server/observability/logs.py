"""Structured logs: one line per event, JSON for programs or aligned text for people, with run and thread ids."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, cast

import structlog

NOISY_LOGGERS = {
    "sse_starlette": logging.INFO,
    "aiosqlite": logging.INFO,
    "httpx": logging.WARNING,
    "httpcore": logging.INFO,
    "watchfiles": logging.WARNING,
}
"""Libraries that log too much below these levels: sent and stored data (tokens, feedback, secret addresses) or, while
`dev` watches a folder with a database in it, a line for every write."""


def configure_logs(form: Literal["console", "json"], level: str) -> None:
    """Send all logs of this process, including libraries, to standard error in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_choose_renderers(form)],
        )
    )
    logging.getLogger("uvicorn.error").addFilter(_is_no_cut_stream)
    for name, least in NOISY_LOGGERS.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelNamesMapping()[level.upper()]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats our own events without the copy that structlog makes of each record, a fifth of the cost of a line."""

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "_logger"):  # of a library, not of structlog
            return super().format(record)
        event: Any = {**cast(dict[str, Any], record.msg), "_record": record, "_from_structlog": True}
        for process in self.processors:
            event = process(record._logger, record.levelname.lower(), event)
        return str(event)


def _is_no_cut_stream(record: logging.LogRecord) -> bool:
    """Filter Uvicorn's error for an incomplete response; a shutdown cuts every open stream on purpose."""
    return record.msg != "ASGI callable returned without completing response."


def _choose_renderers(form: Literal["console", "json"]) -> list[structlog.typing.Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback  # the prettier ones show local variables, and thus secrets
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
