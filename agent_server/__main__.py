"""`agent-server`, `python -m agent_server`, and the app for an ASGI server of your own."""

from __future__ import annotations

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()):
    # `python -m` puts the user's directory first. A file feedback.py there must not hide this server's package.
    sys.path.append(sys.path.pop(0))

from typing import TYPE_CHECKING

from agent_server.cli.deferred_packages import defer_packages
from agent_server.cli.main import main

if TYPE_CHECKING:
    from litestar.types import ASGIApp


def app() -> ASGIApp:
    """Return the app that the environment configures, for `uvicorn --factory agent_server.__main__:app`."""
    defer_packages()
    from agent_server.cli.asgi_app import build_app_from_environment  # not for commands that need no app

    return build_app_from_environment()


if __name__ == "__main__":
    main()
