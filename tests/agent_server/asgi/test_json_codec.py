"""Any value is encoded as JSON; JSON is decoded only if a store could return it unchanged."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import re
import types
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from agent_server.asgi.json_codec import MAX_DEPTH, decode_body, encode
from agent_server.errors import Invalid, TooLarge

LIMIT = 4 * 1024 * 1024


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    """A subclass of `str`, as `AIMessage.text` is."""


class Number(int):
    pass


class Fraction(float):
    pass


class Blob(bytes):
    pass


@dataclasses.dataclass
class Note:
    text: str
    tags: dict[Any, Any]


class Model(pydantic.BaseModel):
    anything: Any = None


class Record(msgspec.Struct):
    anything: Any = None


class Hostile:
    """Raises on any access."""

    def model_dump(self) -> Any:
        raise RuntimeError("no fields")

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Bottomless:
    """Has itself as a field, so it nests without end."""

    def model_dump(self) -> Any:
        return {"next": Bottomless()}


class Row:
    def _asdict(self) -> dict[str, int]:
        return {"a": 1}


class Array:
    """Has `tolist`, as NumPy's arrays and scalars do."""

    def tolist(self) -> list[float]:
        return [1.0, 2.0]


def round_trip(value: Any) -> Any:
    """Encode the value, check that it is one line of UTF-8, and return what a reader decodes."""
    text = encode(value)
    assert b"\n" not in text
    assert b"\r" not in text
    return json.loads(text.decode("utf-8"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [None, True, "é"]}, {"b": 1, "a": [None, True, "é"]}),
        ((1, (2, 3)), [1, [2, 3]]),
        ({7}, [7]),
        (frozenset("a"), ["a"]),
        (collections.deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ({"k": 1}.keys(), ["k"]),
        (Point(1, 2), [1, 2]),
        (Row(), {"a": 1}),
        (Array(), [1.0, 2.0]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.UserDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({7: "a", 2.5: "b", None: "c", True: "d"}, {"7": "a", "2.5": "b", "null": "c", "true": "d"}),
        ({Colour.RED: 1, uuid.UUID(int=0): 2}, {"red": 1, str(uuid.UUID(int=0)): 2}),
        ({(1, 2): {3}}, {"(1, 2)": [3]}),
        ({Text("k"): 1, Number(3): 2}, {"k": 1, "3": 2}),
        (math.nan, None),
        (math.inf, None),
        (2**64, 2**64),
        (-(2**200), -(2**200)),
        (Text("text"), "text"),
        (Number(3), 3),
        (Fraction(0.5), 0.5),
        (Blob(b"\xff"), "/w=="),
        (b"\x00\xff", "AP8="),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2026-01-02T03:04:05Z"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.50"), "1.50"),
        (Colour.RED, "red"),
        (Colour.PAIR, [1, 2]),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (ValueError("no"), {"error": "ValueError", "message": "no"}),
        (Note("a", {"b": {1}}), {"text": "a", "tags": {"b": [1]}}),
        (Model(anything=Model(anything={1})), {"anything": {"anything": [1]}}),
        (Record(anything=Model(anything=1)), {"anything": {"anything": 1}}),
        (pydantic.SecretStr("hidden"), "**********"),
        (1j, "1j"),
        (int, "<class 'int'>"),
        (Model, f"<class '{__name__}.Model'>"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ({"\udfff": ["\ud800"]}, {"\ufffd": ["\ufffd"]}),
        (ValueError("\ud800"), {"error": "ValueError", "message": "\ufffd"}),
        ("\u2028\x00\r\n", "\u2028\x00\r\n"),
        (msgspec.Raw(b'{"a":1}'), {"a": 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_is_encoded_as_close_as_possible(value: Any, expected: Any) -> None:
    assert round_trip(value) == expected


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("hi", id="1"),
        AIMessage("", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "c"}]),
        AIMessageChunk(content="to"),
        ToolMessage("done", tool_call_id="c", artifact={"any": "thing"}),
    ],
    ids=lambda message: message.type,
)
def test_message_is_written_as_its_fields(message: Any) -> None:
    assert round_trip({"messages": [message]}) == {"messages": [message.model_dump()]}
    assert round_trip([message, "\ud800"]) == [message.model_dump(), "\ufffd"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: Note("\ud800", {(1, 2): value}),
        lambda value: Note("\ud800", {(1, 2): Model(anything={(1,): value})}),
    ],
    ids=["dataclass", "model in dataclass"],
)
def test_odd_keys_and_surrogates_spoil_nothing_around_them(wrap: Callable[[Any], Any]) -> None:
    day = datetime.date(2026, 1, 2)
    got = round_trip([wrap([day, Record(anything=Colour.RED), b"x", Text("t")]), "after"])
    assert got[0]["text"] == "\ufffd"
    assert '["2026-01-02", {"anything": "red"}, "eA==", "t"]' in json.dumps(got[0])
    assert got[1] == "after"


