"""Load the files and modules that `langgraph.json` names: import each once, and explain failures."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from agent_server.config.config import Config
from agent_server.config.errors import ConfigError
from agent_server.config.load_errors import load_error

_NO_PACKAGE = "attempted relative import with no known parent package"


def load_variable(what: str, path: str, config: Config) -> Any:
    """Return the value at `./file.py:variable` or `package.module:variable`.

    Errors: `ConfigError`, which names `what` could not be loaded and why.
    """
    import_from(config)
    source, _, variable = path.rpartition(":")
    module = _import_source(what, source, config)
    if not hasattr(module, variable):
        raise ConfigError(f"{what}: {source} has no variable {variable!r}", hint=_other_variables(module, variable))
    return getattr(module, variable)


def import_from(config: Config) -> None:
    """Add the dependencies' directories to the import path, in their order; `src` follows its parent.

    Errors: `ConfigError` for a directory that does not exist.
    """
    for found in reversed(list(_directories(config))):
        if str(found) not in sys.path:
            sys.path.insert(0, str(found))


def _directories(config: Config) -> Iterator[Path]:
    for name in config.dependencies:
        if not name.startswith((".", "/")):
            continue  # the name of a package, which the user installs
        found = (config.directory / name).resolve()
        if not found.is_dir():
            raise ConfigError(f"dependencies names {name!r}, but there is no directory {found}")
        yield found
        if (source := found / "src").is_dir() and not (source / "__init__.py").exists():
            yield source


def _import_source(what: str, source: str, config: Config) -> ModuleType:
    file = config.directory / source
    if source.endswith(".py") and not file.is_file():
        raise ConfigError(f"{what}: there is no file {file}", hint=_other_files(file))
    try:
        return _module(file, config.directory) if source.endswith(".py") else importlib.import_module(source)
    except Exception as error:
        raise load_error(what, source, error, config) from error


def _module(file: Path, directory: Path) -> ModuleType:
    """Run the file as a module, once. Its name depends on its path only: checkpoints name the classes they hold."""
    place = file.resolve()
    relative = place.relative_to(directory) if place.is_relative_to(directory) else place
    name = "agent_server_graphs_" + "_".join(relative.with_suffix("").parts).replace("/", "")
    if name in sys.modules and sys.modules[name].__file__ == str(place):
        return sys.modules[name]
    try:
        module = _execute_module(name, place)
    except ImportError as error:
        if str(error) != _NO_PACKAGE or not (place.parent / "__init__.py").exists():
            raise
        module = _import_in_package(place)
    sys.modules[name] = module
    return module


def _execute_module(name: str, place: Path) -> ModuleType:
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


def _import_in_package(place: Path) -> ModuleType:
    """Import the file as a module of its package, so that its relative imports work."""
    top, names = place.parent, [place.stem]
    while (top / "__init__.py").exists():
        names.insert(0, top.name)
        top = top.parent
    if str(top) not in sys.path:
        sys.path.insert(0, str(top))
    return importlib.import_module(".".join(names))


def _other_variables(module: ModuleType, variable: str) -> str:
    names = [name for name, value in vars(module).items() if not name.startswith("_") and not _is_module(value)]
    own = [name for name in names if getattr(vars(module)[name], "__module__", module.__name__) == module.__name__]
    nearest = get_close_matches(variable, names, n=1) or own[-3:] or names[-3:]
    return f"It has {', '.join(nearest)}" if nearest else "It defines no variables"


def _is_module(value: object) -> bool:
    return isinstance(value, ModuleType)


def _other_files(file: Path) -> str:
    there = sorted(one.name for one in file.parent.glob("*.py")) if file.parent.is_dir() else []
    nearest = get_close_matches(file.name, there, n=1) or there[:5]
    return f"Python files there: {', '.join(nearest)}" if nearest else f"There are no Python files in {file.parent}"
