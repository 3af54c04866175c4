"""JSON containment for SQLite, with the semantics of PostgreSQL's `jsonb @>`.

An object contains another if it has all of its members; an array contains another if each of that one's elements is
contained in one of its own (order and number do not matter); a scalar contains only its equal. As the one exception, a
top-level array contains a scalar that is in it. Source:
https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

_parsed = lru_cache(maxsize=256)(json.loads)
"""Cached, since the part is the same text for every row of a search."""


def json_contains(document: str | None, part: str | None) -> bool | None:
    """Return whether the JSON text `document` contains the JSON text `part`; None if either is None.

    Errors: ValueError if one of them is not JSON.
    """
    if document is None or part is None:
        return None
    whole, wanted = json.loads(document), _parsed(part)
    if isinstance(whole, list) and not isinstance(wanted, (dict, list)):
        wanted = [wanted]
    return _contains(whole, wanted)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _contains(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(_contains(item, wanted) for item in whole) for wanted in part)
    # In Python, True equals 1; in JSON it does not.
    return bool(whole == part) and isinstance(whole, bool) == isinstance(part, bool)
