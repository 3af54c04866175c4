"""The log: one line an event, with the run's ids and without local variables."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOGGING = """
import logging, sys
import structlog
from agent_server.observability.logs import configure_logs

configure_logs(sys.argv[1], "info")


def fail(password):
    token = password.upper()
    raise ValueError("no such luck")


with structlog.contextvars.bound_contextvars(run_id="r-1", thread_id="t-1"):
    try:
        fail("hunter" + "2")
    except ValueError as error:
        structlog.get_logger("agent_server").warning("run_failed", exc_info=error)
        logging.getLogger("a.library").exception("of a library")
logging.getLogger("a.library").info("between\\nlines")
"""


def _log(form: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LOGGING, form], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_each_log_event_is_one_json_line() -> None:
    own, foreign, later = [json.loads(line) for line in _log("json")]
    for line in (own, foreign):
        assert (line["run_id"], line["thread_id"]) == ("r-1", "t-1")
        assert "no such luck" in line["exception"]
    assert (own["event"], own["level"], own["logger"]) == ("run_failed", "warning", "agent_server")
    assert (foreign["event"], foreign["logger"]) == ("of a library", "a.library")
    assert later["event"] == "between\nlines"
    assert "run_id" not in later


def test_event_reaches_other_handlers_unchanged() -> None:
    kept = (
        "import logging, sys, structlog\n"
        "from agent_server.observability.logs import configure_logs\n"
        "class Kept(logging.Handler):\n"
        "    def emit(self, record): print(record.msg['event'], sorted(record.msg))\n"
        "configure_logs('json', 'info')\n"
        "logging.getLogger().addHandler(Kept())\n"
        "structlog.get_logger('agent_server').info('ended', status='success')\n"
    )
    done = subprocess.run([sys.executable, "-c", kept], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "ended ['event', 'level', 'logger', 'status', 'timestamp']\n"
    assert json.loads(done.stderr)["status"] == "success"


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_local_variable_is_in_a_traceback(form: str) -> None:
    log = "\n".join(_log(form))
    assert log.count("no such luck") >= 2
    assert "hunter2" not in log.lower()
