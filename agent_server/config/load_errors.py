"""Explain in two lines why a user's file or module could not be loaded: the error's place, and the remedy."""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from agent_server.config.config import Config
from agent_server.config.errors import ConfigError

INSTALL = "pip install 'agent-server[langgraph]'"
_PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dotenv": "python-dotenv",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    **dict.fromkeys(("langgraph", "langchain_core", "langgraph_sdk"), "'agent-server[langgraph]'"),
    **dict.fromkeys(("psycopg", "psycopg_pool"), "'agent-server[postgres]'"),
    "redis": "'agent-server[redis]'",
}
"""Packages whose name differs from the name of their module."""
_OWN_PACKAGES = ("feedback", "agent_server")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_VERBOSE = "The traceback: start with --verbose"
_SERVER = Path(__file__).parents[1]


def load_error(what: str, source: str, error: BaseException, config: Config) -> ConfigError:
    """Return the error that explains why `source`, which `what` needs, failed."""
    place = _place(error, config) or source
    text = " ".join(str(error).split())[:500]
    return ConfigError(
        f"{what}: {place}: {type(error).__name__}{': ' if text else ''}{text}",
        hint=_hint(error, config),
        trace=format_trace(error),
    )


def format_trace(error: BaseException) -> str:
    """Return the traceback from the user's own code on."""
    shown = traceback.TracebackException.from_exception(error)
    own = [frame for frame in shown.stack if not _is_ours(frame.filename) and "importlib" not in frame.filename]
    shown.stack = traceback.StackSummary.from_list(own)
    return "".join(shown.format()).rstrip()


def _place(error: BaseException, config: Config) -> str | None:
    """Return the file and line where the user's code failed, relative to the configuration's directory."""
    if isinstance(error, SyntaxError) and error.filename:
        return _format_place(error.filename, error.lineno, config)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    own = [frame for frame in frames if _is_users(frame.filename, config)]
    for frame in reversed(own):
        return _format_place(frame.filename, frame.lineno, config)
    return None


def _format_place(file: str, line: int | None, config: Config) -> str:
    path = Path(file)
    shown = path.relative_to(config.directory) if path.is_relative_to(config.directory) else path
    return f"{shown}:{line}" if line else str(shown)


def _is_users(file: str, config: Config) -> bool:
    local = [name for name in config.dependencies if name.startswith((".", "/"))]
    roots = [config.directory, *((config.directory / name).resolve() for name in local)]
    path = Path(file)
    return any(path.is_relative_to(root) for root in roots) and "site-packages" not in path.parts


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(_SERVER) and "demo" not in Path(file).relative_to(_SERVER).parts


def _hint(error: BaseException, config: Config) -> str:
    if name := _clash(error):
        return (
            f"{name} is the name of a package of this server, so yours is hidden: rename it, or move it into a package "
            f"of your own (from my_agent.{name} import …)"
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _module_hint(error.name.partition(".")[0], config)
    if variable := _find_missing_variable(error):
        return _variable_hint(variable, config)
    if isinstance(error, SyntaxError):
        return f"This server runs on Python {sys.version_info[0]}.{sys.version_info[1]}"
    return _VERBOSE


def _clash(error: BaseException) -> str | None:
    """Return the name of our package that the user's code mistook for a module of its own."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = error.obj.__name__
    return name if name in _OWN_PACKAGES else None


def _module_hint(name: str, config: Config) -> str:
    for directory in (config.directory, config.directory / "src"):
        if (directory / f"{name}.py").is_file() or (directory / name).is_dir():
            named = "." if directory == config.directory else "./src"
            return f'{name} is in {directory}: add "{named}" to "dependencies" in the configuration file'
    package = _PACKAGES.get(name, name.replace("_", "-"))
    return f"Install it where this server runs: pip install {package}"


def _find_missing_variable(error: BaseException) -> str | None:
    """Return the unset environment variable that the code tried to read."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, KeyError) and frames and frames[-1].filename in (os.__file__, "<frozen os>"):
        return str(error.args[0])
    text = str(error)
    found = [name for name in _VARIABLE.findall(text) if name not in os.environ]
    return found[0] if found and "environ" in text.lower() else None


def _variable_hint(name: str, config: Config) -> str:
    if config.env_file is not None:
        return f"Set {name} in {config.env_file}, or in the environment"
    dotenv = config.directory / ".env"
    if dotenv.is_file() and re.search(rf"^(export )?{name}=", dotenv.read_text(errors="replace"), re.MULTILINE):
        return f'{dotenv} sets {name}, but is not read: add "env": ".env" to the configuration file'
    return f'Set {name} in the environment, or in a file .env and add "env": ".env" to the configuration file'