def test_raising_object_leaves_its_neighbours_intact() -> None:
    got = round_trip({"hostile": Hostile(), Hostile(): 1, "rest": [1, Hostile()]})
    assert got == {"hostile": "<Hostile>", "<Hostile>": 1, "rest": [1, "<Hostile>"]}
    assert round_trip(Hostile()) == "<Hostile>"


def test_object_without_fields_is_written_as_its_text() -> None:
    assert re.fullmatch(r"<object object at 0x\w+>", round_trip(object()))


def test_huge_integer_is_encoded_in_hexadecimal() -> None:
    assert round_trip([-(10**5000)]) == [hex(-(10**5000))]


def test_generator_is_not_taken_from_the_graph() -> None:
    numbers = iter([1, 2])
    assert isinstance(round_trip({"numbers": numbers}), dict)
    assert list(numbers) == [1, 2]


def test_recursive_value_is_cut() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    assert round_trip(ring) == [1, "…"]
    note = Note("a", {})
    note.tags["self"] = note
    assert round_trip({"note": note, "again": note}) == {
        "note": {"text": "a", "tags": {"self": "…"}},
        "again": {"text": "a", "tags": {"self": "…"}},
    }
    model = Model()
    model.anything = [model]
    assert "Model" in json.dumps(round_trip(model)) or "…" in json.dumps(round_trip(model), ensure_ascii=False)


def test_bottomless_value_is_cut() -> None:
    assert "…" in json.dumps(round_trip(Bottomless()), ensure_ascii=False)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "…" in json.dumps(round_trip(deep), ensure_ascii=False)


def test_mutual_references_are_encoded_in_bounded_time() -> None:
    people: list[dict[str, Any]] = [{"name": str(n)} for n in range(12)]
    for one in people:
        one["friends"] = list(people)
    assert round_trip(people)[0]["name"] == "0"


def test_slow_encoder_writes_large_values_completely() -> None:
    tags = ["a", "b"]
    large = {"documents": [{"id": n, "tags": tags} for n in range(60_000)], "text": "\ud800"}
    got = round_trip(large)
    assert got == {**large, "text": "\ufffd"}


def test_encoding_near_the_stack_limit_does_not_raise() -> None:
    ring: list[Any] = []
    ring.append(ring)

    def descend() -> int:
        try:
            return descend()
        except RecursionError:
            return len(encode(ring))

    assert descend()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.decimals(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.builds(Model, anything=inner)
        | st.builds(Record, anything=inner)
        | st.builds(lambda value: Note("", {"value": value}), inner)
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.tuples(st.integers()) | st.none(), inner)
    ),
)


@settings(deadline=None)
@given(JSON)
def test_every_json_value_comes_back_as_it_was(value: Any) -> None:
    assert round_trip(value) == value


@settings(deadline=None)
@given(ANYTHING)
def test_anything_is_written_as_one_line_of_json(value: Any) -> None:
    round_trip(value)


