"""The authenticated user of a request, and later of its runs, as returned by the application's `@auth.authenticate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from agent_server.agents.user import User
from agent_server.config.api_keys import check_project_name

_NAMED = ("identity", "display_name", "is_authenticated", "permissions")


class Caller(Struct, frozen=True):
    """The user of a request."""

    user: User

    @property
    def identity(self) -> str:
        """Return the user's identity."""
        return str(self.user.identity)

    @property
    def permissions(self) -> Sequence[str]:
        """Return the permissions that the application gives the user."""
        return list(self.user.permissions or ())

    @property
    def feedback_project(self) -> str | None:
        """Return the project of feedback on the user's runs, if the application sets one. (A user's `project`, which
        many applications have, may be anything.) Errors: `TypeError` for an invalid project name.
        """
        if (named := self.user.get("feedback_project")) is None:
            return None
        try:
            return check_project_name(named)
        except (TypeError, ValueError):
            raise TypeError(
                f"@auth.authenticate returned the feedback_project {named!r:.80}, no project's name"
            ) from None

    def as_json(self) -> str:
        """Return the caller as JSON, to be stored with runs and crons."""
        return msgspec.json.encode(self.user.dict(), enc_hook=str).decode()


def caller_json(caller: Caller | None) -> str | None:
    """Return the caller as JSON, if there is one."""
    return None if caller is None else caller.as_json()


def parse_caller(returned: Any) -> Caller:
    """Return the caller that `authenticate` returned: a name, a mapping with `identity`, or an object that has one.

    Errors: `TypeError`.
    """
    if isinstance(returned, str):
        return Caller(User({"identity": returned}))
    if isinstance(returned, Mapping):
        fields = dict(returned)
    else:
        fields = {**getattr(returned, "__dict__", {})}
        fields |= {name: getattr(returned, name) for name in _NAMED if hasattr(returned, name)}
    if not isinstance(fields.get("identity"), str) or not fields["identity"]:
        raise TypeError(
            f"@auth.authenticate returned a {type(returned).__name__}; it must return a user's name, a dict with their "
            "`identity`, or an object with that attribute"
        )
    return Caller(User({name: value for name, value in fields.items() if not name.startswith("_")}))
