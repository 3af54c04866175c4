"""Runs as a queue, over both databases: the conditions of a claim, and every transition of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, get_args

import anyio.lowlevel
import pytest

from agent_server.errors import BadRequest, Conflict, Invalid, LeaseLost, NotFound, ThreadBusy
from agent_server.runs import queue as runs_module
from agent_server.runs.leases import CANCELS, QUEUE, RollbackRequested
from agent_server.runs.records import Claim, Ending
from agent_server.runs.webhook_outbox import WEBHOOKS
from agent_server.schema import RunStatus
from tests.agent_server.backend import Backend, open_backend, unknown_id
from tests.agent_server.runs.test_creation import Starter

SUCCESS = Ending("success", "idle", b'{"n":1}', output=b'{"n":1}')


# The state table

Transition = tuple[str, str, str]


def table() -> set[Transition]:
    """Return the rows of the table in the header of runs/queue.py: from, by, to."""
    lines = [line.split("|") for line in (runs_module.__doc__ or "").splitlines() if line.count("|") == 3]
    rows = [(cells[0].strip(), cells[1].strip(), cells[2].strip()) for cells in lines]
    return {row for row in rows if row[0] != "from" and not row[0].startswith("---")}


async def pending(backend: Backend) -> Claim:
    """Create a pending run and a claim on it."""
    await backend.run(await backend.thread())
    claim = await backend.claim_one()
    await backend.runs.release(claim)
    return claim


async def running(backend: Backend) -> Claim:
    await backend.run(await backend.thread())
    return await backend.claim_one()


async def expired(backend: Backend) -> Claim:
    await backend.run(await backend.thread())
    return await backend.claim_one(lease_seconds=0)


def ended(status: RunStatus) -> Callable[[Backend], Awaitable[Claim]]:
    async def prepare(backend: Backend) -> Claim:
        claim = await running(backend)
        await backend.runs.finish(claim, Ending(status, "idle"))
        return claim

    return prepare


STATES = (pending, running, expired, ended("success"), ended("error"), ended("interrupted"), ended("timeout"))

VERBS: tuple[tuple[str, Callable[[Backend, Claim], Awaitable[Any]]], ...] = (
    ("claim", lambda backend, _: backend.runs.claim(1, 30)),
    ("cancel", lambda backend, claim: backend.runs.cancel(claim.run.run_id, None, "interrupt")),
    ("cancel", lambda backend, claim: backend.runs.cancel(claim.run.run_id, None, "rollback")),
    ("finish", lambda backend, claim: backend.runs.finish(claim, SUCCESS)),
    ("finish", lambda backend, claim: backend.runs.finish(claim, Ending("error", "error", error=b'{"error":"E"}'))),
    ("finish", lambda backend, claim: backend.runs.finish(claim, Ending("interrupted", "interrupted"))),
    ("discard", lambda backend, claim: backend.runs.discard(claim, b"null")),
    ("release", lambda backend, claim: backend.runs.release(claim)),
    ("renew", lambda backend, claim: backend.runs.renew([claim], 30)),
    ("multitask interrupt", lambda backend, claim: backend.run(claim.run.thread_id, multitask_strategy="interrupt")),
)


async def test_state_table_names_just_the_transitions_that_happen(backend: Backend) -> None:
    run = await backend.run(None)
    happened: set[Transition] = {("(none)", "create", str(await backend.status(run.run_id)))}
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    backend.runs.starter = Starter()
    run = await backend.run(None)
    backend.runs.starter = None
    happened.add(("(none)", "create", str(await backend.status(run.run_id))))
    await backend.database.write(lambda c: c.execute("DELETE FROM runs"))
    for prepare in STATES:
        for by, act in VERBS:
            claim = await prepare(backend)
            before = await backend.row(claim.run.run_id)
            with suppress(LeaseLost, Conflict):
                await act(backend, claim)
            after = await backend.row(claim.run.run_id)
            assert before is not None
            if after is None or (before["status"], before["attempt"]) != (after["status"], after["attempt"]):
                happened.add((before["status"], by.partition("multitask")[0] or "cancel", _state(after)))
            for left in await backend.runs.claim(100, 30):
                with suppress(RollbackRequested):
                    await backend.runs.finish(left, SUCCESS)
            await _end(backend, claim)
    assert happened == table()


def _state(row: Any) -> str:
    return row["status"] if row else "(deleted)"


async def _end(backend: Backend, claim: Claim) -> None:
    """End the run, so that it blocks no other."""
    await backend.database.write(lambda c: c.execute("DELETE FROM runs WHERE run_id = :id", id=claim.run.run_id))


def test_every_status_in_the_table_is_on_wire() -> None:
    statuses = {state for source, _, to in table() for state in (source, to) if not state.startswith("(")}
    assert statuses <= set(get_args(RunStatus))


# Claims


async def test_runs_are_claimed_in_order_of_creation(backend: Backend) -> None:
    created = [(await backend.run(None)).run_id for _ in range(5)]
    first = await backend.runs.claim(2, 30)
    second = await backend.runs.claim(10, 30)
    assert [claim.run.run_id for claim in (*first, *second)] == created
    assert await backend.runs.claim(10, 30) == []


async def test_claim_sets_run_running_and_thread_busy(backend: Backend) -> None:
    thread_id = await backend.thread()
    run = await backend.run(thread_id)
    claim = await backend.claim_one()
    assert await backend.status(run.run_id) == "running"
    assert await backend.thread_status(thread_id) == "busy"
    assert (claim.run.attempt, claim.rescues, claim.cancel) == (1, 0, None)


async def test_runs_of_other_threads_overtake_a_busy_thread(backend: Backend) -> None:
    thread_id = await backend.thread()
    first, second, other = await backend.run(thread_id), await backend.run(thread_id), await backend.run(None)
    claims = await backend.runs.claim(3, 30)
    assert [claim.run.run_id for claim in claims] == [first.run_id, other.run_id]
    await backend.runs.finish(claims[0], SUCCESS)
    assert (await backend.claim_one()).run.run_id == second.run_id


async def test_enqueued_runs_of_a_thread_start_in_order(backend: Backend) -> None:
    thread_id = await backend.thread()
    created = [(await backend.run(thread_id)).run_id for _ in range(4)]
    taken = []
    for _ in created:
        claim = await backend.claim_one()
        assert await backend.runs.claim(5, 30) == []
        taken.append(claim.run.run_id)
        await backend.runs.finish(claim, SUCCESS)
    assert taken == created
    assert await backend.thread_status(thread_id) == "idle"


async def test_thread_stays_busy_while_another_run_waits(backend: Backend) -> None:
    thread_id = await backend.thread()
    await backend.run(thread_id)
    await backend.run(thread_id)
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    assert await backend.thread_status(thread_id) == "busy"


async def test_delayed_run_waits_for_its_time(backend: Backend) -> None:
    thread_id = await backend.thread()
    delayed = await backend.run(thread_id, after_seconds=3600)
    assert await backend.runs.claim(1, 30) == []
    assert await backend.thread_status(thread_id) == "idle"
    now = await backend.run(thread_id)
    assert (await backend.claim_one()).run.run_id == now.run_id
    await backend.database.write(lambda c: c.execute("UPDATE runs SET start_at = now_us() WHERE attempt = 0"))
    await backend.database.write(lambda c: c.execute("UPDATE runs SET status = 'success' WHERE status = 'running'"))
    assert (await backend.claim_one()).run.run_id == delayed.run_id


async def test_concurrent_claims_run_one_run_per_thread(database_url: str) -> None:
    async with open_backend(database_url) as one, open_backend(database_url) as two:
        threads = [await one.thread() for _ in range(3)]
        created = {(await one.run(thread)).run_id for _ in range(10) for thread in threads}
        taken: list[str] = []
        with anyio.fail_after(50):
            while len(taken) < len(created):
                taken += [claim.run.run_id for claim in await _claims_at_once(one, two)]
        assert len(taken) == len(set(taken))
        assert set(taken) == created


async def _claims_at_once(one: Backend, two: Backend) -> list[Claim]:
    """Make eight concurrent claims, check that no two are of one thread, finish them and return them."""
    claims: list[Claim] = []

    async def claim(backend: Backend, at_most: int) -> None:
        claims.extend(await backend.runs.claim(at_most, 30))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(claim, (one, two)[number % 2], 1 + number % 3)
    threads = [claim.run.thread_id for claim in claims]
    assert len(threads) == len(set(threads)), "two runs of one thread run at once"
    async with anyio.create_task_group() as group:
        for taken in claims:
            group.start_soon(one.runs.finish, taken, SUCCESS)
    return claims


async def test_concurrent_creation_and_claims_run_each_run_once(database_url: str) -> None:
    async with open_backend(database_url) as one, open_backend(database_url) as two:
        thread_id = await one.thread()
        created: list[str] = []
        finished: list[str] = []

        async def create(backend: Backend) -> None:
            for _ in range(10):
                created.append((await backend.run(thread_id)).run_id)

        async def work(backend: Backend) -> None:
            while len(finished) < 40:
                for claim in await backend.runs.claim(2, 30):
                    await backend.runs.finish(claim, SUCCESS)
                    finished.append(claim.run.run_id)
                await anyio.lowlevel.checkpoint()

        with anyio.fail_after(50):
            async with anyio.create_task_group() as group:
                for backend in (one, two, one, two):
                    group.start_soon(create, backend)
                    group.start_soon(work, backend)
        assert sorted(finished) == sorted(created)
        assert await one.thread_status(thread_id) == "idle"


# Leases


async def test_expired_lease_is_claimed_as_the_next_attempt(backend: Backend) -> None:
    run = await backend.run(await backend.thread())
    first = await backend.claim_one(lease_seconds=0)
    second = await backend.claim_one()
    assert (second.run.run_id, second.run.attempt) == (run.run_id, 2)
    assert second.lease_token != first.lease_token


async def test_lost_lease_makes_every_write_fail(backend: Backend) -> None:
    thread_id = await backend.thread()
    run = await backend.run(thread_id)
    late = await backend.claim_one(lease_seconds=0)
    holder = await backend.claim_one()
    before = await backend.row(run.run_id)
    with pytest.raises(LeaseLost):
        await backend.runs.finish(late, SUCCESS)
    with pytest.raises(LeaseLost):
        await backend.runs.discard(late, b"null")
    await backend.runs.release(late)
    assert await backend.runs.renew([late], 30) == {}
    assert await backend.row(run.run_id) == before
    assert bytes((await backend.threads.get(thread_id)).values) == b"null"
    await backend.runs.finish(holder, SUCCESS)
    assert await backend.status(run.run_id) == "success"


async def test_renewed_lease_is_not_taken_over(backend: Backend) -> None:
    run = await backend.run(None)
    claim = await backend.claim_one(lease_seconds=0)
    assert await backend.runs.renew([claim], 30) == {run.run_id: None}
    assert await backend.runs.claim(1, 30) == []


async def test_claims_count_rescues_since_progress(backend: Backend) -> None:
    await backend.run(None)
    claims = [await backend.claim_one(lease_seconds=0) for _ in range(4)]
    await backend.runs.note_progress(claims[0])  # a lost lease changes nothing
    claims.append(await backend.claim_one(lease_seconds=0))
    await backend.runs.note_progress(claims[-1])
    claims.append(await backend.claim_one(lease_seconds=0))
    assert [claim.rescues for claim in claims] == [0, 1, 2, 3, 4, 1]
    assert [claim.run.attempt for claim in claims] == list(range(1, 7))


async def test_released_run_counts_no_rescue(backend: Backend) -> None:
    await backend.run(None)
    for _ in range(6):
        claim = await backend.claim_one()
        assert claim.rescues == 0
        await backend.runs.release(claim)


async def test_worker_never_claims_what_it_works_on(backend: Backend) -> None:
    runs = [(await backend.run(None)).run_id for _ in range(3)]
    mine = {claim.run.run_id for claim in await backend.runs.claim(2, 30)}
    await backend.runs.expire_leases()
    assert [one.run.run_id for one in await backend.runs.claim(3, 30, mine)] == runs[2:]
    assert await backend.runs.claim(3, 30, None) == []
    assert {one.run.run_id for one in await backend.runs.claim(3, 30)} == mine


async def test_abandoned_run_is_claimed_again(backend: Backend) -> None:
    run = await backend.run(None)
    claim = await backend.claim_one(lease_seconds=3600)
    await backend.runs.abandon([claim])
    again = await backend.claim_one()
    assert (again.run.run_id, again.rescues) == (run.run_id, 1)
    await backend.runs.abandon([claim])
    assert await backend.runs.claim(1, 30) == []


async def test_runs_keep_order_after_a_clock_step_back(backend: Backend) -> None:
    runs = [(await backend.run(None)).run_id for _ in range(3)]
    delayed = (await backend.run(None, after_seconds=5)).run_id
    ahead = "UPDATE runs SET start_at = start_at + 3600000000, created_at = created_at + 3600000000"
    await backend.database.write(lambda c: c.execute(ahead))
    later = await backend.run(None)
    assert [claim.run.run_id for claim in await backend.runs.claim(9, 30)] == [later.run_id]
    await backend.runs.mend_times(30)
    assert [claim.run.run_id for claim in await backend.runs.claim(9, 30)] == runs
    row = await backend.row(delayed) or {}
    assert 3 < row["start_at"] / 1_000_000 - await backend.runs.read_clock() <= 5
    await backend.runs.mend_times(30)
    assert await backend.row(delayed) == row


async def test_webhooks_are_sent_after_a_clock_step_back(backend: Backend) -> None:
    webhooks = [("new", 0, 3600), ("failed", 1, 3600), ("waiting", 1, 300)]
    for run_id, attempts, seconds in webhooks:
        await backend.database.write(
            lambda c, row=(run_id, attempts, seconds): c.execute(
                """INSERT INTO webhooks (run_id, target, url, payload, attempts, due_at)
                VALUES (:id, 'run', '', '', :attempts, now_us() + 1000000 * :seconds)""",
                id=row[0],
                attempts=row[1],
                seconds=row[2],
            )
        )
    await backend.runs.mend_times(30)
    due = await backend.database.read(lambda c: c.all("SELECT run_id FROM webhooks WHERE due_at <= now_us()"))
    assert {row["run_id"] for row in due} == {"new", "failed"}


async def test_released_run_keeps_its_place_in_the_queue(backend: Backend) -> None:
    first, second = await backend.run(None), await backend.run(None)
    await backend.runs.release(await backend.claim_one())
    assert [claim.run.run_id for claim in await backend.runs.claim(2, 30)] == [first.run_id, second.run_id]


async def test_all_leases_expire_when_the_process_is_alone(backend: Backend) -> None:
    created = {(await backend.run(None)).run_id for _ in range(3)}
    await backend.runs.claim(3, 3600)
    assert await backend.runs.expire_leases() == 3
    assert {claim.run.run_id for claim in await backend.runs.claim(3, 30)} == created


# Endings


async def test_finish_stores_the_result_in_run_and_thread(backend: Backend) -> None:
    thread_id = await backend.thread()
    run = await backend.run(thread_id)
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    record = await backend.runs.get(run.run_id)
    thread = await backend.threads.get(thread_id)
    assert (record.run.status, record.output) == ("success", b'{"n":1}')
    assert (thread.status, bytes(thread.values)) == ("idle", b'{"n":1}')


async def test_run_without_webhooks_wakes_no_sender(backend: Backend) -> None:
    await backend.run(await backend.thread())
    claim = await backend.claim_one()
    async with backend.broker.listen(WEBHOOKS) as sender:
        await backend.runs.finish(claim, SUCCESS)
        assert not await sender.wait(0.1)


async def test_failed_run_leaves_thread_values_and_its_error(backend: Backend) -> None:
    thread_id = await backend.thread()
    await backend.run(thread_id)
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    run = await backend.run(thread_id)
    await backend.runs.finish(await backend.claim_one(), Ending("error", "error", error=b'{"error":"E","message":"m"}'))
    thread = await backend.threads.get(thread_id)
    assert (thread.status, bytes(thread.values), bytes(thread.error)) == (
        "error",
        b'{"n":1}',
        b'{"error":"E","message":"m"}',
    )
    assert (await backend.runs.get(run.run_id)).error == b'{"error":"E","message":"m"}'


async def test_temporary_thread_is_deleted_and_its_run_stays(backend: Backend) -> None:
    run = await backend.run(None)
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    assert (await backend.runs.get(run.run_id)).output == b'{"n":1}'
    with pytest.raises(NotFound):
        await backend.threads.get(run.thread_id)


async def test_stateless_run_may_keep_its_thread(backend: Backend) -> None:
    run = await backend.run(None, on_completion="keep")
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    assert bytes((await backend.threads.get(run.thread_id)).values) == b'{"n":1}'


async def test_temporary_thread_is_shown_by_no_request(backend: Backend) -> None:
    run = await backend.run(None)
    with pytest.raises(NotFound):
        await backend.threads.get(run.thread_id)
    with pytest.raises(NotFound):
        await backend.runs.list_by_thread(run.thread_id, 10, 0, None)


# Cancel


@pytest.mark.parametrize(("action", "left"), [("interrupt", "interrupted"), ("rollback", None)])
async def test_cancelled_pending_run_ends_at_once(backend: Backend, action: Any, left: str | None) -> None:
    thread_id = await backend.thread()
    run = await backend.run(thread_id)
    await backend.runs.cancel(run.run_id, thread_id, action)
    assert await backend.status(run.run_id) == left
    assert await backend.runs.claim(1, 30) == []
    assert await backend.thread_status(thread_id) == "idle"
    assert await backend.events(run.run_id) == []


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancel_of_a_running_run_notifies_its_worker(backend: Backend, action: Any) -> None:
    run = await backend.run(await backend.thread())
    claim = await backend.claim_one()
    async with backend.broker.listen(CANCELS) as notifications:
        await backend.runs.cancel(run.run_id, None, action)
        assert await notifications.wait(0)
    assert await backend.status(run.run_id) == "running"
    assert await backend.runs.cancel_wishes() == {run.run_id: (claim.run.attempt, action)}
    assert await backend.runs.renew([claim], 30) == {run.run_id: action}


async def test_wish_to_cancel_outlives_the_worker(backend: Backend) -> None:
    run = await backend.run(None)
    await backend.claim_one(lease_seconds=0)
    await backend.runs.cancel(run.run_id, None, "interrupt")
    assert (await backend.claim_one()).cancel == "interrupt"


async def test_discarded_run_leaves_the_earlier_thread_values(backend: Backend) -> None:
    thread_id = await backend.thread()
    run = await backend.run(thread_id)
    await backend.runs.discard(await backend.claim_one(), b'{"n":0}')
    assert await backend.row(run.run_id) is None
    thread = await backend.threads.get(thread_id)
    assert (thread.status, bytes(thread.values)) == ("idle", b'{"n":0}')


async def test_ended_run_can_be_deleted_but_not_cancelled(backend: Backend) -> None:
    run = await backend.run(None)
    with pytest.raises(Conflict, match="has not ended yet; cancel it first"):
        await backend.runs.delete(run.run_id, None)
    await backend.runs.finish(await backend.claim_one(), SUCCESS)
    with pytest.raises(Conflict, match="already ended"):
        await backend.runs.cancel(run.run_id, None, "interrupt")
    await backend.runs.delete(run.run_id, None)
    with pytest.raises(NotFound, match=run.run_id):
        await backend.runs.get(run.run_id)


# Double texting


async def test_second_run_on_busy_thread_is_rejected(backend: Backend) -> None:
    thread_id = await backend.thread()
    await backend.run(thread_id, multitask_strategy="reject")
    with pytest.raises(ThreadBusy, match="already running a task"):
        await backend.run(thread_id, multitask_strategy="reject")
    assert len(await backend.runs.list_by_thread(thread_id, 10, 0, None)) == 1


async def test_concurrent_rejecting_runs_create_one(database_url: str) -> None:
    async with open_backend(database_url) as one, open_backend(database_url) as two:
        thread_id = await one.thread()
        refused: list[ThreadBusy] = []

        async def create(backend: Backend) -> None:
            try:
                await backend.run(thread_id, multitask_strategy="reject")
            except ThreadBusy as error:
                refused.append(error)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for number in range(10):
                    group.start_soon(create, (one, two)[number % 2])
        assert len(refused) == 9
        assert len(await one.runs.list_by_thread(thread_id, 10, 0, None)) == 1


async def test_new_run_interrupts_waiting_and_running_runs(backend: Backend) -> None:
    thread_id = await backend.thread()
    running, waiting = await backend.run(thread_id), await backend.run(thread_id)
    claim = await backend.claim_one()
    new = await backend.run(thread_id, multitask_strategy="interrupt")
    assert await backend.status(waiting.run_id) == "interrupted"
    assert await backend.status(running.run_id) == "running"
    assert await backend.runs.cancel_wishes() == {running.run_id: (claim.run.attempt, "interrupt")}
    assert await backend.runs.claim(1, 30) == []
    await backend.runs.finish(claim, Ending("interrupted", "interrupted"))
    assert (await backend.claim_one()).run.run_id == new.run_id


async def test_new_run_rolls_back_waiting_and_running_runs(backend: Backend) -> None:
    thread_id = await backend.thread()
    running, waiting = await backend.run(thread_id), await backend.run(thread_id)
    claim = await backend.claim_one()
    new = await backend.run(thread_id, multitask_strategy="rollback")
    assert await backend.row(waiting.run_id) is None
    assert await backend.status(running.run_id) == "running"
    assert await backend.runs.cancel_wishes() == {running.run_id: (claim.run.attempt, "rollback")}
    await backend.runs.discard(claim, b"null")
    assert (await backend.claim_one()).run.run_id == new.run_id


# Creation


async def test_created_run_rings_for_the_workers(backend: Backend) -> None:
    async with backend.broker.listen(QUEUE) as notifications:
        await backend.run(None)
        assert await notifications.wait(0)


async def test_run_on_unknown_thread_needs_if_not_exists(backend: Backend) -> None:
    thread_id = unknown_id()
    with pytest.raises(NotFound, match=thread_id):
        await backend.run(thread_id)
    assert (await backend.run(thread_id, if_not_exists="create")).thread_id == thread_id
    assert (await backend.threads.get(thread_id)).status == "busy"


async def test_refused_run_leaves_nothing_behind(backend: Backend) -> None:
    thread_id = unknown_id()
    with pytest.raises(NotFound):
        await backend.run(thread_id, if_not_exists="create", assistant_id=unknown_id())
    with pytest.raises(NotFound):
        await backend.threads.get(thread_id)


async def test_unknown_graph_error_lists_known_graphs(backend: Backend) -> None:
    with pytest.raises(Invalid, match=r"'nope'.*(?s:.)*agent"):
        await backend.run(None, assistant_id="nope")


async def test_context_beside_configurable_is_refused(backend: Backend) -> None:
    with pytest.raises(BadRequest, match="configurable and context"):
        await backend.run(None, context={"a": 1}, config={"configurable": {"b": 2}})


async def test_thread_runs_are_listed_by_page_and_status(backend: Backend) -> None:
    thread_id = await backend.thread()
    created = [(await backend.run(thread_id)).run_id for _ in range(3)]
    await backend.runs.finish(await backend.claim_one(), SUCCESS)

    async def listed(limit: int = 10, offset: int = 0, status: str | None = None) -> list[str]:
        return [run.run_id for run in await backend.runs.list_by_thread(thread_id, limit, offset, status)]

    assert await listed() == created[::-1]
    assert await listed(limit=1, offset=1) == [created[1]]
    assert await listed(status="success") == [created[0]]
    assert await listed(status="pending") == created[:0:-1]


async def test_run_is_not_found_on_another_thread(backend: Backend) -> None:
    run = await backend.run(await backend.thread())
    other = await backend.thread()
    with pytest.raises(NotFound, match=run.run_id):
        await backend.runs.get(run.run_id, other)


async def test_run_and_thread_metadata_name_the_graph(backend: Backend) -> None:
    thread_id = await backend.thread()
    run = await backend.run(thread_id, metadata={"mine": 1})
    assert b'"mine":1' in bytes(run.metadata)
    assert b'"graph_id":"agent"' in bytes(run.metadata)
    assert b'"graph_id":"agent"' in bytes((await backend.threads.get(thread_id)).metadata)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
@pytest.mark.parametrize("started", [False, True])
async def test_temporary_thread_goes_with_its_cancelled_run(backend: Backend, action: Any, started: bool) -> None:
    run = await backend.run(None)
    claim = await backend.claim_one() if started else None
    await backend.runs.cancel(run.run_id, None, action)
    if claim and action == "rollback":
        await backend.runs.discard(claim, b"null")
    elif claim:
        await backend.runs.finish(claim, Ending("interrupted", "interrupted"))
    assert await backend.database.read(lambda c: c.all("SELECT * FROM threads")) == []
