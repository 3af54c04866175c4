"""The default feedback keys of an assistant's runs: `metadata.feedback_keys`.

They are in metadata, not in `config`, because graphs receive all of `config`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, ValidationError

from agent_server.errors import Invalid
from agent_server.schema import FeedbackKeys


class _Defaults(Struct):
    feedback_keys: FeedbackKeys | None = None


_decoder = msgspec.json.Decoder(_Defaults)


def check_default_keys(metadata: dict[str, Any] | None) -> None:
    """Raise `Invalid` for metadata whose `feedback_keys` are no valid keys for a run."""
    try:
        msgspec.convert(metadata or {}, _Defaults)
    except ValidationError as error:
        raise Invalid(
            f"{error}: an assistant's metadata.feedback_keys are the keys that its runs have where they name none, "
            'such as ["user_liked", "user_disliked"]'
        ) from None


def default_keys(metadata: str) -> list[str] | None:
    """Return the default keys from an assistant's metadata, given as JSON; None where it has none."""
    if "feedback_keys" not in metadata:
        return None
    try:
        return _decoder.decode(metadata).feedback_keys
    except ValidationError:  # in a row older than the check
        return None
