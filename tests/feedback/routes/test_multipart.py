"""The multipart route of LangSmith's clients in their default configuration."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.feedback.conftest import RUN, stored


def part(**more: Any) -> tuple[str, tuple[None, str, str]]:
    """Return one feedback as the client was recorded to send it, with its nulls."""
    body = {
        "id": str(uuid.uuid4()), "run_id": RUN, "trace_id": RUN, "key": "k", "score": 1, "value": None,
        "comment": None, "correction": None, "feedback_source": {"type": "api", "metadata": {}}, "session_id": None,
        "comparative_experiment_id": None, "feedback_group_id": None, "extra": None, "error": None, **more,
    }  # fmt: skip
    return f"feedback.{body['id']}", (None, json.dumps(body), "application/json")


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
async def test_batch_stores_feedback_and_skips_traces(client: Any, prefix: str) -> None:
    trace = (f"post.{uuid.uuid4()}", (None, "{}", "application/json"))
    response = await client.post(f"{prefix}/runs/multipart", files=[part(), trace, part(score=0, comment="é\r\n--x")])
    assert (response.status_code, response.json()) == (202, {"feedback": 2})
    assert sorted((row["score"], row["comment"]) for row in await stored(client)) == [(0, "é\r\n--x"), (1, None)]


async def test_repeated_batch_changes_nothing(client: Any) -> None:
    files = [part()]
    for _ in range(2):
        assert (await client.post("/runs/multipart", files=files)).status_code == 202
    assert len(await stored(client)) == 1


async def test_wrong_batches_are_refused(client: Any) -> None:
    for wrong in (
        {"files": [part(), part(score="x")]},
        {"files": [part(), part(key="")]},
        {"json": {}},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        {"files": [part()], "headers": {"Content-Encoding": "zstd"}},
    ):
        assert (await client.post("/runs/multipart", **wrong)).status_code == 422
    assert await stored(client) == []
