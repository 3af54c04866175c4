"""Erasure removes a person's data from every table, and retention deletes feedback after the configured days."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.errors import TokenGone, TokenRevoked
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeTokenCreate
from feedback.integrations.langsmith.datasets import DatasetCreate, ExampleCreate
from feedback.integrations.langsmith.resources import ResourceFilter
from feedback.integrations.workflowai import OutcomeCreate
from feedback.records.erasure import AT_ONCE, Erased
from feedback.reports.query import FeedbackQuery
from feedback.schema import FeedbackCreate, FeedbackSource, FeedbackSubmission
from tests.feedback.conftest import stored
from tests.feedback.stored_feedback import insert, row

App = AsyncTestClient[Litestar]


async def dump_tables(service: FeedbackPlugin) -> str:
    """Return the contents of all feedback tables as text."""
    tables = ("feedback", "feedback_history", "feedback_annotation", "feedback_outbox")
    rows = await service.database.read(lambda db: [db.all(f"SELECT * FROM {table}") for table in tables])
    return repr(rows)


async def test_erased_subject_is_in_no_table_or_export(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    for user in ("ada", "bob"):
        for score in (0, 1):
            result = await service.default.store.submit(
                pointer, FeedbackSubmission(score=score, user_id=user, comment=f"of {user}")
            )
        note = {"id": result.id, "note": f"about {user}"}
        await service.database.write(
            lambda db, note=note: db.execute(  # type: ignore[misc]
                "INSERT INTO feedback_annotation (feedback_id, annotation, annotated_at) VALUES (:id, :note, 1)", **note
            )
        )
    await service.default.store.delete(result.id)
    assert await service.default.erasure.erase_subject("bob") == Erased(0, 2, 0)
    assert await service.default.erasure.erase_subject("ada") == Erased(1, 1, 0)
    assert "of ada" not in await dump_tables(service)
    assert "of bob" not in await dump_tables(service)
    assert b"".join([part async for part in service.default.exports.stream(FeedbackQuery(), "jsonl")]) == b""
    assert (await service.default.store.submit(pointer, FeedbackSubmission(score=1))).status == "created"


async def test_erasure_removes_queued_events_of_earlier_subjects(service: FeedbackPlugin) -> None:
    await service.database.write(
        lambda db: db.execute("INSERT INTO feedback_webhook (id, url) VALUES ('w', 'https://hooks.example')")
    )
    name = str(uuid.uuid4())
    for user in ("ada", "bob"):
        await service.default.store.create(
            FeedbackCreate("k", id=name, comment=f"of {user}", feedback_source=FeedbackSource(user_id=user))
        )
    assert "of ada" in await dump_tables(service)
    assert await service.default.erasure.erase_subject("ada") == Erased(0, 1, 0)
    remaining = await dump_tables(service)
    assert ("of ada" in remaining, remaining.count("of bob")) == (False, 2), "Bob's feedback and its message"


async def test_erased_feedback_is_not_in_the_file(tmp_path: Path) -> None:
    async with FeedbackPlugin(open_database(f"sqlite:///{tmp_path / 'feedback.db'}")).open() as service:
        await insert(service, [row(subject="ada", comment="words of ada" * 50) for _ in range(20)])
        assert await service.database.read(lambda db: db.one("PRAGMA secure_delete")) == {"secure_delete": 1}
        assert await service.default.erasure.erase_subject("ada") == Erased(20, 0, 0)
    remaining = [file.name for file in tmp_path.iterdir() if b"of ada" in file.read_bytes()]  # noqa: ASYNC240  it is closed
    assert remaining == []


async def dataset_of(service: FeedbackPlugin, runs: list[str | None]) -> str:
    """The id of a new dataset with an example for each run."""
    dataset = await service.default.langsmith_datasets.create(DatasetCreate(f"of {len(runs)} runs"))
    inputs = {"text": "words of ada"}
    await service.default.langsmith_datasets.add(
        [ExampleCreate(dataset.id, inputs=inputs, outputs=inputs, source_run_id=run) for run in runs]
    )
    return dataset.id


@pytest.mark.parametrize("by", ["subject", "run", "thread"])
async def test_examples_copied_from_runs_are_erased(service: FeedbackPlugin, by: str) -> None:
    ada, bob = str(uuid.uuid4()), str(uuid.uuid4())
    await insert(
        service, [row(run_id=ada, subject="ada", thread_id="t"), row(run_id=bob, subject="bob", thread_id="u")]
    )
    dataset = await dataset_of(service, [ada, bob, None, ada])
    erase = getattr(service.default.erasure, f"erase_{by}")
    assert await erase({"subject": "ada", "run": ada, "thread": "t"}[by]) == Erased(1, 0, 0, 2)
    left = await service.default.langsmith_datasets.examples(ResourceFilter(dataset), [])
    assert {one.source_run_id for one in left} == {bob, None}
    assert await erase({"subject": "bob", "run": bob, "thread": "u"}[by]) == Erased(1, 0, 0, 1)


async def test_examples_of_replaced_feedback_are_erased(service: FeedbackPlugin, run_id: str) -> None:
    name = str(uuid.uuid4())
    for who in ("ada", "bob"):
        given = FeedbackCreate("k", id=name, run_id=run_id, feedback_source=FeedbackSource(user_id=who))
        await service.default.store.create(given)
    await dataset_of(service, [run_id])
    assert await service.default.erasure.erase_subject("ada") == Erased(0, 1, 0, 1)


async def test_retention_leaves_examples(service: FeedbackPlugin, run_id: str) -> None:
    await insert(service, [row(run_id=run_id)])
    await dataset_of(service, [run_id])
    await service.default.erasure.keep_for("thumbs", 1)
    assert await service.default.erasure.sweep() == Erased(1)


async def test_erased_examples_are_not_in_the_file(tmp_path: Path, run_id: str) -> None:
    async with FeedbackPlugin(open_database(f"sqlite:///{tmp_path / 'feedback.db'}")).open() as service:
        await insert(service, [row(run_id=run_id, subject="ada")])
        await dataset_of(service, [run_id] * 20)
        await service.default.erasure.erase_subject("ada")
    left = [file.name for file in tmp_path.iterdir() if b"of ada" in file.read_bytes()]  # noqa: ASYNC240  it is closed
    assert left == []


async def test_minted_tokens_of_many_runs_are_forgotten(service: FeedbackPlugin) -> None:
    runs = [str(uuid.uuid4()), str(uuid.uuid4()), "a run", "another"]
    for run in runs:
        await service.default.one_time.mint(OneTimeTokenCreate("trace", run), "api key", f"key of {run}")
    await insert(service, [row(run_id=run, thread_id="t") for run in runs[:-1]])
    await service.default.erasure.erase_thread("t")
    minted = await service.database.read(lambda db: db.all("SELECT body FROM feedback_minted"))
    assert [json.loads(one["body"])[0] for one in minted] == ["another"]


async def test_erased_run_accepts_no_more_submissions(client: App, token_url: str, run_id: str) -> None:
    await client.post(token_url, json={"score": 1})
    other = (await client.post("/feedback/tokens", json={"run_id": str(uuid.uuid4()), "feedback_key": "k"})).json()
    erased = await client.post("/api/v1/feedback/erasures", json={"run": run_id})
    assert erased.json() == {"feedback": 1, "history": 0, "grants": 1, "examples": 0}
    assert await stored(client) == []
    assert (await client.post(token_url, json={"score": 1})).status_code == 410
    assert (await client.post(other["url"], json={"score": 1})).status_code == 200


@pytest.mark.parametrize("by", ["run", "thread"])
async def test_sealed_tokens_of_an_erased_run_are_refused(service: FeedbackPlugin, run_id: str, by: str) -> None:
    other = str(uuid.uuid4())
    wanted = OneTimeTokenCreate("trace", run_id)
    once = await service.default.one_time.mint(wanted, "api key", "idempotency key")
    old, others = service.token_for_run(run_id), service.token_for_run(other)
    await service.default.workflowai_feedback.submit(OutcomeCreate(old, "positive", user_id="ada"))
    await service.database.write(lambda db: db.execute("UPDATE feedback SET thread_id = 't'"))
    erased = await (
        service.default.erasure.erase_run(run_id) if by == "run" else service.default.erasure.erase_thread("t")
    )
    assert erased == Erased(1, 0, 0)
    for refused in (
        service.default.workflowai_feedback.submit(OutcomeCreate(old, "positive")),
        service.default.one_time.spend(OneTimeSubmission(once.token, score=1)),
    ):
        with pytest.raises(TokenRevoked):
            await refused
    assert (await service.default.workflowai_feedback.submit(OutcomeCreate(others, "positive"))).outcome == "positive"
    assert (
        await service.default.workflowai_feedback.submit(OutcomeCreate(service.token_for_run(run_id), "positive"))
    ).id
    minted = await service.database.read(lambda db: db.all("SELECT * FROM feedback_minted"))
    assert minted == [], "the response stored for an Idempotency-Key names the run, too"


async def test_denials_are_purged_with_what_they_deny(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"].rpartition("/")[2]
    kept_url = (await service.urls_for_run("another", ["k"], "http://here"))["k"].rpartition("/")[2]
    for token in (url, kept_url, service.token_for_run(run_id)):
        await service.default.revocation.revoke_token(token)
    await service.default.erasure.erase_run(run_id)
    assert await denials(service) == ["run", "sealed", "url"], "the denial of the erased run's URL is gone"
    await service.default.erasure.sweep()
    assert await denials(service) == ["run", "sealed", "url"]
    await service.database.write(lambda db: db.execute("UPDATE feedback_denial SET revoked_at = 0"))
    await service.default.erasure.sweep()
    assert await denials(service) == ["url"], "a URL may be valid for ever"
    with pytest.raises(TokenRevoked):
        await service.default.tokens.redeem(kept_url)


async def denials(service: FeedbackPlugin) -> list[str]:
    rows = await service.database.read(lambda db: db.all("SELECT id FROM feedback_denial"))
    return sorted(row["id"].split()[0] for row in rows)


async def test_erased_thread_loses_feedback_and_urls(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    await service.database.write(lambda db: db.execute("UPDATE feedback_grant SET thread_id = 't'"))
    at_once = AT_ONCE[service.database.dialect]
    await insert(service, [row(thread_id="t") for _ in range(at_once + 5)] + [row(thread_id="u")])
    received: list[int] = []
    erased = await service.default.erasure.erase_thread("t", lambda so_far: received.append(so_far.feedback))
    assert erased == Erased(at_once + 5, 0, 1)
    assert received[:2] == [at_once, at_once + 5]
    assert await service.default.reader.count(FeedbackQuery()) == 1
    with pytest.raises(TokenGone):
        await service.default.tokens.redeem(url.rpartition("/")[2])


@pytest.mark.parametrize("body", [{}, {"run": "a", "subject": "b"}, {"subject": ""}, {"thread": "a\0"}, {"run": 1}, []])
async def test_erasure_of_nothing_in_particular_is_refused(client: App, token_url: str, body: Any) -> None:
    await client.post(token_url, json={"score": 1})
    assert (await client.post("/api/v1/feedback/erasures", json=body)).status_code == 422
    assert len(await stored(client)) == 1


async def test_feedback_past_its_retention_is_deleted(service: FeedbackPlugin) -> None:
    now = datetime.now(UTC)
    ages = [("short", 2), ("short", 0.5), ("long", 40), ("long", 50), ("other", 2), ("other", 8)]
    await insert(service, [row(key=key, comment=f"{key} {age}", at=now - timedelta(days=age)) for key, age in ages])
    assert await service.default.erasure.sweep() == Erased()
    for key, days in (("short", 1), ("long", 45), ("", 7)):
        await service.default.erasure.keep_for(key, days)
    assert await service.default.erasure.sweep() == Erased(3, 0, 0)
    page = await service.default.reader.page(FeedbackQuery())
    assert {feedback.comment for feedback in page.feedback} == {"short 0.5", "long 40", "other 2"}


async def test_history_is_stored_no_longer_than_feedback(service: FeedbackPlugin, run_id: str) -> None:
    url = (await service.urls_for_run(run_id, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    for score in (0, 1):
        await service.default.store.submit(pointer, FeedbackSubmission(score=score, user_id="ada"))
    await service.database.write(lambda db: db.execute("UPDATE feedback_history SET modified_at = 1"))
    await service.default.erasure.keep_for("k", 1)
    assert await service.default.erasure.sweep() == Erased(0, 1, 0)
    assert len(await service.feedback_for_run(run_id)) == 1


async def test_retention_is_set_and_shown_over_http(client: App) -> None:
    for rule in ({"key": "k", "days": 30}, {"days": 365}, {"key": "gone", "days": 1}, {"key": "gone", "days": None}):
        response = await client.put("/api/v1/feedback/retention", json=rule)
    assert response.json() == (await client.get("/api/v1/feedback/retention")).json()
    assert response.json() == [{"key": None, "days": 365}, {"key": "k", "days": 30}]
    assert (await client.put("/api/v1/feedback/retention", json={"key": "k", "days": 0})).status_code == 422
