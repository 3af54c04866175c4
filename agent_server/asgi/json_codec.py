"""JSON encoding and decoding.

Encoding never fails for values that a graph put into its state: values that JSON cannot represent are written as
closely as possible (a Pydantic model as its fields, a set as a list, an exception as its text, a lone surrogate as
U+FFFD). Decoding is strict, and applies only to requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

from agent_server.asgi.json_size import check_nodes, has_nul
from agent_server.errors import Invalid, TooLarge

MAX_DEPTH = 128
"""The maximum nesting of arrays and objects in a request: deeper than any real input, far from Python's own limit."""


def encode(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON on one line (a `msgspec.Raw` in it is copied). Never raises.

    NaN and the infinities become `null`, bytes base64, a named tuple an array.
    """
    try:
        return _encoder.encode(value)
    except Exception:  # any error from methods of a graph's own objects
        return _encode_tamed(value)


def _convert_unknown(value: Any) -> Any:
    """Convert a value unknown to msgspec to one that JSON can represent. Raises what the value's methods raise."""
    if not isinstance(value, type):
        for method in ("model_dump", "dict", "_asdict", "tolist"):  # Pydantic 2 and 1, rows, arrays
            if callable(dump := getattr(value, method, None)):
                return dump()
    if value is None or isinstance(value, bool):  # only for the keys of a dict
        return {None: "null", True: "true", False: "false"}[value]
    for kind, exact in _SUBCLASSED:
        if isinstance(value, kind):
            return exact(value)
    if type(value).__name__ == "Send" and type(value).__module__.startswith("langgraph."):
        return {"node": value.node, "args": value.arg}  # as the official server writes it
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": str(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection):  # not every iterable: iterating a generator would consume it for the graph
        return list(value)
    return str(value)


_SUBCLASSED: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, bytes.__bytes__),
)
"""Types of which msgspec knows all but subclasses, and how to get such an object's underlying value."""

_encoder = msgspec.json.Encoder(enc_hook=_convert_unknown)


def _encode_tamed(value: Any) -> bytes:
    """As `encode`, more slowly: encodes a copy in which everything is plain."""
    try:
        return _encoder.encode(_Taming().tame(value, MAX_DEPTH))
    except Exception:  # such as almost no stack left
        return _encoder.encode(_text(value))


_AS_THEY_ARE = (bytes, bytearray, memoryview, date, time, timedelta, Decimal, UUID, msgspec.Raw)
"""Leaf types that msgspec writes whatever they contain."""

_CUT = "…"
"""Replaces values that are too deep, contain themselves, or exceed the limits."""


class _Taming:
    """One traversal of a value, which always ends."""

    REPEATS_UNTIL = 10_000
    """Containers opened before none is opened a second time, if a value contains itself: objects that all refer to each
    other have too many paths to write."""
    ENDS_AT = 2_000_000
    """The maximum number of containers opened, for objects that create new ones at every access."""

    def __init__(self) -> None:
        self._above: set[int] = set()
        self._round = False
        """Whether the traversal met a value that contains itself."""
        self._count = 0
        self._seen: dict[int, object] = {}
        """All opened values, by `id`; kept alive, so that no other object gets the same id."""

    def tame(self, value: Any, depth: int) -> Any:
        """Return a copy with string keys, no lone surrogates, and at most `depth` levels."""
        if isinstance(value, Enum):
            value = value.value
        if value is None or isinstance(value, (bool, float, *_AS_THEY_ARE)):
            return value
        if isinstance(value, str):
            return _repair_surrogates(value)
        if isinstance(value, int):
            return int(value) if value.bit_length() < 8192 else hex(value)  # str() refuses more than 4,300 digits
        if depth == 0 or self._has_enough(value):
            return _CUT
        self._above.add(id(value))
        try:
            return self._convert_and_tame(value, depth - 1)
        except Exception:  # from the value's own methods; its siblings are still written
            return _text(value)
        finally:
            self._above.discard(id(value))

    def _has_enough(self, value: Any) -> bool:
        if id(value) in self._above:
            self._round = True
            return True
        repeated = id(value) in self._seen
        self._seen[id(value)] = value
        self._count += 1
        return self._count > self.ENDS_AT or (repeated and self._round and self._count > self.REPEATS_UNTIL)

    def _convert_and_tame(self, value: Any, depth: int) -> Any:
        if isinstance(value, msgspec.Struct):
            value = msgspec.structs.asdict(value)
        elif is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name) for field in fields(value)}
        if isinstance(value, Mapping):
            return {_key(key): self.tame(item, depth) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.tame(item, depth) for item in value]
        return self.tame(_convert_unknown(value), depth)


