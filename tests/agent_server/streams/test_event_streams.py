"""A thread's events by version 2 of the protocol: numbered, filtered, resumed anywhere, over both databases."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import anyio
import msgspec
import pytest

from agent_server.access.ownership import Condition
from agent_server.asgi.sse import frame_data
from agent_server.broker import SlowSubscriber
from agent_server.errors import NotFound
from agent_server.runs.events.event import TURN
from agent_server.runs.events.schema import CommandDone, CommandRefused, EventStreamRequest
from agent_server.runs.records import RunOrigin
from agent_server.runs.run_log import RunLog
from agent_server.schema import CancelAction, StreamPart
from agent_server.streams import event_streams
from agent_server.streams.commands import Command, Commands, Sender
from agent_server.streams.event_streams import EventStreams
from agent_server.threads.schema import ThreadCreate
from tests.agent_server.backend import BASE_URL, Backend, MintedUrls, open_backend, unknown_id, until
from tests.agent_server.graphs import asking, canned, chat, doubling, failing, nested_asking

ALL = ["values", "updates", "checkpoints", "messages", "tools", "custom", "lifecycle", "input", "tasks"]
KEYS = ["liked"]
HI = {"messages": [{"role": "user", "content": "hi"}]}

Event = dict[str, Any]


async def counting(given: Any) -> AsyncGenerator[dict[str, Any], None]:
    for number in range(given):
        yield {"n": number}


async def speaking(given: Any) -> AsyncGenerator[str, None]:
    for word in given:
        yield word


@dataclass
class EventBackend:
    """A backend with the commands and events of the protocol."""

    backend: Backend
    streams: EventStreams
    commands: Commands

    async def command(self, thread_id: str, method: str, **params: Any) -> CommandDone | CommandRefused:
        return await self.commands.execute(Sender(thread_id, RunOrigin(BASE_URL)), Command(1, method, params))

    async def begin(self, thread_id: str, given: Any, **params: Any) -> str:
        """Start a run and return its id."""
        done = await self.command(thread_id, "run.start", assistant_id="agent", input=given, **params)
        assert isinstance(done, CommandDone), done
        return cast(str, done.result["run_id"])

    async def run(self, thread_id: str, given: Any, **params: Any) -> str:
        """Start a run, wait for its end and return its id."""
        run_id = await self.begin(thread_id, given, **params)
        await self.backend.streams.wait_for_end(await self.backend.runs.get(run_id))
        return run_id

    async def events(self, thread_id: str, ends: int = 1, **request: Any) -> list[Event]:
        """Return the thread's events until so many runs have ended or wait."""
        events: list[Event] = []
        stream = await self.streams.follow(thread_id, msgspec.convert({"channels": ALL, **request}, EventStreamRequest))
        async with aclosing(cast(AsyncGenerator[Any, None], stream)):
            with anyio.fail_after(20):
                async for frames in stream:
                    events += [msgspec.json.decode(frame_data(one.data)) for one in frames]
                    if sum(is_end(event) for event in events) >= ends:
                        break
        return events

    async def events_now(self, thread_id: str, **request: Any) -> list[Event]:
        """Return the events that arrive while nothing happens."""
        events: list[Event] = []
        stream = await self.streams.follow(thread_id, msgspec.convert({"channels": ALL, **request}, EventStreamRequest))
        with anyio.move_on_after(0.5):
            async for frames in stream:
                events += [msgspec.json.decode(frame_data(one.data)) for one in frames]
        return events


def is_end(event: Event) -> bool:
    return lifecycle(event) in ("completed", "failed", "interrupted")


def lifecycle(event: Event) -> str | None:
    """Return the run's lifecycle state, if the event has one."""
    params = event["params"]
    return params["data"]["event"] if event["method"] == "lifecycle" and not params["namespace"] else None


def data_of(events: list[Event], method: str) -> list[Any]:
    return [event["params"]["data"] for event in events if event["method"] == method]


def methods(events: list[Event]) -> list[str]:
    return [event["method"] for event in events]


