"""Execute the `__init__` of some packages at the first use of a name in it.

LangGraph imports one small module of `langgraph_sdk`, and LangSmith's client one of `langsmith.types`. An import of a
module first executes the `__init__` of its package, and these two import all of their modules: clients with transports,
160 models of Pydantic. No server uses them; they took 9 MB and a tenth of the start. Here, the import of such a package
creates it without executing its `__init__`; a lookup of a name that it does not have executes that.
`importlib.util.LazyLoader` would execute it at each import of a module of the package.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

DEFERRED = frozenset(("langgraph_sdk", "langsmith.types"))

_lock = threading.RLock()
_executing: list[ModuleType] = []
"""What the thread that holds the lock executes."""


def defer_packages() -> None:
    """Defer the packages that are imported from now on."""
    if not any(isinstance(finder, _DeferringFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _DeferringFinder())


class _DeferringFinder(MetaPathFinder):
    """Finds the deferred packages."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec


class _DeferringLoader(Loader):
    """Creates the package's module, and leaves its execution to the module."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        module.__class__ = _DeferredPackage


class _DeferredPackage(ModuleType):
    """A package whose `__init__` is executed when a name is looked up that is not there."""

    def __getattr__(self, name: str) -> Any:
        with _lock:  # other threads wait until all names are there
            if self.__class__ is _DeferredPackage and self not in _executing:
                _execute(self)
        if self.__class__ is _DeferredPackage:  # its own modules ask, while it is executed
            raise AttributeError(f"partially initialized module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)


def _execute(package: ModuleType) -> None:
    assert package.__spec__ is not None
    assert package.__spec__.loader is not None
    _executing.append(package)
    try:
        package.__spec__.loader.exec_module(package)
        package.__class__ = ModuleType
    finally:
        _executing.remove(package)
