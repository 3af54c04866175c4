"""Restart the server process when a file changes: Python code, the configuration file, its file of variables."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from uvicorn.supervisors.basereload import BaseReload
from watchfiles import Change, DefaultFilter, watch

from agent_server.cli.settings import RELOADED


class Reloader(BaseReload):
    """Runs the server in a process of its own, and restarts it after a change, even if it failed before."""

    def __init__(
        self,
        settings: uvicorn.Config,
        target: Callable[[list[socket.socket] | None], None],
        sockets: list[socket.socket],
        config_path: Path,
    ) -> None:
        super().__init__(settings, target, sockets)
        self.reloader_name = "watchfiles"
        self._config_path = config_path
        self._changes = self._watch()

    def should_restart(self) -> list[Path] | None:
        """Return the changed files, if any."""
        self.pause()
        return sorted({Path(path) for _, path in next(self._changes)}) or None

    def restart(self) -> None:
        """Restart the server; the configuration file may name other directories now."""
        os.environ[RELOADED] = "1"
        super().restart()
        self._changes = self._watch()

    def _watch(self) -> Iterator[set[tuple[Change, str]]]:
        directories, files = list_watched_paths(self._config_path)
        outside = [one for one in files if one.exists() and not any(one.is_relative_to(root) for root in directories)]
        return watch(
            *directories,
            *outside,
            watch_filter=_Filter(files),
            stop_event=self.should_exit,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )


class _Filter(DefaultFilter):
    """Accepts Python files outside of environments and caches, and the given files."""

    def __init__(self, files: list[Path]) -> None:
        super().__init__()
        self._files = {str(one) for one in files}

    def __call__(self, change: Change, path: str) -> bool:
        return path in self._files or (path.endswith(".py") and super().__call__(change, path))


def list_watched_paths(config_path: Path) -> tuple[list[Path], list[Path]]:
    """Return the directories with code, the configuration file, and its file of variables.

    A configuration file that cannot be read, perhaps because it is being written, adds nothing else.
    """
    config_path = config_path.resolve()
    directory = config_path.parent
    try:
        document = json.loads(config_path.read_text(encoding="utf-8"))
        named = [one for one in document.get("dependencies", []) if one.startswith((".", "/"))]
        env = document.get("env")
    except (OSError, ValueError, AttributeError):
        named, env = [], None
    files = [config_path, *([(directory / env).resolve()] if isinstance(env, str) else [directory / ".env"])]
    found = [directory, *((directory / one).resolve() for one in named)]
    return [one for one in dict.fromkeys(found) if one.is_dir()], files
