"""What `langgraph.json` names in files and modules: found, imported once, and explained where that fails."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from agent_server.config import ConfigError

INSTALL = "pip install 'agent-server[langgraph]'"


def import_from(dependencies: Iterable[str], directory: Path) -> None:
    """Put the directories among the dependencies on the import path, in their order. Errors: `ConfigError`."""
    for name in reversed([one for one in dependencies if one.startswith((".", "/"))]):
        found = (directory / name).resolve()
        if not found.is_dir():
            raise ConfigError(f"dependencies names {name!r}, but there is no directory {found}")
        if str(found) not in sys.path:
            sys.path.insert(0, str(found))


def load_variable(what: str, path: str, directory: Path) -> Any:
    """The value at `./file.py:variable` or `package.module:variable`. `ConfigError` says why `what` has none."""
    source, _, variable = path.rpartition(":")
    file = directory / source
    if source.endswith(".py") and not file.is_file():
        raise ConfigError(f"{what}: there is no file {file}")
    try:
        module = _module(file, directory) if source.endswith(".py") else importlib.import_module(source)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        hint = f"\nInstall it: {INSTALL}" if missing in ("langgraph", "langchain_core") else ""
        raise ConfigError(f"{what}: {source} cannot be imported\n{trace_of(error)}{hint}") from error
    except Exception as error:
        raise ConfigError(f"{what}: {source} cannot be imported\n{trace_of(error)}") from error
    if not hasattr(module, variable):
        raise ConfigError(f"{what}: {source} has no variable {variable!r}")
    return getattr(module, variable)


def _module(file: Path, directory: Path) -> ModuleType:
    """The file as a module, run once. Its name depends on its place only: checkpoints name the classes they hold."""
    place = file.resolve()
    relative = place.relative_to(directory) if place.is_relative_to(directory) else place
    name = "agent_server_graphs_" + "_".join(relative.with_suffix("").parts).replace("/", "")
    if name in sys.modules and sys.modules[name].__file__ == str(place):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def trace_of(error: BaseException) -> str:
    """The traceback, from the user's own code on."""
    shown = traceback.TracebackException.from_exception(error)
    own = [frame for frame in shown.stack if frame.filename not in _OURS and "importlib" not in frame.filename]
    shown.stack = traceback.StackSummary.from_list(own)
    return "".join(shown.format()).rstrip()


_OURS = {__file__, str(Path(__file__).parent / "agents" / "loading.py")}