# Decoding: `decode_body`.


@settings(deadline=None)
@given(JSON)
def test_every_json_value_without_nul_is_taken(value: Any) -> None:
    text = json.dumps(value).encode()
    if rb"\u0000" not in text:
        decode_body(text, LIMIT)
        decode_body(json.dumps(value, ensure_ascii=False, indent=1).encode(), LIMIT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        rb'{"a":"\\u0000"}',
        rb'{"a":"\\\\u0000 \\\\\\u0000"}',
        rb'{"a":"\ud83d\ude00"}',
        b'{"a":"' + b"[{" * 1000 + b'"}',
        rb'{"a":"\"[[[","b":"' + b"[" * 1000 + b'"}',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH,
        b"[" + b"[],{}," * 10_000 + b"[]]",
        b'{"a":1e308,"b":-1e-400,"c":' + b"9" * 400 + b"}",
    ],
    ids=lambda body: ascii(body)[:30],
)
def test_body_that_can_be_kept_is_taken(body: bytes) -> None:
    decode_body(body, LIMIT)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (rb'{"a":"\u0000"}', "NUL"),
        (rb'{"a":"x\\\u0000"}', "NUL"),
        (rb'{"\u0000":1}', "NUL"),
        (b'{"a":"\x00"}', "Invalid JSON"),
        (b'{"a":"\xff"}', r"not UTF-8 \(byte 6\)"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}', "not UTF-8"),
        (b'{"a":"\xc0\x80"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (rb'{"a":"\ud800"}', r"Invalid JSON.*\\ud800 \(byte 6\) is half of a surrogate pair"),
        (rb'{"a":"\ude00\ud83d"}', r"Invalid JSON.*\\ude00 \(byte 6\) is half"),
        (rb'{"a":"\ud83d\ude00\ud83d"}', r"Invalid JSON.*\\ud83d \(byte 18\) is half"),
        (rb'{"a":"\\ud800\uDC00"}', r"Invalid JSON.*\\uDC00 \(byte 13\) is half"),
        (b'{"a":NaN}', r"Invalid JSON.*NaN \(byte 5\) is no number in JSON; send null"),
        (b'{"a":Infinity}', r"Invalid JSON.*Infinity \(byte 5\)"),
        (b'{"a":-Infinity}', r"Invalid JSON.*Infinity \(byte 6\)"),
        (b'{"a":1e999}', "Invalid JSON.*out of range"),
        (b'{"a":' + b"9" * 5000 + b"}", "Invalid JSON.*out of range"),
        (b'{"a":1', "Invalid JSON.*ends in the middle; close"),
        (b'{"a":1}}', "Invalid JSON"),
        (b"a=1&b=2", "Invalid JSON"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "more than 128 levels"),
        (b'[{"a":' * 65 + b"1" + b"}]" * 65, "more than 128 levels"),
        (b"[" * 1_000_000, "more than"),
        (b'{"a":' * 500_000, "more than"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_unstorable_body_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        decode_body(body, LIMIT)


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b"a" * 1_000_000,
        b'"' + rb"\"" * 1_000_000,
        b'"' + rb"\"" * 1_000_000 + b"\\",
        b'"' + b"\\" * 1_000_001,
        b'"' + rb"\\u0000" * 300_000,
        b'["' * 1_000_000,
        b'"\\' * 1_000_000,
        b'"' + rb"\ud83d\ude00" * 200_000,
    ],
    ids=lambda body: ascii(body)[:12],
)
def test_megabyte_of_broken_strings_is_refused_quickly(body: bytes) -> None:
    with pytest.raises(Invalid):  # quadratic time would run into the suite's time limit
        decode_body(body, LIMIT)


def test_oversized_body_is_refused_unread() -> None:
    decode_body(b"[1]", 3)
    with pytest.raises(TooLarge, match=r"4 bytes.*at most 3"):
        decode_body(b"\xff\xff\xff\xff", 3)