def seqs(events: list[Event]) -> list[int]:
    return [event["seq"] for event in events]


def event_backend(backend: Backend) -> EventBackend:
    streams = EventStreams(backend.database, backend.threads, backend.runs, backend.broker)
    return EventBackend(backend, streams, Commands(backend.database, backend.runs))


Open = Callable[..., AbstractAsyncContextManager[EventBackend]]


@pytest.fixture
def received(database_url: str) -> Open:
    """Return a function that opens a backend with a worker, over a database of each kind."""

    @asynccontextmanager
    async def opened(agent: Any = counting, **settings: Any) -> AsyncIterator[EventBackend]:
        async with open_backend(database_url, {"agent": agent}, **settings) as backend, backend.worker():
            yield event_backend(backend)

    return opened


async def test_events_are_numbered_across_a_threads_runs(received: Open) -> None:
    async with received() as here:
        thread_id = await here.backend.thread()
        for _ in range(2):
            await here.run(thread_id, 1)
        events = await here.events(thread_id, ends=2)
    assert methods(events) == ["lifecycle", "custom", "updates", "values", "lifecycle"] * 2
    assert [lifecycle(event) for event in events if lifecycle(event)] == ["running", "completed"] * 2
    assert seqs(events) == [*range(1, 6), *range(TURN + 1, TURN + 6)]
    assert [event["event_id"] for event in events] == [str(number) for number in seqs(events)]


async def test_every_number_resumes_right_behind_it(received: Open) -> None:
    async with received() as here:
        thread_id = await here.backend.thread()
        for given in (2, 0, 3):
            await here.run(thread_id, given)
        events = await here.events(thread_id, ends=3)
        for at, event in enumerate(events[:-1], start=1):
            ends = sum(is_end(later) for later in events[at:])
            assert await here.events(thread_id, ends=ends, since=event["seq"]) == events[at:]
        assert await here.events_now(thread_id, since=events[-1]["seq"]) == []


async def test_reader_gets_runs_started_while_reading(received: Open) -> None:
    async with received() as here:
        thread_id = await here.backend.thread()
        seen: list[Event] = []

        async def listen() -> None:
            seen.extend(await here.events(thread_id, ends=3))

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.sleep(0.1)
            for _ in range(3):
                await here.begin(thread_id, 1)
        assert data_of(seen, "custom") == [{"n": 0}] * 3
        assert seqs(seen) == sorted(set(seqs(seen)))


async def test_channels_and_namespaces_choose(received: Open) -> None:
    async with received(nested_asking) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, {"x": 1})
        everything = await here.events(thread_id)
        only = await here.events(thread_id, channels=["lifecycle"])
        root = await here.events(thread_id, namespaces=[[]], depth=0)
        below = await here.events_now(thread_id, namespaces=[["sub"]])
    assert set(methods(only)) == {"lifecycle"}
    assert root == [event for event in everything if not event["params"]["namespace"]]
    assert below == [event for event in everything if event["params"]["namespace"]]
    assert [data["event"] for data in data_of(below, "lifecycle")] == ["started", "interrupted"]
    assert {data["graph_name"] for data in data_of(below, "lifecycle")} == {"sub"}


@pytest.mark.parametrize(
    ("asked", "channel", "namespace", "wanted"),
    [
        ({"channels": ["custom"]}, "custom:a", (), True),
        ({"channels": ["custom:a"]}, "custom:a", (), True),
        ({"channels": ["custom:a"]}, "custom:b", (), False),
        ({"channels": ["custom:a"]}, "custom", (), False),
        ({"channels": ["values"], "namespaces": [["sub"]]}, "values", ("sub:1", "x:2"), True),
        ({"channels": ["values"], "namespaces": [["sub:1"]]}, "values", ("sub:1",), True),
        ({"channels": ["values"], "namespaces": [["sub:1"]]}, "values", ("sub:2",), False),
        ({"channels": ["values"], "namespaces": [["sub"]]}, "values", (), False),
        ({"channels": ["values"], "namespaces": [["sub"]], "depth": 0}, "values", ("sub:1", "x:2"), False),
        ({"channels": ["values"], "namespaces": [["sub"]], "depth": 1}, "values", ("sub:1", "x:2"), True),
        ({"channels": ["values"], "namespaces": []}, "values", ("sub:1",), True),
    ],
)
def test_subscription_wants_what_the_clients_take(
    asked: Any, channel: str, namespace: tuple[str, ...], wanted: bool
) -> None:
    assert msgspec.convert(asked, EventStreamRequest).wants(channel, namespace) == wanted


