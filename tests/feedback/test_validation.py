"""Times and ids that lists and exports convert for each row."""

from __future__ import annotations

from datetime import timedelta

import pytest

from feedback.validation import EPOCH, from_micros, is_id

DAY = 86_400_000_000
TIMES = [0, -1, 1, 59_999_999, 60_000_000, DAY - 1, DAY, -DAY - 1, 1_763_774_169_109_934, -62_135_596_800_000_000]


@pytest.mark.parametrize("micros", TIMES)
def test_times_have_all_six_digits(micros: int) -> None:
    assert from_micros(micros) == (EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("018f0000-0000-7000-8000-000000000001", True),
        ("018F0000-0000-7000-8000-00000000000A", True),
        ("urn:uuid:018f0000-0000-7000-8000-000000000001", True),
        ("018f0000-0000-7000-8000-000000000001\n", False),
        ("018f0000-0000-7000-8000-00000000000g", False),
        ("run 1", False),
        (None, False),
    ],
)
def test_ids_are_known_in_every_spelling(text: str | None, is_one: bool) -> None:
    assert is_id(text) is is_one
