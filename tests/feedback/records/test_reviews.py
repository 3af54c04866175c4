"""Reviews: feedback is new, seen or done; each change is logged, and erasure deletes the notes."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from feedback import FeedbackPlugin, RunFacts
from feedback.records.reviews import ReviewUpdate
from feedback.reports.query import FeedbackQuery
from tests.feedback.conftest import mint
from tests.feedback.stored_feedback import insert, row

App = AsyncTestClient[Litestar]
UNKNOWN = "018f0000-0000-7000-8000-00000000dead"
LEFT = "SELECT COUNT(*) AS notes FROM feedback_review"


async def review_path(client: App, **fields: Any) -> str:
    """Submit a feedback and return the path of its review."""
    response = await client.post(await mint(client), json={"score": 1, **fields})
    return f"/api/v1/feedback/{response.json()['id']}/review"


async def test_review_keeps_its_history(client: App) -> None:
    path = await review_path(client)
    fresh = (await client.get(path)).json()
    assert (fresh["status"], fresh["note"], fresh["reviewed_at"], fresh["log"]) == ("new", None, None, [])
    await client.put(path, json={"status": "seen", "note": "  odd  "})
    await client.put(path, json={"status": "done", "note": "mended"})
    review = (await client.put(path, json={"status": "done", "note": "mended"})).json()
    assert review == (await client.get(path)).json()
    assert (review["status"], review["note"]) == ("done", "mended")
    assert [(entry["status"], entry["note"]) for entry in review["log"]] == [("done", "mended"), ("seen", "odd")]
    [found] = (await client.get("/api/v1/feedback/search", params={"status": "done"})).json()["feedback"]
    assert (found["review_status"], found["review_note"], found["is_positive"]) == ("done", "mended", True)
    assert (await client.put(path, json={"status": "new"})).json()["log"][0] == {
        "status": "new", "note": None, "reviewed_at": (await client.get(path)).json()["reviewed_at"],
        "assignee": None, "reviewer": None,
    }  # fmt: skip


async def test_changed_feedback_is_new_again_with_its_note(client: App) -> None:
    url = await mint(client)
    feedback_id = (await client.post(url, json={"score": 1, "user_id": "ada"})).json()["id"]
    path = f"/api/v1/feedback/{feedback_id}/review"
    await client.put(path, json={"status": "done", "note": "thanked"})
    await client.post(url, json={"score": 1, "user_id": "ada"})
    assert (await client.get(path)).json()["status"] == "done"
    await client.post(url, json={"score": 0, "user_id": "ada"})
    review = (await client.get(path)).json()
    assert (review["status"], review["note"], len(review["log"])) == ("new", "thanked", 1)


async def test_search_and_export_follow_the_status(service: FeedbackPlugin) -> None:
    rows = [row(comment=status) for status in ("new", "seen", "done", "back")]
    await insert(service, rows)
    for one, status in zip(rows, ("new", "seen", "done", "done"), strict=True):
        await service.default.reviews.set(one["id"], ReviewUpdate(status))  # type: ignore[arg-type]
    await service.default.reviews.set(rows[3]["id"], ReviewUpdate("new", "=SUM(A1)"))

    async def found(*statuses: Any) -> set[str | None]:
        page = await service.default.reader.page(FeedbackQuery(status=list(statuses)))
        return {one.comment for one in page.feedback}

    assert await found("new") == {"new", "back"}
    assert await found("seen", "done") == {"seen", "done"}
    assert await found("new", "done") == {"new", "back", "done"}
    for statuses in (["new"], ["seen", "done", "seen"]):
        page = await service.default.reader.page(FeedbackQuery(status=statuses, text="E"))  # type: ignore[arg-type]
        assert {one.comment for one in page.feedback} == await found(*statuses) - {"back"}
    lines = [line async for line in service.default.exports.stream(FeedbackQuery(status=["new"], text="back"), "csv")]
    assert lines[1].find(b",new,'=SUM(A1),") > 0


async def test_erased_feedback_leaves_no_note(service: FeedbackPlugin) -> None:
    rows = [row(subject="ada", run_id=f"run {at}") for at in range(2)]
    await insert(service, rows)
    for one in rows:
        await service.default.reviews.set(one["id"], ReviewUpdate("seen", "called her"))
    await service.default.store.delete(rows[0]["id"])
    await service.default.erasure.erase_subject("ada")
    assert await service.database.read(lambda db: db.one(LEFT)) == {"notes": 0}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"status": "read"}, 422),
        ({}, 422),
        ({"status": "seen", "note": 5}, 422),
        ({"status": "seen", "note": "x" * 20_000}, 413),
    ],
)
async def test_review_that_cannot_be_is_refused(client: App, body: dict[str, Any], status: int) -> None:
    path = await review_path(client)
    response = await client.put(path, json=body)
    assert (response.status_code, bool(response.json()["detail"])) == (status, True)
    assert (await client.get(path)).json()["status"] == "new"


@pytest.mark.parametrize(("feedback_id", "status"), [(UNKNOWN, 404), ("no-id", 422)])
async def test_review_and_conversation_of_nothing_are_refused(client: App, feedback_id: str, status: int) -> None:
    for method, what in (("GET", "review"), ("PUT", "review"), ("GET", "conversation")):
        body = {"status": "seen"} if method == "PUT" else None
        response = await client.request(method, f"/api/v1/feedback/{feedback_id}/{what}", json=body)
        assert response.status_code == status, (method, what)


TURNS = [{"type": "human", "content": "Why?"}, {"type": "ai", "content": "Because."}]
KNOWN = RunFacts("known", "t", "a", 3, {"messages": TURNS[:1]}, {"messages": TURNS}, assistant_name="agent")
FAILED = RunFacts("failed", "t", "a", 3, {"messages": TURNS[:1]}, None)
EMPTY = RunFacts("empty", "t", "a", 3, None, None)


@pytest.mark.parametrize(
    ("run_id", "expected", "reason"),
    [
        ("known", [("user", "Why?", False), ("assistant", "Because.", True)], None),
        ("failed", [("user", "Why?", False)], "has no answer"),
        ("empty", [], "neither its input nor its output"),
        ("gone", [], "has nothing on this run now"),
        (None, [], "about no run"),
    ],
)
async def test_conversation_of_feedback_is_its_runs(
    service: FeedbackPlugin, run_id: str | None, expected: list[Any], reason: str | None
) -> None:
    async def look_up(name: str) -> RunFacts | None:
        return {"known": KNOWN, "failed": FAILED, "empty": EMPTY}.get(name)

    service.runs.lookup = look_up
    one = row(run_id=run_id, thread_id="t")
    await insert(service, [one])
    found = await service.default.conversations.read_conversation(one["id"])
    assert [(message.role, message.content, message.judged) for message in found.messages] == expected
    assert (reason or "") in (found.reason or "")
    assert (found.reason is None) == (reason is None)
    assert (found.run_id, found.thread_id) == (run_id, "t")


async def test_thread_has_each_piece_in_its_place(service: FeedbackPlugin) -> None:
    later = [*TURNS, {"type": "human", "content": "Really?"}, {"type": "ai", "content": "Yes."}]
    other = [{"type": "human", "content": "Hm?"}, {"type": "ai", "content": "No."}]
    known = {
        "first": RunFacts("first", "t", "a", 3, {"messages": TURNS[:1]}, {"messages": TURNS}),
        "second": RunFacts("second", "t", "a", 3, {"messages": later[2:3]}, {"messages": later}),
        "forked": RunFacts("forked", "t", "a", 3, {"messages": other[:1]}, {"messages": other}),
    }

    async def look_up(name: str) -> RunFacts | None:
        return known.get(name)

    service.runs.lookup = look_up
    rows = [
        row(run_id=name, thread_id="t", comment=f"about {name}") for name in ("first", "second", "second", "forked")
    ]
    await insert(service, [*rows, row(run_id="first", thread_id="elsewhere")])
    found = await service.default.conversations.read_conversation(rows[0]["id"])
    assert [(message.content, message.judged, len(message.feedback)) for message in found.messages] == [
        ("Why?", False, 0),
        ("Because.", True, 1),
        ("Really?", False, 0),
        ("Yes.", False, 2),
    ]
    assert [piece.comment for piece in found.messages[3].feedback] == ["about second"] * 2


async def test_service_alone_says_that_it_knows_no_runs(client: App) -> None:
    path = (await review_path(client)).replace("/review", "/conversation")
    found = (await client.get(path)).json()
    assert (found["messages"], "without an agent server" in found["reason"]) == ([], True)


async def test_assistants_take_names_from_their_newest_runs(service: FeedbackPlugin) -> None:
    async def look_up(name: str) -> RunFacts | None:
        return KNOWN if name == "known" else None

    service.runs.lookup = look_up
    about_a = [row(run_id=name, assistant_id="a", assistant_version=1) for name in ("gone", "known")]
    await insert(service, [*about_a, row(assistant_id="b", assistant_version=1), row()])
    found = [(one.assistant_id, one.name, one.count) for one in await service.default.assistants.all()]
    assert found == [("a", "agent", 2), ("b", None, 1)]