@pytest.mark.parametrize("name", ["progress", "a|b", "|", "é\n"])
async def test_named_custom_events_have_their_own_channel(received: Open, name: str) -> None:
    async def naming(_: Any) -> AsyncGenerator[dict[str, Any], None]:
        yield {"name": name, "payload": 1}
        yield {"name": "other", "payload": 2}

    async with received(naming) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, 0)
        events = await here.events(thread_id, channels=[f"custom:{name}", "lifecycle"], namespaces=[[]], depth=0)
    assert data_of(events, "custom") == [{"name": name, "payload": 1}]


async def gone(backend: Backend, run_id: str) -> bool:
    return not await backend.broker.holds(run_id)


async def test_dropped_events_become_a_gap_with_final_values(received: Open) -> None:
    async with received(doubling, keep=0.01) as here:
        thread_id = await here.backend.thread()
        run_id = await here.run(thread_id, {"x": 1})
        last = (await here.backend.runs.get(run_id)).last_event
        await until(lambda: gone(here.backend, run_id))
        events = await here.events(thread_id, since=1)
        assert await here.events_now(thread_id, since=last) == []
        assert await here.events_now(thread_id, since=events[-1]["seq"]) == []
    assert methods(events) == ["gap", "values", "lifecycle"]
    assert data_of(events, "values") == [{"x": 2, "log": ["double"]}]
    assert lifecycle(events[-1]) == "completed"
    assert seqs(events) == [TURN - 3, TURN - 2, TURN - 1]


async def test_interrupt_is_sent_without_a_log(received: Open) -> None:
    async with received(asking, keep=0.01) as here:
        thread_id = await here.backend.thread()
        run_id = await here.run(thread_id, {"x": 1})
        await until(lambda: gone(here.backend, run_id))
        events = await here.events(thread_id, since=1)
    assert methods(events) == ["gap", "values", "input.requested", "lifecycle"]
    assert data_of(events, "input.requested")[0]["payload"] == {"question": "how many?"}


async def test_trimmed_log_starts_with_a_gap(received: Open) -> None:
    async with received(max_bytes=3000) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, 50)
        events = await here.events(thread_id)
        assert (events[0]["method"], is_end(events[-1])) == ("gap", True)
        assert seqs(events) == list(range(events[0]["seq"], events[-1]["seq"] + 1))
        assert await here.events(thread_id, since=events[0]["seq"]) == events[1:]


async def test_reader_who_falls_behind_is_cut(received: Open) -> None:
    """As on the older routes, the connection closes; the client reconnects with `since` and receives a gap."""

    async def much(_: Any) -> AsyncGenerator[dict[str, Any], None]:
        for number in range(100):
            yield {"n": number}
            await anyio.sleep(0.002)

    async with received(much, max_bytes=5000) as here:
        thread_id = await here.backend.thread()
        run_id = await here.begin(thread_id, 0)
        seen: list[Event] = []

        async def dawdle() -> None:
            async for frames in await here.streams.follow(thread_id, EventStreamRequest(["custom"])):
                seen.extend(msgspec.json.decode(frame_data(one.data)) for one in frames)
                await here.backend.streams.wait_for_end(await here.backend.runs.get(run_id))

        with pytest.raises(SlowSubscriber):
            await dawdle()
        rest = await here.events(thread_id, channels=["custom", "lifecycle"], since=seen[-1]["seq"])
    assert (rest[0]["method"], lifecycle(rest[-1])) == ("gap", "completed")
    assert rest[0]["seq"] > seen[-1]["seq"]


