"""What the commands import: no more than they use."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_server.cli import deferred_packages
from agent_server.cli.deferred_packages import defer_packages

UNUSED_BY_SERVE = """
import sys
from agent_server.cli.main import main
assert main.get_command(None, "serve")
unused = "greenlet jinja2 langchain_core langgraph opentelemetry.sdk psycopg pygments redis rich watchfiles"
print([name for name in unused.split() if name in sys.modules])
import pygments, rich, watchfiles  # nothing stays blocked
"""
UNUSED_BY_GRAPHS = """
import sys
from agent_server.cli.deferred_packages import defer_packages
defer_packages()
import agent_server.agents.langgraph.agent, langchain_core.tracers.langchain
print([name for name in ("langgraph_sdk.client", "langsmith.types.run") if name in sys.modules])
import langgraph_sdk, langsmith.types
from langgraph_sdk import Auth, get_client
assert langgraph_sdk.__version__ and Auth is langgraph_sdk.Auth and get_client(url="http://localhost")
assert "id" in langsmith.types.Run.model_fields
"""


@pytest.mark.parametrize("program", [UNUSED_BY_SERVE, UNUSED_BY_GRAPHS], ids=["serve", "graphs"])
def test_only_what_is_used_is_imported(program: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.returncode) == ("[]\n", 0), ended.stderr


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The `__init__.py` of a deferred package `deferred_here`, which has a module `part`."""
    monkeypatch.setattr(deferred_packages, "DEFERRED", frozenset(("deferred_here",)))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    defer_packages()
    folder = tmp_path / "deferred_here"
    folder.mkdir()
    (folder / "part.py").write_text("VALUE = 1")
    yield folder / "__init__.py"
    for name in [name for name in sys.modules if name.partition(".")[0] == "deferred_here"]:
        del sys.modules[name]


def test_deferred_package_is_executed_at_first_use(package: Path) -> None:
    package.write_text("from .part import VALUE")
    import deferred_here  # type: ignore[import-not-found]
    from deferred_here.part import VALUE  # type: ignore[import-not-found]

    assert "VALUE" not in vars(deferred_here)
    assert deferred_here.VALUE == VALUE
    assert deferred_here.__spec__.loader.get_filename() == deferred_here.__file__ == str(package)
    with pytest.raises(AttributeError, match=r"module 'deferred_here' has no attribute 'MISSING'"):
        _ = deferred_here.MISSING


def test_deferred_package_is_executed_once_for_threads(package: Path) -> None:
    package.write_text("import time\ntime.sleep(0.1)\nfrom . import part\nVALUE = part.VALUE")
    import deferred_here

    found: list[int] = []
    _at_once(lambda: found.append(deferred_here.VALUE))
    assert found == [1, 1, 1, 1]


def test_deferred_package_fails_at_each_use(package: Path) -> None:
    package.write_text("import not_installed_anywhere")
    import deferred_here

    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
            _ = deferred_here.VALUE


def _at_once(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
