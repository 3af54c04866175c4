"""JSON texts that would block the server are refused, and the decision itself is fast."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_server.asgi import json_size
from agent_server.asgi.json_codec import decode_body
from agent_server.asgi.json_size import ALWAYS_ALLOWED, BYTES_PER_NODE
from agent_server.errors import Invalid

LIMIT = 16 * 1024 * 1024
MOST = LIMIT // BYTES_PER_NODE
TEXT = st.text(st.sampled_from('ab"\\[{:,}]'), max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=30
)


def listed(piece: bytes, count: int) -> bytes:
    return b"[" + b",".join([piece] * count) + b"]"


def nodes(value: Any) -> int:
    """Count the arrays, objects and names in a value."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(nodes, value.values()))
    return 1 + sum(map(nodes, value)) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    "body",
    [
        listed(b"{}", LIMIT // 3 - 1),
        listed(b"[]", MOST + 1),
        listed(b'{"a":1}', MOST // 2 + 1),
        b"{" + b",".join(b'"%x":1' % number for number in range(MOST + 1)) + b"}",
        b"[" * (LIMIT // 2) + b"]" * (LIMIT // 2),
        b'{"":' * (LIMIT // 5),
        listed(rb'["\"",{}]', MOST),
    ],
    ids=["objects", "arrays", "small objects", "names", "deep arrays", "deep objects", "with strings"],
)
def test_body_of_many_nodes_is_refused(body: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(Invalid, match=f"more than {MOST:,} arrays, objects and names; send fewer, or raise"):
        decode_body(body, LIMIT)
    assert time.thread_time() - began < 1.5


@pytest.mark.parametrize(
    "body",
    [
        listed(b"1", LIMIT // 16),
        b'"' + b"[{:" * (LIMIT // 3 - 1) + b'"',
        b'"' + rb"\"" * (LIMIT // 2 - 1) + b'"',
        b'"' + rb"\\u0000" * (LIMIT // 7 - 1) + b'"',
        listed(b"{}", MOST - 1),
    ],
    ids=["numbers", "brackets in a string", "quotes", "backslashes", "as many objects as allowed"],
)
def test_large_body_of_few_nodes_is_decoded(body: bytes) -> None:
    began = time.thread_time()
    decode_body(body, LIMIT)
    assert time.thread_time() - began < 3


def test_higher_limit_allows_more_nodes() -> None:
    limit = BYTES_PER_NODE * 2 * ALWAYS_ALLOWED
    body = listed(b"[]", 2 * ALWAYS_ALLOWED)
    with pytest.raises(Invalid):
        decode_body(body, limit)
    assert len(decode_body(body, 2 * limit)) == 2 * ALWAYS_ALLOWED
    assert len(decode_body(listed(b"[]", ALWAYS_ALLOWED - 1), 3 * ALWAYS_ALLOWED)) == ALWAYS_ALLOWED - 1


@settings(deadline=None)
@given(JSON, st.integers(1, 9))
def test_nodes_are_counted_exactly(value: Any, piece: int) -> None:
    body, size = json.dumps(value).encode(), json_size.PIECE
    json_size.PIECE = piece
    try:
        count = nodes(value)
        assert not json_size._has_more_nodes(body, count)
        assert count == 0 or json_size._has_more_nodes(body, count - 1)
    finally:
        json_size.PIECE = size


@settings(deadline=None)
@given(st.text(st.sampled_from("\\\0u0a")), st.integers(1, 9))
def test_nul_is_found_in_every_piece(text: str, piece: int) -> None:
    size, json_size.PIECE = json_size.PIECE, piece
    try:
        assert json_size.has_nul(json.dumps(text).encode()) == ("\0" in text)
    finally:
        json_size.PIECE = size