async def test_failure_event_has_its_message(received: Open) -> None:
    async with received(failing) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, {"x": 1})
        events = await here.events(thread_id)
    assert events[-1]["params"]["data"] == {"event": "failed", "graph_name": "agent", "error": "boom é <1>"}


async def test_cancelled_run_ends_as_failed(received: Open) -> None:
    """The official server sends nothing more of the run (recorded, 0.16.7); its client waits for an ending."""

    async def waiting(_: Any) -> AsyncGenerator[dict[str, Any], None]:
        yield {"n": 0}
        await anyio.sleep_forever()

    async with received(waiting) as here:
        thread_id = await here.backend.thread()
        errors: list[str] = []

        async def listen() -> None:
            ends = [event for event in await here.events(thread_id, ends=2) if is_end(event)]
            errors.extend(event["params"]["data"]["error"] for event in ends)

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await cancelled(here, thread_id, "interrupt")
            await cancelled(here, thread_id, "rollback")
    assert errors == ["The run was cancelled", "The run was cancelled and rolled back"]


async def cancelled(here: EventBackend, thread_id: str, action: CancelAction) -> None:
    """Start a run and cancel it once it is active."""
    run_id = await here.begin(thread_id, 0)
    await until(lambda: here.backend.broker.holds(run_id))
    record = await here.backend.runs.get(run_id)
    await here.backend.runs.cancel(run_id, thread_id, action)
    await here.backend.streams.wait_for_end(record)


async def test_received_interrupt_may_be_answered(received: Open) -> None:
    """The event is sent only once the thread's row has it."""
    async with received(nested_asking) as here:
        thread_id = await here.backend.thread()
        results: list[CommandDone | CommandRefused] = []

        async def respond() -> None:
            stream = await here.streams.follow(thread_id, EventStreamRequest(["input"]))
            frames = await anext(stream)
            event = msgspec.json.decode(frame_data(frames[0].data))
            interrupt_id = event["params"]["data"]["interrupt_id"]
            given = {"namespace": event["params"]["namespace"], "interrupt_id": interrupt_id, "response": 3}
            results.extend([await here.command(thread_id, "input.respond", **given) for _ in range(2)])

        async with anyio.create_task_group() as group:
            group.start_soon(respond)
            await anyio.sleep(0.05)
            await here.begin(thread_id, {"x": 1})
        events = await here.events(thread_id, ends=2)
    assert isinstance(results[0], CommandDone)
    assert results[0].meta.applied_through_seq == TURN
    assert isinstance(results[1], CommandRefused)
    assert results[1].error == "no_such_interrupt"
    assert [lifecycle(event) for event in events if is_end(event)] == ["interrupted", "completed"]
    assert data_of(events, "values")[-1] == {"x": 8, "log": ["ask", "double"]}


async def test_input_on_a_waiting_thread_resumes_it(received: Open) -> None:
    async with received(asking) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, {"x": 1})
        await here.run(thread_id, 4)
        events = await here.events(thread_id, ends=2)
    assert data_of(events, "values")[-1]["x"] == 10


async def test_feedback_comes_before_the_end(received: Open) -> None:
    async with received(feedback=MintedUrls()) as here:
        thread_id = await here.backend.thread()
        run_id = await here.run(thread_id, 0, feedback_keys=KEYS)
        events = await here.events(thread_id, channels=["custom:feedback", "lifecycle"])
    assert methods(events) == ["lifecycle", "custom", "lifecycle"]
    urls = {"liked": f"{BASE_URL}/feedback/{run_id}/liked/1"}
    assert data_of(events, "custom") == [{"name": "feedback", "payload": urls}]


