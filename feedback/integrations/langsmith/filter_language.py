"""LangSmith's filter language: `and(eq(feedback_key, "stars"), gt(feedback_score, 3))`.

Grammar (from its documentation, "Filter traces, advanced"): an expression is a call; its arguments are calls,
names, strings in single or double quotes, numbers, `true`, `false`, `null`, and lists in square brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from feedback.errors import Invalid

MAX_LENGTH = 10_000
MAX_DEPTH = 30
COMPARATORS = ("eq", "neq", "gt", "gte", "lt", "lte", "has", "in", "like", "search", "exists")
CONNECTIVES = ("and", "or", "not")
_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][\w.]*)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[(),\[\]]))"""
)
_CONSTANTS = {"true": True, "false": False, "null": None, "None": None, "True": True, "False": False}


class Name(Struct, frozen=True):
    """The name of a field."""

    text: str


class Call(Struct, frozen=True):
    """A connective over calls, or a comparison of a field with a value."""

    function: str
    arguments: tuple[Any, ...]


def parse_filter(text: str) -> Call:
    """Parse `text` into an expression. Errors: `Invalid`, with the position of the mistake."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"The filter has {len(text)} characters; at most {MAX_LENGTH} are read")
    return _Parser(text).parse_whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def parse_whole(self) -> Call:
        call = self._argument(0)
        if not isinstance(call, Call) or self._at < len(self._tokens):
            raise self._build_error('one call such as and(…) or eq(feedback_key, "stars")')
        return call

    def _argument(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Invalid(f"The filter is nested more than {MAX_DEPTH} deep")
        kind, value = self._take_next("a name, a value or a call")
        if kind == "name":
            if self._peek() == "(":
                return self._call(value, depth)
            return _CONSTANTS[value] if value in _CONSTANTS else Name(value)
        if kind == "mark":
            if value != "[":
                raise self._build_error("a name, a value or a call")
            return list(self._parse_several("]", depth))
        return value

    def _call(self, function: str, depth: int) -> Call:
        if function not in (*COMPARATORS, *CONNECTIVES):
            known = ", ".join((*CONNECTIVES, *COMPARATORS))
            raise Invalid(f"The filter calls {function!r}, which is none of {known}")
        self._take_next("(")
        return Call(function, tuple(self._parse_several(")", depth)))

    def _parse_several(self, end: str, depth: int) -> Iterator[Any]:
        if self._peek() == end:
            self._at += 1
            return
        while True:
            yield self._argument(depth + 1)
            _, mark = self._take_next(f"`,` or `{end}`")
            if mark == end:
                return
            if mark != ",":
                raise self._build_error(f"`,` or `{end}`")

    def _peek(self) -> Any:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def _take_next(self, wanted: str) -> tuple[str, Any]:
        if self._at >= len(self._tokens):
            raise Invalid(f"The filter ends where {wanted} should be: {self._text[-100:]!r}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _build_error(self, wanted: str) -> Invalid:
        return Invalid(f"The filter {self._text[:100]!r} is not readable; write {wanted}")


def _tokens(text: str) -> Iterator[tuple[str, Any]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        if (found := _TOKEN.match(text, at)) is None:
            raise Invalid(f"The filter is not readable at {text[at : at + 40]!r}")
        at = found.end()
        kind = found.lastgroup or ""
        part = found.group(kind)
        if kind == "number":
            yield kind, float(part) if re.search("[.eE]", part) else int(part)
        elif kind == "text":
            yield kind, re.sub(r"\\(.)", r"\1", part[1:-1])
        else:
            yield kind, part
