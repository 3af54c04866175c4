"""Decoding of request bodies into structs.

Litestar calls the request's `json()`; `FeedbackRequest` returns the struct that the handler's `data` declares, decoded
strictly in one step. Submissions to a presigned URL may also be a form (of either kind) or plain text (a browser's
`sendBeacon`): the content decides, so that a wrong `Content-Type` loses no submission.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.datastructures import State
from msgspec import inspect
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartParser,
    parse_options_header,
)

from feedback.errors import FeedbackError, Invalid
from feedback.schema import FeedbackSubmission
from feedback.validation import check_text

MULTIPART = "multipart/form-data"


MAX_PARTS = 100_000
"""More than a body of the maximum size can have with feedback in each."""


def parse_parts(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each part. Errors: `Invalid`."""
    kind, options = parse_options_header(content_type)
    if kind != MULTIPART or not options.get("boundary"):
        raise Invalid("The body is not multipart/form-data with a boundary")
    memory = len(body) + 1
    try:
        for part in MultipartParser(
            BytesIO(body), options["boundary"], part_limit=MAX_PARTS, spool_limit=memory, memory_limit=memory
        ):
            yield part.name, part.raw
    except (MultipartError, ValueError) as error:
        raise Invalid(f"The body is not readable as multipart/form-data: {error}") from None


_STEP = re.compile(r"\[[^\]]*\]|\w+")


def describe_choices(kind: Any, path: str = "") -> str:
    """Return `; send one of …` if the field at msgspec's `path` in `kind` is an enumeration, else an empty text."""
    values = _values(inspect.type_info(kind), _STEP.findall(path))
    return f"; send one of {', '.join(map(str, values))}" if values else ""


def _values(kind: inspect.Type, steps: list[str]) -> tuple[object, ...]:
    if isinstance(kind, inspect.UnionType):
        return next((found for one in kind.types if (found := _values(one, steps))), ())
    if isinstance(kind, inspect.ListType):
        return _values(kind.item_type, steps[1:])
    if isinstance(kind, inspect.StructType) and steps:
        field = next((one for one in kind.fields if one.encode_name == steps[0]), None)
        return _values(field.type, steps[1:]) if field else ()
    return kind.values if isinstance(kind, inspect.LiteralType) and not steps else ()


FORM = "application/x-www-form-urlencoded"
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_NAMES = frozenset(FeedbackSubmission.__struct_fields__)


class FeedbackRequest(Request[Any, Any, State]):
    """A request whose body is decoded to the type that its handler declares."""

    async def json(self) -> Any:
        """Return the body as the type of the handler's `data`. Errors: `Invalid`."""
        body = await self.body()
        wanted = self.route_handler.parsed_data_field
        if wanted is None:
            raise Invalid("This address takes no body")
        if (coding := self.headers.get("content-encoding", "identity")) != "identity":
            raise Invalid(f"The body is compressed ({coding[:20]}); send it as it is")
        if self._is_form(body):
            return parse_form_submission(self._fields(body))
        return decode(body, wanted.annotation)

    def _is_form(self, body: bytes) -> bool:
        if self.route_handler.opt.get("feedback_takes_forms") is not True or body.lstrip()[:1] in (b"{", b"["):
            return False
        return self.headers.get("content-type", "").startswith((FORM, MULTIPART)) or b"=" in body

    def _fields(self, body: bytes) -> list[tuple[str, str]]:
        kind = self.headers.get("content-type", "")
        if kind.startswith(MULTIPART):
            return [(name, _text(content)) for name, content in parse_parts(kind, body)]
        return parse_qsl(_text(body), keep_blank_values=True)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(body: bytes, kind: Any) -> Any:
    """Decode `body` as `kind`. Errors: `Invalid`, with the field and its expected type."""
    try:
        value = _decoder(kind).decode(body)
        _check_fields(body, kind)
        return value
    except msgspec.ValidationError as error:
        raise Invalid(_explain_invalid(str(error), kind)) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _explain_malformed(body, error) from None
    except RecursionError:
        raise Invalid("The body is nested too deep; send a flatter one") from None


