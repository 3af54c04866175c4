"""The feedback keys that an assistant gives to those of its runs that ask for none: `metadata.feedback_keys`.

Metadata, not `config`, since what stands in a config is handed to the graph.
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
    """Refuse metadata whose `feedback_keys` no run could take. `Invalid`."""
    try:
        msgspec.convert(metadata or {}, _Defaults)
    except ValidationError as error:
        raise Invalid(
            f"{error}: an assistant's metadata.feedback_keys are the keys that its runs have where they name none, "
            'such as ["user_liked", "user_disliked"]'
        ) from None


def default_keys(metadata: str) -> list[str] | None:
    """The default keys in an assistant's metadata, as its row has them."""
    if "feedback_keys" not in metadata:
        return None
    try:
        return _decoder.decode(metadata).feedback_keys
    except ValidationError:  # of a row that is older than the check
        return None
