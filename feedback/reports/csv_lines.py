"""CSV lines: feedback for spreadsheets, written from rows of the database without an object for each.

An apostrophe is put before a cell that looks like a formula (OWASP, "CSV Injection"). A cell with a comma, a quotation
mark or a line break is quoted (RFC 4180). `csv.writer`, which looks at each character of each cell, would take a
third of an export's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from feedback.configs.kind_lookup import UNKNOWN
from feedback.configs.kinds import KeyKind
from feedback.reports.reviewed_rows import Names, Tuple
from feedback.rows import decode_json, encode_json
from feedback.validation import from_micros

CSV_COLUMNS = (
    "id", "created_at", "modified_at", "run_id", "thread_id", "assistant_id", "assistant_version", "key", "score",
    "value", "comment", "correction", "source", "subject", "metadata", "review_status", "review_note",
    "assistant_name", "kind", "is_positive", "reasons", "run_metadata",
)  # fmt: skip
HEAD = ",".join(CSV_COLUMNS).encode() + b"\r\n"
FORMULA_STARTS = "=+-@\t\r\n"


def write_csv(rows: Sequence[Tuple], names: Names) -> bytes:
    """Return a line of `CSV_COLUMNS` for each row of `reviewed_rows.COLUMNS`."""
    kinds, assistants, metadata_of = names.kinds, names.assistants, names.metadata
    moods: dict[tuple[str, float | None], str] = {}
    lines: list[str] = []
    for row in rows:
        (
            feedback_id, created_at, modified_at, run_id, _, _, _, key, number, score,
            value, comment, correction, source, metadata, subject, _, _,
            _, thread_id, assistant_id, assistant_version, _, _,
            review_status, review_note, _, _, _,
        ) = row  # fmt: skip
        created = from_micros(created_at)
        if (mood := moods.get((key, number))) is None:
            mood = moods[key, number] = _write_mood(kinds.get(key, UNKNOWN), number)
        data, reasons = _write_metadata(metadata) if metadata else ("", "")
        run = metadata_of.get(run_id) if metadata_of else None
        lines.append(
            f"{feedback_id},{created},{created if modified_at == created_at else from_micros(modified_at)},"
            f"{_write_text(run_id)},{_write_text(thread_id)},{_write_name(assistant_id)},"
            f"{'' if assistant_version is None else assistant_version},{_write_name(key)},{_write_score(score)},"
            f"{_write_json(value)},{_write_text(comment)},{_write_json(correction)},{_write_name(source)},"
            f"{_write_text(subject)},{data},{review_status or 'new'},{_write_text(review_note)},"
            f"{_write_name(assistants.get(assistant_id))},{mood},{reasons},"
            f"{_write_text(encode_json(run)) if run else ''}\r\n"
        )
    return "".join(lines).encode()


def read_reasons(metadata: Mapping[str, Any] | None) -> list[str]:
    """Return the reasons in the submission's metadata, as `<feedback-buttons>` sends them."""
    reasons = (metadata or {}).get("reasons")
    return [reason for reason in reasons if isinstance(reason, str)] if isinstance(reasons, list) else []


def _write_text(text: str | None) -> str:
    """Return the cell of a text, safe from evaluation as a formula."""
    if not text:
        return ""
    if text[0] in FORMULA_STARTS:
        text = f"'{text}"
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


_write_name = lru_cache(maxsize=1024)(_write_text)
"""The same for texts of which an export has few different ones."""


def _write_json(text: str | None) -> str:
    """Return the cell of stored JSON: a number unchanged, of a text its content."""
    return "" if text is None else _write_value(decode_json(text))


_write_score = lru_cache(maxsize=1024)(_write_json)


def _write_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return _write_text(value if value is None or isinstance(value, str) else encode_json(value))


def _write_metadata(text: str) -> tuple[str, str]:
    """Return the cells of stored metadata and of the reasons in it."""
    metadata = decode_json(text)
    return _write_value(metadata or None), _write_text("; ".join(read_reasons(metadata)))


def _write_mood(kind: KeyKind, number: float | None) -> str:
    """Return the cells of a kind and of whether a score is positive."""
    return f"{kind.name},{_write_value(kind.is_positive(number))}"
