"""JSON, as the server reads and writes it.

Writing never fails for something that a graph put into its state: what JSON cannot say is written as near as it can
be (a Pydantic model as its fields, a set as a list, an exception as its text, a lone surrogate as U+FFFD). Reading is
strict and happens at the door only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from agent_server.errors import Invalid, TooLarge

MAX_DEPTH = 128
"""How deep arrays and objects may be nested in a request: deeper than any real input, far from Python's own limit."""


def _plain(value: Any) -> Any:
    """What JSON can say of a value that msgspec does not know."""
    if callable(dump := getattr(value, "model_dump", None)):
        return dump()
    if callable(dump := getattr(value, "_asdict", None)):
        return dump()
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": str(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def encode(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON on one line."""
    try:
        return _encoder.encode(value)
    except (TypeError, UnicodeEncodeError, ValueError, msgspec.MsgspecError):
        return _encoder.encode(_tame(value, MAX_DEPTH))


def _tame(value: Any, depth: int) -> Any:
    """A copy of `value` with string keys, no lone surrogates and no endless depth: the slow road of `encode`."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, (bool, int, float, msgspec.Raw)):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {_tame(str(key), 1): _tame(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_tame(item, depth - 1) for item in value]
    return _tame(msgspec.to_builtins(value, enc_hook=_plain, str_keys=True), depth - 1)


_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def check_body(body: bytes, limit: int) -> None:
    """Refuse what no store could give back as it came: too large, too deep, not UTF-8, or with NUL characters in it.

    The rest (malformed JSON, NaN, lone surrogates, wrong types) is refused where the body is decoded.
    """
    if len(body) > limit:
        raise TooLarge(f"The request body has {len(body):,} bytes; this server takes at most {limit:,}")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The request body is not UTF-8 (byte {error.start}); send JSON encoded as UTF-8") from None
    if b"\\u0000" in body and _ESCAPED_NUL.search(body):
        raise Invalid("The request body has a NUL character (\\u0000) in a string; leave it out")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise Invalid(f"The request body is nested more than {MAX_DEPTH} levels deep; send a flatter one")


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        token = match[0]
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest
