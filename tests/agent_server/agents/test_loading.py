"""Agents are loaded from a configuration."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.runtime import ServerRuntime

from agent_server.agents import PlainAgent, RequestContext, is_stateful, open_agents, set_request_context
from agent_server.config import Config, ConfigError, Graph
from agent_server.schema import StateUpdate
from tests.agent_server.agent_runs import agent_run, play
from tests.agent_server.graphs import doubling

EXAMPLES = Path(__file__).parents[3] / "examples"


def config(directory: Path, **graphs: str) -> Config:
    return Config(directory, {name: Graph(path) for name, path in graphs.items()}, data_dir=directory / "data")


async def talk(_: Any) -> AsyncGenerator[str, None]:
    yield "hello"


async def make_later() -> Any:
    return doubling


@asynccontextmanager
async def make_in_context() -> AsyncIterator[Any]:
    yield doubling


@pytest.mark.parametrize("given", [doubling, doubling.builder, lambda: doubling, make_later, make_in_context])
async def test_graphs_and_their_factories_become_stateful_agents(tmp_path: Path, given: object) -> None:
    async with open_agents(config(tmp_path), {"g": given}) as agents:
        assert is_stateful(agents["g"])
        _, outcome = await play(agents["g"], agent_run("g", {"x": 2}, thread_id=str(uuid4())))
        assert outcome.values["x"] == 4


async def test_factory_with_a_parameter_runs_for_every_run(tmp_path: Path) -> None:
    seen = []

    @asynccontextmanager
    async def make(config: Any) -> AsyncIterator[Any]:
        seen.append(config["configurable"].get("run_id"))
        yield doubling
        seen.append("closed")

    async with open_agents(config(tmp_path), {"g": make}) as agents:
        run = agent_run("g", {"x": 2}, thread_id=str(uuid4()))
        _, outcome = await play(agents["g"], run)
        assert outcome.values["x"] == 4
        assert seen == [run.run_id, "closed"]
        assert is_stateful(agents["g"])
        assert (await agents["g"].state(run.thread_id, None, False))["values"]["x"] == 4


async def test_factory_gets_purpose_user_and_store(tmp_path: Path) -> None:
    seen: list[Any] = []
    configs: list[Any] = []

    async def with_both(runtime: ServerRuntime[Any], config: Any) -> Any:
        seen.append((config["configurable"].get("thread_id"), runtime))
        configs.append(config["configurable"])
        return doubling

    def with_runtime(made_for: ServerRuntime[Any]) -> Any:
        seen.append((None, made_for))
        return doubling

    store = InMemoryStore()
    async with open_agents(config(tmp_path), {"both": with_both, "one": with_runtime}, store) as agents:
        run = agent_run("both", {"x": 2}, thread_id=str(uuid4()), context={"who": "Ada"})
        run.caller = {"identity": "ada"}
        await play(agents["both"], run)
        set_request_context(RequestContext({"identity": "bob"}, {"x-team": "blue"}))
        both, one = agents["both"], agents["one"]
        assert is_stateful(both)
        assert is_stateful(one)
        await both.state(run.thread_id, None, False)
        await both.update_state(run.thread_id, [[StateUpdate({"x": 3})]], None)
        await one.schemas({})
        set_request_context(RequestContext())
        await one.schemas({})
    thread_ids, runtimes = zip(*seen, strict=True)
    assert thread_ids == (run.thread_id, run.thread_id, run.thread_id, None, None)
    assert [runtime.access_context for runtime in runtimes] == [
        "threads.create_run",
        "threads.read",
        "threads.update",
        "assistants.read",
        "assistants.read",
    ]
    assert (runtimes[0].execution_runtime.context, runtimes[0].ensure_user().identity) == ({"who": "Ada"}, "ada")
    assert [runtime.execution_runtime for runtime in runtimes[1:]] == [None] * 4
    assert [runtime.user and runtime.user.identity for runtime in runtimes[1:]] == ["bob", "bob", "bob", None]
    assert [(one["x-team"], one["langgraph_auth_user"].identity) for one in configs[1:]] == [("blue", "bob")] * 2
    assert all(runtime.store is store for runtime in runtimes)


async def test_generators_and_agents_are_served_unchanged(tmp_path: Path) -> None:
    agent = PlainAgent(talk)
    async with open_agents(config(tmp_path), {"function": talk, "agent": agent}) as agents:
        assert agents["agent"] is agent
        _, outcome = await play(agents["function"], agent_run("function"))
        assert outcome.values["messages"][0]["content"] == "hello"
    assert not (tmp_path / "data").exists(), "no checkpoints are stored without a graph"


async def test_files_and_modules_are_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"module_{uuid4().hex}"
    (tmp_path / "lib").mkdir()
    code = "async def talk(_):\n    yield 'hello'\n\nother = talk\n"
    (tmp_path / "lib" / f"{name}.py").write_text(code)
    (tmp_path / "agents.py").write_text(f"import {name}\n{code}")
    monkeypatch.setattr(sys, "path", [*sys.path])
    settings = config(tmp_path, one="./agents.py:talk", two="./agents.py:other", three=f"{name}:talk")
    settings = Config(settings.directory, settings.graphs, ("./lib", "some-package"), data_dir=settings.data_dir)
    async with open_agents(settings) as agents:
        for graph_id in ("one", "two", "three"):
            _, outcome = await play(agents[graph_id], agent_run(graph_id))
            assert outcome.values["messages"][0]["content"] == "hello"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("./missing.py:graph", "graph 'g': there is no file .*missing.py"),
        ("./there.py:missing", "graph 'g': ./there.py has no variable 'missing'"),
        ("./there.py:number", "graph 'g' is 3, which is neither a graph nor an agent"),
        (
            "./there.py:wide",
            "graph 'g': its factory takes 2 parameters; it may take nothing, `config`, `runtime`, or both",
        ),
        ("./there.py:fails", r"graph 'g': there.py:4: ZeroDivisionError: division by zero\n.*--verbose"),
        ("./breaks.py:graph", r"graph 'g': breaks.py:2: KeyError: 'no'\n.*--verbose"),
        ("./syntax.py:graph", r"graph 'g': syntax.py:1: SyntaxError: .*\nThis server runs on Python 3\."),
        ("no_such_module_here:graph", r"graph 'g': no_such_module_here: ModuleNotFoundError: .*\nInstall it where"),
    ],
)
async def test_loading_failure_is_explained(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "there.py").write_text("number = 3\ndef wide(a, b): ...\ndef fails():\n    return 1 / 0\n")
    (tmp_path / "breaks.py").write_text("# a comment\n{}['no']\n")
    (tmp_path / "syntax.py").write_text("def\n")
    with pytest.raises(ConfigError, match=message) as caught:
        async with open_agents(config(tmp_path, g=path)):
            pass
    assert "importlib" not in caught.value.trace
    assert str(caught.value).count("\n") <= 1


async def test_dependency_that_is_no_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dependencies names '\./nowhere'"):
        async with open_agents(Config(tmp_path, dependencies=("./nowhere",))):
            pass


WITHOUT_LANGGRAPH = """
import asyncio, sys
for name in ("langgraph", "langchain_core"):
    sys.modules[name] = None  # as if it were not installed
from pathlib import Path
from agent_server.agents import open_agents
from agent_server.config import Config, Graph

async def main(path):
    async with open_agents(Config(Path(sys.argv[1]), {"g": Graph(path)})) as agents:
        print(type(agents["g"]).__name__)

asyncio.run(main("./plain.py:agent"))
try:
    asyncio.run(main("./chat.py:graph"))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_plain_agents_work_without_langgraph_and_graphs_explain() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANGGRAPH, str(EXAMPLES)], capture_output=True, text=True, timeout=50, check=True
    )
    first, _, rest = done.stdout.partition("\n")
    assert first == "PlainAgent"
    assert rest.startswith("ConfigError graph 'g': chat.py:")
    assert "pip install 'agent-server[langgraph]'" in rest


async def test_examples_answer_and_remember(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_TOKEN_SECONDS", "0")
    monkeypatch.delenv("AGENT_MODEL", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    settings = Config.load(EXAMPLES / "langgraph.json", {"AGENT_SERVER_DATA_DIR": str(tmp_path)})
    async with open_agents(settings) as agents:
        thread_id = str(uuid4())
        question = {"messages": [{"role": "user", "content": "Tell me a joke about databases."}]}
        events, _ = await play(agents["agent"], agent_run("agent", question, "messages-tuple", thread_id=thread_id))
        joke = "".join(data[0]["content"] for _, data in events)
        assert len(events) > 5
        _, outcome = await play(agents["agent"], agent_run("agent", question, "messages-tuple", thread_id=thread_id))
        received = [message.content for message in outcome.values["messages"]]
        assert len(set(received)) == 3
        assert received[1] == joke
        _, outcome = await play(agents["plain"], agent_run("plain", {"text": "a b"}))
        assert outcome.values["words"] == 2
        assert outcome.values["messages"][0]["content"] == "I count: 1 a, 2 b, 2 in all."