def _key(key: Any) -> str:
    """Return the JSON name of a dict's key: msgspec's, if it has one."""
    if not isinstance(key, str):
        try:
            [key] = msgspec.to_builtins({key: None}, str_keys=True, enc_hook=_convert_unknown)
        except Exception:
            return _text(key)
    return _repair_surrogates(key)


def _text(value: Any) -> str:
    try:
        return _repair_surrogates(str(value))
    except Exception:
        return f"<{type(value).__name__}>"


def _repair_surrogates(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def decode_body(body: bytes, limit: int) -> Any:
    """Return the value of a JSON text; None for an empty one: the endpoint decides whether a body is required.

    Errors: `TooLarge`; `Invalid` for input that no store could return unchanged: not UTF-8, malformed (including NaN
    and lone surrogates), numbers beyond a float's range, NUL characters, too deep, or with too many arrays, objects and
    names.
    """
    if len(body) > limit:
        raise TooLarge(f"The request body has {len(body):,} bytes; this server takes at most {limit:,}")
    if not body:
        return None
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The request body is not UTF-8 (byte {error.start}); send JSON encoded as UTF-8") from None
    if has_nul(body):
        raise Invalid("The request body has a NUL character (\\u0000) in a string; leave it out")
    check_nodes(body, limit)
    value = _decode(body)
    if _depth(value) > MAX_DEPTH:
        raise _too_deep()
    return value


def _too_deep() -> Invalid:
    return Invalid(f"The request body is nested more than {MAX_DEPTH} levels deep; send a flatter one")


_NO_NUMBER = re.compile(rb"NaN|Infinity")
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)
"""One escape in a string, or a surrogate pair of two; the group matches a lone surrogate."""


def _describe_malformed(body: bytes, error: str) -> str:
    """Describe the error in a JSON text and the valid form, if msgspec's message is unclear."""
    place = re.search(r"\(byte (\d+)\)", error)
    if place and (word := _NO_NUMBER.match(body, int(place[1]))):
        return f"{word[0].decode()} (byte {word.start()}) is no number in JSON; send null instead"
    if lone := next((escape for escape in _ESCAPE.finditer(body) if escape[1]), None):
        half = lone[0].decode(errors="replace")
        return f"{half} (byte {lone.start()}) is half of a surrogate pair; send both halves, or the character itself"
    if "truncated" in error:
        return "it ends in the middle; close every string, array and object"
    return f"{error.removeprefix('JSON is malformed: ')}; send one JSON text, as RFC 8259 describes it"


def _decode(body: bytes) -> Any:
    # Decode all of it, since msgspec does not check numbers in what it passes on as `Raw`.
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Invalid(f"Invalid JSON in request body: {_describe_malformed(body, str(error))}") from None
    except RecursionError:
        raise _too_deep() from None


def _depth(value: Any) -> int:
    """Return the maximum nesting of arrays and objects."""
    level = [value] if isinstance(value, (dict, list)) else []
    depth = 0
    while level:
        depth += 1
        items = (item for one in level for item in (one.values() if isinstance(one, dict) else one))
        level = [item for item in items if isinstance(item, (dict, list))]
    return depth
