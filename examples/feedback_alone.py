"""The feedback service alone, in a small Litestar app of your own.

    python examples/feedback_alone.py

Then, with LangSmith's own client:

    from langsmith import Client
    client = Client(api_url="http://127.0.0.1:8000", api_key="any")
    token = client.create_presigned_feedback_token("018f0000-0000-7000-8000-000000000001", "user_score")
    print(token.url)  # append ?score=1 and open it, or POST {"score": 1} to it

Feedback is stored in `feedback.db` in the folder that FEEDBACK_DATA names (`.data` by default). The environment
variables that configure feedback in an agent server (AGENT_SERVER_FEEDBACK_EXPIRY, …) work here, too.
"""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from litestar import Litestar, get

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings


@get("/", include_in_schema=False)
async def home() -> dict[str, str]:
    """Return the paths to visit next."""
    return {"mint": "POST /api/v1/feedback/tokens", "read": "GET /api/v1/feedback?run=<run id>", "docs": "/schema"}


def create_app(folder: Path) -> Litestar:
    """Create a Litestar app with the feedback service, which stores its data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    database = open_database(f"sqlite:///{folder.resolve() / 'feedback.db'}")
    return Litestar([home], plugins=[FeedbackPlugin(database, FeedbackSettings.load(os.environ))])


app = create_app(Path(os.environ.get("FEEDBACK_DATA", ".data")))

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