async def test_resuming_run_inherits_the_feedback_keys(received: Open) -> None:
    async with received(asking, feedback=MintedUrls()) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, {"x": 1}, feedback_keys=KEYS)
        [interrupted] = data_of(await here.events(thread_id), "input.requested")
        await here.command(thread_id, "input.respond", interrupt_id=interrupted["interrupt_id"], response=1)
        events = await here.events(thread_id, ends=2, channels=["custom:feedback", "lifecycle"])
    assert [list(data["payload"]) for data in data_of(events, "custom")] == [KEYS, KEYS]


async def test_plain_agents_text_comes_as_content_blocks(received: Open) -> None:
    async with received(speaking) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, ["Why ", "not"])
        messages = data_of(await here.events(thread_id), "messages")
    assert [data["event"] for data in messages] == [
        *("message-start", "content-block-start", "content-block-delta", "content-block-delta"),
        *("content-block-finish", "message-finish"),
    ]
    assert messages[-2]["content"]["text"] == "Why not"


async def test_model_messages_are_streamed_as_written(received: Open) -> None:
    async with received(chat) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, HI)
        events = await here.events(thread_id)
    messages = data_of(events, "messages")
    assert messages[0]["metadata"] == {"langgraph_node": "chat"}
    assert [data["delta"]["text"] for data in messages if "delta" in data] == ["Why", " ", "not"]
    human = data_of(events, "values")[0]["messages"][0]
    assert human.keys() == {"type", "content", "id"}


@pytest.mark.parametrize("by_protocol", [True, False])
async def test_unstreamed_message_appears_in_values_only(received: Open, by_protocol: bool) -> None:
    """As on the official server (recorded, 0.16.7)."""
    async with received(canned) as here:
        thread_id = await here.backend.thread()
        if by_protocol:
            await here.run(thread_id, HI)
        else:
            run = await here.backend.run(thread_id, input=HI, stream_mode=["messages-tuple", "values"])
            await here.backend.streams.wait_for_end(await here.backend.runs.get(run.run_id))
        events = await here.events(thread_id)
    assert data_of(events, "messages") == []
    assert [message["content"] for message in data_of(events, "values")[-1]["messages"]] == ["hi", "hello"]


async def test_stream_waits_for_thread_that_does_not_exist(received: Open) -> None:
    """Clients subscribe before they start the first run (langgraph-sdk 0.4.3 to 0.4.7)."""
    async with received() as here:
        thread_id = unknown_id()
        async with anyio.create_task_group() as group:
            events: list[Event] = []

            async def follow() -> None:
                events.extend(await here.events(thread_id))

            group.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            await here.begin(thread_id, 1)
    assert [lifecycle(event) for event in events if lifecycle(event)] == ["running", "completed"]


async def test_awaited_thread_of_another_user_ends_stream(received: Open) -> None:
    async with received() as here:
        thread_id, request = unknown_id(), msgspec.convert({"channels": ALL}, EventStreamRequest)
        stream = await here.streams.follow(thread_id, request, Condition({"owner": "bob"}))
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(anext, stream, None)  # waits for the thread and returns without an event
                await anyio.wait_all_tasks_blocked()
                await here.backend.threads.create(ThreadCreate(thread_id=thread_id, metadata={"owner": "anna"}))


async def test_runs_of_older_routes_are_streamed(received: Open) -> None:
    async with received(doubling, feedback=MintedUrls()) as here:
        thread_id = await here.backend.thread()
        body = {"input": {"x": 1}, "stream_mode": ["values", "updates"], "feedback_keys": KEYS}
        run_id = (await here.backend.run(thread_id, **body)).run_id
        await here.backend.streams.wait_for_end(await here.backend.runs.get(run_id))
        await here.run(thread_id, {"x": 5})
        events = await here.events(thread_id, ends=2)
        for at, event in enumerate(events[:-1], start=1):
            ends = sum(is_end(later) for later in events[at:])
            resumed = await here.events(thread_id, ends=ends, since=event["seq"])
            assert [(one["seq"], one["params"]["data"]) for one in resumed] == [
                (one["seq"], one["params"]["data"]) for one in events[at:]
            ]
    first = [event for event in events if event["seq"] < TURN]
    assert methods(first) == ["lifecycle", "values", "updates", "values", "custom", "lifecycle"]
    assert data_of(first, "updates") == [{"double": {"x": 2, "log": ["double"]}}]


