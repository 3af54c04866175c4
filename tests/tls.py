"""TLS contexts that a test process creates once: each new one reads and parses the certificates of all authorities.

httpx creates a context for each client and for each `httpx.get`, although the tests' servers speak plain HTTP.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache

import pytest


def cache_tls_contexts() -> Callable[[], None]:
    """Create one TLS context for the same arguments, and return what undoes that."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ssl, "create_default_context", lru_cache(ssl.create_default_context))
    return patch.undo
