"""Runs as a queue, over both databases: who may take which run when, and what becomes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, get_args

import anyio.lowlevel
import pytest

from agent_server.errors import BadRequest, Conflict, Invalid, NotFound, ThreadBusy
from agent_server.runs import runs as runs_module
from agent_server.runs.records import MAX_RESCUES, Claim, Ending
from agent_server.runs.runs import CANCELS, QUEUE, LeaseLost
from agent_server.schema import RunStatus
from tests.agent_server.house import House, open_house, unknown_id

SUCCESS = Ending("success", "idle", b'{"n":1}', output=b'{"n":1}')


# The state table

Transition = tuple[str, str, str]


def table() -> set[Transition]:
    """The rows of the table in the header of runs/runs.py: from, by, to."""
    lines = [line.split("|") for line in (runs_module.__doc__ or "").splitlines() if line.count("|") == 3]
    rows = [(cells[0].strip(), cells[1].strip(), cells[2].strip()) for cells in lines]
    return {row for row in rows if row[0] != "from" and not row[0].startswith("---")}


async def pending(house: House) -> Claim:
    """A pending run, and a claim on it from before."""
    await house.run(await house.thread())
    claim = await house.claim_one()
    await house.runs.release(claim)
    return claim


async def running(house: House) -> Claim:
    await house.run(await house.thread())
    return await house.claim_one()


async def expired(house: House) -> Claim:
    await house.run(await house.thread())
    return await house.claim_one(lease_seconds=0)


def ended(status: RunStatus) -> Callable[[House], Awaitable[Claim]]:
    async def prepare(house: House) -> Claim:
        claim = await running(house)
        await house.runs.finish(claim, Ending(status, "idle"))
        return claim

    return prepare


STATES = (pending, running, expired, ended("success"), ended("error"), ended("interrupted"), ended("timeout"))

VERBS: tuple[tuple[str, Callable[[House, Claim], Awaitable[Any]]], ...] = (
    ("claim", lambda house, _: house.runs.claim(1, 30)),
    ("cancel", lambda house, claim: house.runs.cancel(claim.run.run_id, None, "interrupt")),
    ("cancel", lambda house, claim: house.runs.cancel(claim.run.run_id, None, "rollback")),
    ("finish", lambda house, claim: house.runs.finish(claim, SUCCESS)),
    ("finish", lambda house, claim: house.runs.finish(claim, Ending("error", "error", error=b'{"error":"E"}'))),
    ("finish", lambda house, claim: house.runs.finish(claim, Ending("interrupted", "interrupted"))),
    ("discard", lambda house, claim: house.runs.discard(claim, b"null")),
    ("release", lambda house, claim: house.runs.release(claim)),
    ("renew", lambda house, claim: house.runs.renew([claim], 30)),
    ("multitask interrupt", lambda house, claim: house.run(claim.run.thread_id, multitask_strategy="interrupt")),
)


async def test_state_table_names_just_the_transitions_that_happen(house: House) -> None:
    run = await house.run(None)
    happened: set[Transition] = {("(none)", "create", str(await house.status(run.run_id)))}
    await house.runs.finish(await house.claim_one(), SUCCESS)
    for prepare in STATES:
        for by, act in VERBS:
            claim = await prepare(house)
            before = await house.row(claim.run.run_id)
            with suppress(LeaseLost, Conflict):
                await act(house, claim)
            after = await house.row(claim.run.run_id)
            assert before is not None
            if after is None or (before["status"], before["attempt"]) != (after["status"], after["attempt"]):
                happened.add((before["status"], by.partition("multitask")[0] or "cancel", _state(after)))
            for left in await house.runs.claim(100, 30):
                await house.runs.finish(left, SUCCESS)
            await _end(house, claim)
    assert happened == table()


def _state(row: Any) -> str:
    return row["status"] if row else "(deleted)"


async def _end(house: House, claim: Claim) -> None:
    """Take the run out of the way of the next."""
    await house.database.write(lambda c: c.execute("DELETE FROM runs WHERE run_id = :id", id=claim.run.run_id))


def test_every_status_of_the_state_table_is_one_of_the_wire() -> None:
    statuses = {state for source, _, to in table() for state in (source, to) if not state.startswith("(")}
    assert statuses <= set(get_args(RunStatus))


# Claims


async def test_runs_are_claimed_in_the_order_in_which_they_were_created(house: House) -> None:
    created = [(await house.run(None)).run_id for _ in range(5)]
    first = await house.runs.claim(2, 30)
    second = await house.runs.claim(10, 30)
    assert [claim.run.run_id for claim in (*first, *second)] == created
    assert await house.runs.claim(10, 30) == []


async def test_claim_makes_the_run_running_and_its_thread_busy(house: House) -> None:
    thread_id = await house.thread()
    run = await house.run(thread_id)
    claim = await house.claim_one()
    assert await house.status(run.run_id) == "running"
    assert await house.thread_status(thread_id) == "busy"
    assert (claim.run.attempt, claim.exhausted, claim.cancel) == (1, False, None)


async def test_run_on_busy_thread_waits_and_those_of_other_threads_overtake_it(house: House) -> None:
    thread_id = await house.thread()
    first, second, other = await house.run(thread_id), await house.run(thread_id), await house.run(None)
    claims = await house.runs.claim(3, 30)
    assert [claim.run.run_id for claim in claims] == [first.run_id, other.run_id]
    await house.runs.finish(claims[0], SUCCESS)
    assert (await house.claim_one()).run.run_id == second.run_id


async def test_enqueued_runs_of_a_thread_come_in_order_one_at_a_time(house: House) -> None:
    thread_id = await house.thread()
    created = [(await house.run(thread_id)).run_id for _ in range(4)]
    taken = []
    for _ in created:
        claim = await house.claim_one()
        assert await house.runs.claim(5, 30) == []
        taken.append(claim.run.run_id)
        await house.runs.finish(claim, SUCCESS)
    assert taken == created
    assert await house.thread_status(thread_id) == "idle"


async def test_thread_stays_busy_while_another_run_waits(house: House) -> None:
    thread_id = await house.thread()
    await house.run(thread_id)
    await house.run(thread_id)
    await house.runs.finish(await house.claim_one(), SUCCESS)
    assert await house.thread_status(thread_id) == "busy"


async def test_delayed_run_waits_for_its_time(house: House) -> None:
    thread_id = await house.thread()
    delayed = await house.run(thread_id, after_seconds=3600)
    assert await house.runs.claim(1, 30) == []
    assert await house.thread_status(thread_id) == "idle"
    now = await house.run(thread_id)
    assert (await house.claim_one()).run.run_id == now.run_id
    await house.database.write(lambda c: c.execute("UPDATE runs SET start_at = now_us() WHERE attempt = 0"))
    await house.database.write(lambda c: c.execute("UPDATE runs SET status = 'success' WHERE status = 'running'"))
    assert (await house.claim_one()).run.run_id == delayed.run_id


async def test_workers_that_claim_at_once_never_run_two_runs_of_one_thread(database_url: str) -> None:
    async with open_house(database_url) as one, open_house(database_url) as two:
        threads = [await one.thread() for _ in range(3)]
        created = {(await one.run(thread)).run_id for _ in range(10) for thread in threads}
        taken: list[str] = []
        with anyio.fail_after(50):
            while len(taken) < len(created):
                taken += [claim.run.run_id for claim in await _claims_at_once(one, two)]
        assert len(taken) == len(set(taken))
        assert set(taken) == created


async def _claims_at_once(one: House, two: House) -> list[Claim]:
    """What eight concurrent claims got, which are then finished; no two of one thread among them."""
    claims: list[Claim] = []

    async def claim(house: House, at_most: int) -> None:
        claims.extend(await house.runs.claim(at_most, 30))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(claim, (one, two)[number % 2], 1 + number % 3)
    threads = [claim.run.thread_id for claim in claims]
    assert len(threads) == len(set(threads)), "two runs of one thread run at once"
    async with anyio.create_task_group() as group:
        for taken in claims:
            group.start_soon(one.runs.finish, taken, SUCCESS)
    return claims


async def test_runs_created_and_claimed_at_once_are_each_run_once(database_url: str) -> None:
    async with open_house(database_url) as one, open_house(database_url) as two:
        thread_id = await one.thread()
        created: list[str] = []
        finished: list[str] = []

        async def create(house: House) -> None:
            for _ in range(10):
                created.append((await house.run(thread_id)).run_id)

        async def work(house: House) -> None:
            while len(finished) < 40:
                for claim in await house.runs.claim(2, 30):
                    await house.runs.finish(claim, SUCCESS)
                    finished.append(claim.run.run_id)
                await anyio.lowlevel.checkpoint()

        with anyio.fail_after(50):
            async with anyio.create_task_group() as group:
                for house in (one, two, one, two):
                    group.start_soon(create, house)
                    group.start_soon(work, house)
        assert sorted(finished) == sorted(created)
        assert await one.thread_status(thread_id) == "idle"


# Leases


async def test_expired_lease_is_claimed_again_as_the_next_attempt(house: House) -> None:
    run = await house.run(await house.thread())
    first = await house.claim_one(lease_seconds=0)
    second = await house.claim_one()
    assert (second.run.run_id, second.run.attempt) == (run.run_id, 2)
    assert second.lease_token != first.lease_token


async def test_what_a_worker_does_after_its_lease_was_taken_over_changes_nothing(house: House) -> None:
    thread_id = await house.thread()
    run = await house.run(thread_id)
    late = await house.claim_one(lease_seconds=0)
    holder = await house.claim_one()
    before = await house.row(run.run_id)
    with pytest.raises(LeaseLost):
        await house.runs.finish(late, SUCCESS)
    with pytest.raises(LeaseLost):
        await house.runs.discard(late, b"null")
    await house.runs.release(late)
    assert await house.runs.renew([late], 30) == {}
    assert await house.row(run.run_id) == before
    assert bytes((await house.threads.get(thread_id)).values) == b"null"
    await house.runs.finish(holder, SUCCESS)
    assert await house.status(run.run_id) == "success"


async def test_renewed_lease_is_not_taken_over(house: House) -> None:
    run = await house.run(None)
    claim = await house.claim_one(lease_seconds=0)
    assert await house.runs.renew([claim], 30) == {run.run_id: None}
    assert await house.runs.claim(1, 30) == []


async def test_run_that_lost_its_server_too_often_is_exhausted(house: House) -> None:
    await house.run(None)
    claims = [await house.claim_one(lease_seconds=0) for _ in range(MAX_RESCUES + 1)]
    assert [claim.exhausted for claim in claims] == [False] * MAX_RESCUES + [True]
    assert [claim.run.attempt for claim in claims] == list(range(1, MAX_RESCUES + 2))


async def test_released_run_is_taken_up_as_often_as_it_likes(house: House) -> None:
    await house.run(None)
    for _ in range(MAX_RESCUES * 2):
        claim = await house.claim_one()
        assert not claim.exhausted
        await house.runs.release(claim)


async def test_released_run_keeps_its_place_in_the_queue(house: House) -> None:
    first, second = await house.run(None), await house.run(None)
    await house.runs.release(await house.claim_one())
    assert [claim.run.run_id for claim in await house.runs.claim(2, 30)] == [first.run_id, second.run_id]


async def test_all_leases_expire_when_the_process_is_alone(house: House) -> None:
    created = {(await house.run(None)).run_id for _ in range(3)}
    await house.runs.claim(3, 3600)
    assert await house.runs.expire_leases() == 3
    assert {claim.run.run_id for claim in await house.runs.claim(3, 30)} == created


# Endings


async def test_finish_writes_the_result_into_the_run_and_its_thread(house: House) -> None:
    thread_id = await house.thread()
    run = await house.run(thread_id)
    await house.runs.finish(await house.claim_one(), SUCCESS)
    record = await house.runs.get(run.run_id)
    thread = await house.threads.get(thread_id)
    assert (record.run.status, record.output) == ("success", b'{"n":1}')
    assert (thread.status, bytes(thread.values)) == ("idle", b'{"n":1}')


async def test_failed_run_leaves_the_values_of_its_thread_and_its_error(house: House) -> None:
    thread_id = await house.thread()
    await house.run(thread_id)
    await house.runs.finish(await house.claim_one(), SUCCESS)
    run = await house.run(thread_id)
    await house.runs.finish(await house.claim_one(), Ending("error", "error", error=b'{"error":"E","message":"m"}'))
    thread = await house.threads.get(thread_id)
    assert (thread.status, bytes(thread.values), bytes(thread.error)) == (
        "error",
        b'{"n":1}',
        b'{"error":"E","message":"m"}',
    )
    assert (await house.runs.get(run.run_id)).error == b'{"error":"E","message":"m"}'


async def test_temporary_thread_goes_with_its_run_and_the_run_stays_readable(house: House) -> None:
    run = await house.run(None)
    await house.runs.finish(await house.claim_one(), SUCCESS)
    assert (await house.runs.get(run.run_id)).output == b'{"n":1}'
    with pytest.raises(NotFound):
        await house.threads.get(run.thread_id)


async def test_stateless_run_that_is_to_be_kept_leaves_its_thread(house: House) -> None:
    run = await house.run(None, on_completion="keep")
    await house.runs.finish(await house.claim_one(), SUCCESS)
    assert bytes((await house.threads.get(run.thread_id)).values) == b'{"n":1}'


async def test_temporary_thread_is_shown_by_no_request(house: House) -> None:
    run = await house.run(None)
    with pytest.raises(NotFound):
        await house.threads.get(run.thread_id)
    with pytest.raises(NotFound):
        await house.runs.of_thread(run.thread_id, 10, 0, None)


# Cancel


@pytest.mark.parametrize(("action", "left"), [("interrupt", "interrupted"), ("rollback", None)])
async def test_cancelled_pending_run_ends_at_once(house: House, action: Any, left: str | None) -> None:
    thread_id = await house.thread()
    run = await house.run(thread_id)
    await house.runs.cancel(run.run_id, thread_id, action)
    assert await house.status(run.run_id) == left
    assert await house.runs.claim(1, 30) == []
    assert await house.thread_status(thread_id) == ("interrupted" if left else "idle")
    assert await house.events(run.run_id) == []


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancel_of_a_running_run_is_a_wish_that_its_worker_hears(house: House, action: Any) -> None:
    run = await house.run(await house.thread())
    claim = await house.claim_one()
    async with house.broker.listen(CANCELS) as bell:
        await house.runs.cancel(run.run_id, None, action)
        assert await bell.wait(0)
    assert await house.status(run.run_id) == "running"
    assert await house.runs.cancel_wishes() == {run.run_id: (claim.run.attempt, action)}
    assert await house.runs.renew([claim], 30) == {run.run_id: action}


async def test_wish_to_cancel_outlives_the_worker(house: House) -> None:
    run = await house.run(None)
    await house.claim_one(lease_seconds=0)
    await house.runs.cancel(run.run_id, None, "interrupt")
    assert (await house.claim_one()).cancel == "interrupt"


async def test_discarded_run_leaves_its_thread_with_the_values_from_before(house: House) -> None:
    thread_id = await house.thread()
    run = await house.run(thread_id)
    await house.runs.discard(await house.claim_one(), b'{"n":0}')
    assert await house.row(run.run_id) is None
    thread = await house.threads.get(thread_id)
    assert (thread.status, bytes(thread.values)) == ("idle", b'{"n":0}')


async def test_run_that_has_ended_can_be_deleted_but_not_cancelled(house: House) -> None:
    run = await house.run(None)
    with pytest.raises(Conflict, match="has not ended yet; cancel it first"):
        await house.runs.delete(run.run_id, None)
    await house.runs.finish(await house.claim_one(), SUCCESS)
    with pytest.raises(Conflict, match="already ended"):
        await house.runs.cancel(run.run_id, None, "interrupt")
    await house.runs.delete(run.run_id, None)
    with pytest.raises(NotFound, match=run.run_id):
        await house.runs.get(run.run_id)


# Double texting


async def test_second_run_on_busy_thread_is_rejected(house: House) -> None:
    thread_id = await house.thread()
    await house.run(thread_id, multitask_strategy="reject")
    with pytest.raises(ThreadBusy, match="already running a task"):
        await house.run(thread_id, multitask_strategy="reject")
    assert len(await house.runs.of_thread(thread_id, 10, 0, None)) == 1


async def test_of_runs_that_reject_each_other_at_once_one_is_created(database_url: str) -> None:
    async with open_house(database_url) as one, open_house(database_url) as two:
        thread_id = await one.thread()
        refused: list[ThreadBusy] = []

        async def create(house: House) -> None:
            try:
                await house.run(thread_id, multitask_strategy="reject")
            except ThreadBusy as error:
                refused.append(error)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for number in range(10):
                    group.start_soon(create, (one, two)[number % 2])
        assert len(refused) == 9
        assert len(await one.runs.of_thread(thread_id, 10, 0, None)) == 1


async def test_new_run_interrupts_the_waiting_and_the_running_one(house: House) -> None:
    thread_id = await house.thread()
    running, waiting = await house.run(thread_id), await house.run(thread_id)
    claim = await house.claim_one()
    new = await house.run(thread_id, multitask_strategy="interrupt")
    assert await house.status(waiting.run_id) == "interrupted"
    assert await house.status(running.run_id) == "running"
    assert await house.runs.cancel_wishes() == {running.run_id: (claim.run.attempt, "interrupt")}
    assert await house.runs.claim(1, 30) == []
    await house.runs.finish(claim, Ending("interrupted", "interrupted"))
    assert (await house.claim_one()).run.run_id == new.run_id


async def test_new_run_rolls_back_the_waiting_and_the_running_one(house: House) -> None:
    thread_id = await house.thread()
    running, waiting = await house.run(thread_id), await house.run(thread_id)
    claim = await house.claim_one()
    new = await house.run(thread_id, multitask_strategy="rollback")
    assert await house.row(waiting.run_id) is None
    assert await house.status(running.run_id) == "running"
    assert await house.runs.cancel_wishes() == {running.run_id: (claim.run.attempt, "rollback")}
    await house.runs.discard(claim, b"null")
    assert (await house.claim_one()).run.run_id == new.run_id


# Creation


async def test_created_run_rings_for_the_workers(house: House) -> None:
    async with house.broker.listen(QUEUE) as bell:
        await house.run(None)
        assert await bell.wait(0)


async def test_run_on_unknown_thread_is_refused_unless_it_may_make_it(house: House) -> None:
    thread_id = unknown_id()
    with pytest.raises(NotFound, match=thread_id):
        await house.run(thread_id)
    assert (await house.run(thread_id, if_not_exists="create")).thread_id == thread_id
    assert (await house.threads.get(thread_id)).status == "busy"


async def test_refused_run_leaves_nothing_behind(house: House) -> None:
    thread_id = unknown_id()
    with pytest.raises(NotFound):
        await house.run(thread_id, if_not_exists="create", assistant_id=unknown_id())
    with pytest.raises(NotFound):
        await house.threads.get(thread_id)


async def test_unknown_graph_is_told_the_known_ones(house: House) -> None:
    with pytest.raises(Invalid, match=r"'nope'.*(?s:.)*agent"):
        await house.run(None, assistant_id="nope")


async def test_context_beside_configurable_is_refused(house: House) -> None:
    with pytest.raises(BadRequest, match="configurable and context"):
        await house.run(None, context={"a": 1}, config={"configurable": {"b": 2}})


async def test_runs_of_a_thread_are_listed_newest_first_by_page_and_status(house: House) -> None:
    thread_id = await house.thread()
    created = [(await house.run(thread_id)).run_id for _ in range(3)]
    await house.runs.finish(await house.claim_one(), SUCCESS)

    async def listed(limit: int = 10, offset: int = 0, status: str | None = None) -> list[str]:
        return [run.run_id for run in await house.runs.of_thread(thread_id, limit, offset, status)]

    assert await listed() == created[::-1]
    assert await listed(limit=1, offset=1) == [created[1]]
    assert await listed(status="success") == [created[0]]
    assert await listed(status="pending") == created[:0:-1]


async def test_run_is_not_found_on_another_thread(house: House) -> None:
    run = await house.run(await house.thread())
    other = await house.thread()
    with pytest.raises(NotFound, match=run.run_id):
        await house.runs.get(run.run_id, other)


async def test_runs_metadata_names_its_graph_and_so_does_its_threads(house: House) -> None:
    thread_id = await house.thread()
    run = await house.run(thread_id, metadata={"mine": 1})
    assert b'"mine":1' in bytes(run.metadata)
    assert b'"graph_id":"agent"' in bytes(run.metadata)
    assert b'"graph_id":"agent"' in bytes((await house.threads.get(thread_id)).metadata)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
@pytest.mark.parametrize("started", [False, True])
async def test_temporary_thread_goes_with_its_cancelled_run(house: House, action: Any, started: bool) -> None:
    run = await house.run(None)
    claim = await house.claim_one() if started else None
    await house.runs.cancel(run.run_id, None, action)
    if claim and action == "rollback":
        await house.runs.discard(claim, b"null")
    elif claim:
        await house.runs.finish(claim, Ending("interrupted", "interrupted"))
    assert await house.database.read(lambda c: c.all("SELECT * FROM threads")) == []