def _check_fields(body: bytes, kind: Any) -> None:
    """Reject an object whose fields are all unknown to `kind`: a misspelt field must not look like success."""
    for name in _list_quoted_fields(kind):
        if name in body:
            return
    if not (known := _list_fields(kind)):
        return
    sent = msgspec.json.decode(body)
    if isinstance(sent, dict) and sent and not sent.keys() & known.keys():
        named = ", ".join(repr(name[:60]) for name in list(sent)[:3])
        raise Invalid(f"The body has no known field, only {named}; it may have {', '.join(sorted(known))}")


@cache
def _list_fields(kind: Any) -> Mapping[str, None]:
    """Return the names of the fields, in the order of their declaration: the first ones are sent most."""
    found = inspect.type_info(kind)
    types = found.types if isinstance(found, inspect.UnionType) else (found,)
    return dict.fromkeys(
        field.encode_name for one in types if isinstance(one, inspect.StructType) for field in one.fields
    )


@cache
def _list_quoted_fields(kind: Any) -> tuple[bytes, ...]:
    return tuple(b'"%b"' % name.encode() for name in _list_fields(kind))


def _explain_invalid(message: str, kind: Any) -> str:
    what, _, where = message.partition(" - at `$")
    field = where.rstrip("`").lstrip(".")
    if what.startswith("Invalid enum value"):
        what += describe_choices(kind, field)
    return f"`{field}`: {what}" if field else f"The body is not what this address takes: {what}"


def _explain_malformed(body: bytes, error: Exception) -> FeedbackError:
    """Return an error that explains why the body is not JSON and how to fix it."""
    try:
        loose = json.loads(_text(body), parse_constant=_no_constant)
        _check_strings(loose, "")
    except FeedbackError as reason:
        return reason
    except (ValueError, RecursionError):
        pass
    return Invalid(f'The body is not JSON ({error}); send an object such as {{"score": 1}}')


def _no_constant(name: str) -> None:
    raise Invalid(f"The body holds {name}, which JSON does not have; send a finite number or null")


def _check_strings(value: Any, path: str) -> None:
    if isinstance(value, str):
        check_text(path, value, len(value) * 4)
    elif isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check_strings(name, path)
            _check_strings(item, f"{path}.{name}".lstrip("."))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"The body is not UTF-8 (byte {error.start}); send text encoded as UTF-8") from None


def parse_form_submission(fields: Sequence[tuple[str, str]]) -> FeedbackSubmission:
    """Return the submission in a form's fields, which may repeat, as `value` does for several ticked categories."""
    submission = build_submission(dict(fields))
    several = [_parse_typed(text) for name, text in fields if name == "value" and text != ""]
    if len(several) > 1:
        submission.value = several
    return submission


def build_submission(fields: Mapping[str, str]) -> FeedbackSubmission:
    """Return the submission in a link's query or a form; text gets LangSmith's types. Errors: `Invalid`."""
    given = {name: text for name, text in fields.items() if name in _NAMES and text != ""}
    return FeedbackSubmission(
        score=_score(given["score"]) if "score" in given else None,
        value=_parse_typed(given["value"]) if "value" in given else None,
        correction=_object(given["correction"]) if "correction" in given else None,
        metadata=_metadata(given["metadata"]) if "metadata" in given else None,
        scale=_scale(given["scale"]) if "scale" in given else None,
        comment=given.get("comment"),
        user_id=given.get("user_id"),
        id=given.get("id"),
    )


def _parse_typed(text: str) -> bool | int | float | str:
    """Return the text as a number, as true or false, or unchanged; the first that fits."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if (match := _NUMBER.fullmatch(text)) and len(text) < 64:
        return float(text) if match[1] or match[2] else int(text)
    return text


def _score(text: str) -> bool | int | float:
    if isinstance(score := _parse_typed(text), str):
        raise Invalid(f"`score` is {text[:60]!r}; send a number, or true or false")
    return score


def _scale(text: str) -> list[int | float]:
    ends = [_parse_typed(end.strip()) for end in text.split(",")]
    numbers = [end for end in ends if isinstance(end, (int, float)) and not isinstance(end, bool)]
    if len(numbers) != len(ends):
        raise Invalid(f"`scale` is {text[:60]!r}; send the ends of the scale, such as 1,5")
    return numbers


def _object(text: str) -> dict[str, Any] | str:
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict) else text


def _metadata(text: str) -> dict[str, Any]:
    if isinstance(found := _object(text), str):
        raise Invalid('`metadata` is not a JSON object; send one such as {"page": "checkout"}, URL-encoded')
    return found
