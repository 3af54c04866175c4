"""Declared metadata of a run is stored with its feedback on every route, and filters every list and report."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from agent_server.database import open_database
from feedback import FeedbackPlugin, FeedbackSettings, RunFacts
from feedback.integrations.evalguard import OneTimeSubmission, OneTimeTokenCreate
from feedback.integrations.workflowai import OutcomeCreate
from feedback.records.run_metadata import MetadataChoice
from feedback.reports.query import FeedbackQuery
from feedback.runs import select_declared
from feedback.schema import FeedbackCreate, FeedbackSource, FeedbackSubmission

RUNS = {
    "018f0000-0000-7000-8000-000000000001": {"plan": "pro", "tenant": "acme", "seats": 12, "secret": "hidden"},
    "018f0000-0000-7000-8000-000000000002": {"plan": "free", "tenant": "acme", "beta": True},
    "018f0000-0000-7000-8000-000000000003": {"plan": "pro", "tenant": {"id": 1}},
}
PRO, FREE, OTHER = RUNS
NAMES = ("plan", "tenant", "seats", "beta")


async def look_up(run_id: str) -> RunFacts | None:
    return RunFacts(run_id, "thread", "help", 1, metadata=RUNS[run_id]) if run_id in RUNS else None


def plugin(url: str, names: tuple[str, ...] = NAMES) -> FeedbackPlugin:
    return FeedbackPlugin(open_database(url), FeedbackSettings(run_metadata=names), run_lookup=look_up)


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[FeedbackPlugin]:
    async with plugin(database_url).open() as service:
        yield service


async def metadata(service: FeedbackPlugin) -> list[tuple[str, str, str]]:
    """Return all rows of the metadata table."""
    sql = "SELECT run_id, name, value FROM feedback_run_metadata ORDER BY run_id, name"
    rows = await service.database.read(lambda db: db.all(sql))
    return [(row["run_id"], row["name"], row["value"]) for row in rows]


async def by_url(service: FeedbackPlugin, run: str, user: str) -> None:
    url = (await service.urls_for_run(run, ["k"], "http://here"))["k"]
    pointer = await service.default.tokens.open(url.rpartition("/")[2])
    for score in (0, 1):  # the first submission takes several statements, the second only one
        await service.default.store.submit(pointer, FeedbackSubmission(score=score, user_id=f"{user} {score}"))


async def by_run_token(service: FeedbackPlugin, run: str, user: str) -> None:
    token = service.token_for_run(run)
    await service.default.workflowai_feedback.submit(OutcomeCreate(token, "positive", user_id=user))


async def by_one_time_token(service: FeedbackPlugin, run: str, _user: str) -> None:
    token = await service.default.one_time.mint(OneTimeTokenCreate("trace", run), "k")
    await service.default.one_time.spend(OneTimeSubmission(token.token, score=1))


async def by_program(service: FeedbackPlugin, run: str, user: str) -> None:
    await service.default.store.create(
        FeedbackCreate("k", run_id=run, score=1, feedback_source=FeedbackSource(user_id=user))
    )


@pytest.mark.parametrize("way", [by_url, by_run_token, by_one_time_token, by_program])
async def test_metadata_is_stored_with_every_submission(service: FeedbackPlugin, way: Any) -> None:
    await way(service, PRO, "ada")
    assert await metadata(service) == [(PRO, "plan", "pro"), (PRO, "seats", "12"), (PRO, "tenant", "acme")]


async def test_metadata_filters_all_that_is_read(service: FeedbackPlugin) -> None:
    for run in RUNS:
        await by_program(service, run, "ada")
    expected = {
        ("plan:pro",): {PRO, OTHER},
        ("plan:pro", "plan:free"): {PRO, FREE, OTHER},
        ("plan:pro", "tenant:acme"): {PRO},
        ("beta:true",): {FREE},
        ("secret:hidden",): set(),
    }
    for filters, runs in expected.items():
        query = FeedbackQuery(metadata=list(filters))
        found = (await service.default.reader.page(query)).feedback
        assert {one.run_id for one in found} == runs, filters
        assert await service.default.reader.count(query) == len(runs)
        assert sum(one.count for one in await service.default.statistics.groups(query, ["day"])) == len(runs)
        rows = (await service.get_services("default").by_run.page(query)).rows
        assert {row.run_id for row in rows} == runs
        lines = b"".join([part async for part in service.default.exports.stream(query, "jsonl")]).splitlines()
        assert {json.loads(line)["run_id"] for line in lines} == runs
        of_rows = [piece.run_metadata for row in rows for piece in row.feedback]
        assert all("secret" not in one and "plan" in one for one in of_rows), of_rows
        assert all(json.loads(line)["run_metadata"]["plan"] for line in lines)


async def test_choices_list_names_and_values(service: FeedbackPlugin) -> None:
    for run in RUNS:
        await by_program(service, run, "ada")
    assert (await service.get_services("default").choices.all()).metadata == [
        MetadataChoice("beta", ["true"]),
        MetadataChoice("plan", ["free", "pro"]),
        MetadataChoice("seats", ["12"]),
        MetadataChoice("tenant", ["acme"]),
    ]


async def test_erasure_deletes_metadata_with_the_last_feedback(service: FeedbackPlugin) -> None:
    for user in ("ada", "bob"):
        await by_url(service, PRO, user)
    before = await metadata(service)
    for user in ("ada 0", "ada 1", "bob 0"):
        await service.default.erasure.erase_subject(user)
    assert await metadata(service) == before
    await service.default.erasure.erase_subject("bob 1")
    assert await metadata(service) == []


async def test_nothing_is_stored_without_declared_names(database_url: str) -> None:
    async with plugin(database_url, ()).open() as service:
        await by_url(service, PRO, "ada")
        assert await metadata(service) == []


async def test_filter_works_over_http(database_url: str) -> None:
    app = Litestar(plugins=[plugin(database_url)])
    async with AsyncTestClient(app) as client:
        for run in RUNS:
            assert (await client.post("/feedback", json={"run_id": run, "key": "k", "score": 1})).is_success
        found = (await client.get("/api/v1/feedback/search", params={"metadata": ["plan:pro", "tenant:acme"]})).json()
        assert [one["run_metadata"] for one in found["feedback"]] == [{"plan": "pro", "seats": "12", "tenant": "acme"}]
        table = (await client.get("/api/v1/feedback/export", params={"metadata": "plan:free", "format": "csv"})).text
        assert table.count("\r\n") == 2
        assert '""plan"":""free""' in table
        for wrong in ("plan", ":pro", "plan:"):
            response = await client.get("/api/v1/feedback/search", params={"metadata": wrong})
            assert (response.status_code, "plan:pro" in response.text) == (422, True), response.text


def test_values_are_short_texts() -> None:
    given = {"a": "", "b": None, "c": [1], "d": "x" * 201, "e": 1.5, "f": False, "g": "\0"}
    assert select_declared(given, tuple(given)) == {"e": "1.5", "f": "false"}


@pytest.mark.parametrize(
    ("text", "message"), [("a,b,c,d,e,f,g,h,i", "at most 8 names"), ("a:b", "no colon"), ("x" * 101, "100 characters")]
)
def test_wrong_setting_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"AGENT_SERVER_FEEDBACK_RUN_METADATA.*{message}"):
        FeedbackSettings.load({"AGENT_SERVER_FEEDBACK_RUN_METADATA": text})
