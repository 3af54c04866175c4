"""Vectors in SQLite, also where Python's `sqlite3` was built without extensions (pyenv's is, and that of macOS)."""

from __future__ import annotations

import sqlite3
from array import array
from math import sqrt
from operator import mul

EXTENSIBLE = hasattr(sqlite3.Connection, "enable_load_extension")


class VectorConnection(sqlite3.Connection):
    """A connection that LangGraph's store can load sqlite-vec into, or that does in Python what the store asks of it,
    which takes some ten times as long."""

    if not EXTENSIBLE:

        def enable_load_extension(self, enable: bool, /) -> None:  # nothing is loaded
            pass

        def load_extension(self, name: str, /, **_options: object) -> None:  # noqa: ARG002
            self.create_function("vec_distance_cosine", 2, cosine_distance, deterministic=True)


def cosine_distance(one: bytes, other: bytes) -> float:
    """1 less the cosine of the angle between two vectors of 32-bit floats, as sqlite-vec has it; 1 for one of zeros."""
    a, b = array("f", one), array("f", other)
    if len(a) != len(b):
        raise ValueError(f"vectors of {len(a)} and of {len(b)} numbers cannot be compared")
    length = sqrt(sum(map(mul, a, a)) * sum(map(mul, b, b)))
    return 1.0 - sum(map(mul, a, b)) / length if length else 1.0
