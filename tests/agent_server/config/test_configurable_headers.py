"""`http.configurable_headers` of `langgraph.json`: the request headers that a graph finds in its config."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_server.config.configurable_headers import HeaderRules
from agent_server.config.values import Http
from tests.agent_server.api import Api, serving

RULES = HeaderRules(includes=("x-my-*", "X-Other"), excludes=("x-my-secret",))
SENT = {"X-My-Team": "blue", "x-my-secret": "hush", "x-other": "1", "x-else": "2"}
SEEN = {"x-my-team": "blue", "x-other": "1"}
RUN = {"assistant_id": "showing", "input": {"x": 1}}


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(sqlite_url, tmp_path, http=Http(configurable_headers=RULES)) as api:
        yield api


def chosen(rules: HeaderRules, *names: str) -> set[str]:
    return set(rules.select([(name.encode(), b"1") for name in names]))


def test_star_matches_any_characters_and_nothing_else_does() -> None:
    assert chosen(HeaderRules(("x-*-id", "a.c")), "x-user-id", "X--Id", "x-id", "x-user-id2", "abc", "a.c") == {
        "x-user-id", "x--id", "a.c",
    }  # fmt: skip


def test_exclusion_overrides_inclusion() -> None:
    assert chosen(HeaderRules(("*",), ("x-*", "host")), "x-a", "host", "accept") == {"accept"}
    assert chosen(HeaderRules((), ("x-a",)), "x-a", "x-b") == set()


def test_secret_headers_need_exact_names() -> None:
    secret = ["authorization", "cookie", "x-api-key"]
    assert chosen(HeaderRules(("*",)), *secret, "x-a") == {"x-a"}
    assert chosen(HeaderRules(("Authorization",)), *secret) == {"authorization"}
    assert chosen(HeaderRules(("*", "thread_id")), "thread_id", "langgraph_auth_user", "__pregel_read") == set()


@pytest.mark.parametrize("path", ["/runs/wait", "/threads/{}/runs/wait"])
async def test_headers_override_the_bodys_configurable(api: Api, path: str) -> None:
    body = {**RUN, "config": {"configurable": {"x-my-team": "red", "own": 1}}}
    where = path.format(await api.thread())
    configurable = (await api.send("POST", where, body, **SENT)).json()["log"][0]
    assert {name: configurable[name] for name in (*SEEN, "own")} == {**SEEN, "own": 1}
    assert not configurable.keys() & {"x-my-secret", "x-else", "accept"}


async def test_run_with_a_context_finds_them_beside_it(api: Api) -> None:
    values = (await api.send("POST", "/runs/wait", {**RUN, "context": {"who": "Ada"}}, **SENT)).json()
    configurable, _, _, context = values["log"]
    assert (configurable["x-my-team"], context) == ("blue", {"who": "Ada"})


async def test_background_runs_and_batches_have_them_too(api: Api) -> None:
    thread_id = await api.thread()
    runs: list[Any] = [(await api.send("POST", f"/threads/{thread_id}/runs", RUN, **SENT)).json()]
    runs += (await api.send("POST", "/runs/batch", [RUN, RUN], **SENT)).json()
    assert [run["kwargs"]["config"]["configurable"] for run in runs] == [SEEN] * 3


async def test_without_the_setting_no_header_reaches_a_graph(sqlite_url: str, tmp_path: Path) -> None:
    async with serving(sqlite_url, tmp_path) as api:
        configurable = (await api.send("POST", "/runs/wait", RUN, **SENT)).json()["log"][0]
    assert not configurable.keys() & {*SENT, *SEEN}
