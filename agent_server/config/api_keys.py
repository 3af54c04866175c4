"""API keys: the format (256 random bits), the scopes, and the stored hash.

SHA-256 without salt or stretching suffices, since a key is random: 2^256 of them cannot be tried. (Stretching is for
passwords, which people choose; it would cost every request tens of milliseconds.) A user-defined key from the
environment must be long for the same reason.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, get_args

from msgspec import Struct

Scope = Literal["run", "feedback-read", "feedback-mint", "feedback-write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
USUAL: frozenset[Scope] = frozenset({"run", "feedback-read", "feedback-write"})
"""The scopes of a key for which none are given: all except `admin`."""
INCLUDED: Mapping[Scope, Scope] = {"feedback-mint": "feedback-write"}
"""Scopes that a wider scope includes."""
PROJECT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
PREFIX = "as_"
SHORTEST = 16
HASHED = "sha256:"


class ConfiguredKey(Struct, frozen=True):
    """A key from the environment, stored as a hash."""

    hash: str
    scopes: frozenset[Scope]
    project: str | None = None
    """The only project whose feedback it gives access to."""


def new_key() -> str:
    """Return a new key."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Return the SHA-256 of the key, in hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def allows(scopes: Collection[Scope], scope: Scope) -> bool:
    """Return whether a key with these scopes may do what needs `scope`; `admin` may do everything."""
    return scope in scopes or INCLUDED.get(scope) in scopes or "admin" in scopes


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes with these names. Errors: `ValueError` for an unknown one, which does not quote the input."""
    known: dict[str, Scope] = {scope: scope for scope in SCOPES}
    try:
        return frozenset(known[name.strip()] for name in names)
    except KeyError:
        raise ValueError(f"has an unknown scope; the scopes are {', '.join(SCOPES)}") from None


def check_project_name(name: str) -> str:
    """Return `name` if it is a valid project name (a UUID is an id). Errors: `ValueError`, which omits it."""
    if not PROJECT.fullmatch(name) or _is_uuid(name):
        raise ValueError("has no project's name: 1 to 63 lower-case letters, digits and hyphens between them")
    return name


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def parse_api_keys(text: str) -> tuple[ConfiguredKey, ...]:
    """Return the keys in `key,key:scope+scope,sha256:<hash>:scope@project`. Errors: `ValueError`, which omits it."""
    keys = []
    for number, entry in enumerate((one for one in text.split(",") if one.strip()), 1):
        try:
            keys.append(_parse_key(entry.strip()))
        except ValueError as error:
            raise ValueError(f"entry {number} {error}") from None
    return tuple(keys)


def _parse_key(entry: str) -> ConfiguredKey:
    hashed = entry.startswith(HASHED)
    key, _, may = entry.removeprefix(HASHED).partition(":")
    names, at, named = may.partition("@")
    scopes = parse_scopes(names.split("+")) if names else USUAL
    project = check_project_name(named) if at else None
    if not hashed:
        if len(key) < SHORTEST:
            raise ValueError(f"is shorter than {SHORTEST} characters; `agent-server keys create` makes a good one")
        return ConfiguredKey(hash_key(key), scopes, project)
    if len(key) != 64 or set(key) - set("0123456789abcdef"):
        raise ValueError("is no SHA-256 in 64 lower-case hexadecimal digits")
    return ConfiguredKey(key, scopes, project)
