"""Creating with `if_exists: do_nothing` shows what exists only to those who may read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent_server.config import AuthSettings
from tests.agent_server.api import Api, serving

RULES = str(Path(__file__).parents[1] / "stamping_rules.py") + ":auth"
STEPS = [{"updates": [{"values": {"x": 1}, "as_node": "__input__"}]}]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "thread": ("/threads", {}),
    "thread with supersteps": ("/threads", {"metadata": {"graph_id": "doubling"}, "supersteps": STEPS}),
    "assistant": ("/assistants", {"graph_id": "doubling", "context": {"prompt": "secret"}}),
}


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, auth=AuthSettings(RULES)) as api:
        yield api


@pytest.mark.parametrize("case", CASES)
async def test_existing_row_is_for_its_readers(api: Api, case: str) -> None:
    path, given = CASES[case]
    noun = path.removeprefix("/").removesuffix("s")
    body = {**given, f"{noun}_id": str(uuid4()), "if_exists": "do_nothing"}
    made = await api.send("POST", path, body, Authorization="Bearer anna")
    again = await api.send("POST", path, body, Authorization="Bearer anna")
    assert (made.status_code, again.json()) == (200, made.json())
    stranger = await api.send("POST", path, body, Authorization="Bearer bob")
    assert stranger.status_code == 409
    assert "anna" not in stranger.text
    assert "secret" not in stranger.text
    fresh = await api.send("POST", path, {**body, f"{noun}_id": str(uuid4())}, Authorization="Bearer bob")
    assert fresh.json()["metadata"]["owner"] == "bob"