async def test_interrupts_of_older_routes_are_streamed(received: Open) -> None:
    async with received(asking) as here:
        thread_id = await here.backend.thread()
        run_id = (await here.backend.run(thread_id, input={"x": 1})).run_id
        await here.backend.streams.wait_for_end(await here.backend.runs.get(run_id))
        events = await here.events(thread_id)
    assert methods(events)[-2:] == ["input.requested", "lifecycle"]
    assert lifecycle(events[-1]) == "interrupted"


async def test_older_routes_stream_a_run_of_the_protocol(received: Open) -> None:
    async with received(doubling, feedback=MintedUrls()) as here:
        thread_id = await here.backend.thread()
        run_id = await here.run(thread_id, {"x": 1}, feedback_keys=KEYS)
        events = [one for one in await here.backend.events(run_id) if one[0] in ("metadata", "values", "feedback")]
    assert [name for name, _ in events] == ["metadata", "values", "values", "feedback"]
    assert events[2][1] == {"x": 2, "log": ["double"]}


async def test_attempt_after_a_crash_has_its_own_turn(database_url: str) -> None:
    async with open_backend(database_url, {"agent": doubling}) as backend:
        here = event_backend(backend)
        thread_id = await backend.thread()
        run_id = await here.begin(thread_id, {"x": 1})
        lost = RunLog(await backend.claim_one(), backend.broker)
        await lost.publish(StreamPart("metadata", {"run_id": run_id, "attempt": 1}))
        await lost.publish(StreamPart("values", {"x": 1}))
        await backend.runs.expire_leases()
        async with backend.worker():
            events = await here.events(thread_id)
            resumed = await here.events(thread_id, since=1)
    assert [lifecycle(event) for event in events if lifecycle(event)] == ["running", "running", "completed"]
    assert seqs(events)[:3] == [1, 2, TURN + 1]
    assert seqs(events) == sorted(seqs(events))
    assert resumed == events[1:]


async def test_subscription_without_position_omits_old_endings(received: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python client would take them for the end of the run that it has just started."""
    monkeypatch.setattr(event_streams, "HISTORY_SECONDS", 0.0)
    async with received(doubling) as here:
        thread_id = await here.backend.thread()
        await here.run(thread_id, {"x": 1})
        await anyio.sleep(0.01)
        assert methods(await here.events_now(thread_id, channels=["lifecycle", "values"])) == ["values", "values"]
        asked_for = await here.events(thread_id, channels=["lifecycle"], since=0)
    assert [lifecycle(event) for event in asked_for] == ["running", "completed"]


async def test_command_says_how_far_the_thread_had_come(received: Open) -> None:
    async with received() as here:
        thread_id, applied = unknown_id(), []
        for _ in range(3):
            done = await here.command(thread_id, "run.start", assistant_id="agent", input=0)
            assert isinstance(done, CommandDone)
            applied.append(done.meta.applied_through_seq)
            await here.backend.streams.wait_for_end(await here.backend.runs.get(done.result["run_id"]))
    assert applied == [0, TURN, 2 * TURN]


async def test_thread_of_a_stateless_run_has_no_events(received: Open) -> None:
    async with received() as here:
        run = await here.backend.run(None, input=1, after_seconds=60)
        with pytest.raises(NotFound):
            await here.streams.follow(run.thread_id, EventStreamRequest(["values"]))


async def test_stream_ends_with_its_thread(received: Open) -> None:
    async with received() as here:
        thread_id = await here.backend.thread()
        stream = await here.streams.follow(thread_id, EventStreamRequest(["values"]))
        await here.backend.threads.delete(thread_id)
        with anyio.fail_after(10):
            assert [frames async for frames in stream] == []
