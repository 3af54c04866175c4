"""The store finds items by meaning with an application's embedding function, on both databases."""

from __future__ import annotations

import json
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_server.agents import open_store
from agent_server.agents.stores.sqlite import cosine_distance
from agent_server.config import Config, ConfigError
from tests.agent_server.api import Api, serving

EMBED = """
import asyncio

WORDS = ("cat", "dog", "stone")

def vectors(texts):
    return [[float(text.lower().count(word)) + 0.01 for word in WORDS] for text in texts]

def embed(texts):
    asyncio.run(asyncio.sleep(0))  # which only goes in a thread without a loop
    return vectors(texts)

async def aembed(texts):
    await asyncio.sleep(0)
    return vectors(texts)

def short(texts):
    return [[1.0]] * len(texts)

def failing(texts):
    raise RuntimeError("the provider's secret words")

nothing = 1
"""


def config_with(directory: Path, embed: str = "./embeds.py:embed", **index: Any) -> Config:
    """Return the configuration of a langgraph.json with this `store.index`."""
    (directory / "embeds.py").write_text(EMBED)
    given = {"dims": 3, "embed": embed, **index}
    (directory / "langgraph.json").write_text(json.dumps({"store": {"index": given}}))
    return Config.load(directory / "langgraph.json", {})


@asynccontextmanager
async def indexed(
    database_url: str, directory: Path, embed: str = "./embeds.py:embed", **index: Any
) -> AsyncIterator[Api]:
    settings = config_with(directory, embed, **index)
    async with serving(database_url, directory, store_index=settings.store_index) as api:
        yield api


async def put(api: Api, key: str, value: Any, **more: Any) -> None:
    body = {"namespace": ["things"], "key": key, "value": value, **more}
    assert (await api.send("PUT", "/store/items", body)).status_code == 204


async def found(api: Api, **query: Any) -> list[tuple[str, bool]]:
    """Return the keys that a search finds, the nearest first, each with whether it has a score."""
    items = (await api.post("/store/items/search", {"namespace_prefix": ["things"], **query}))["items"]
    return [(item["key"], item["score"] is not None) for item in items]


@pytest.mark.parametrize("function", ["embed", "aembed"])
async def test_search_shows_what_means_the_same_first(database_url: str, tmp_path: Path, function: str) -> None:
    async with indexed(database_url, tmp_path, f"./embeds.py:{function}") as api:
        await put(api, "tom", {"text": "a cat, the cat"})
        await put(api, "rex", {"text": "a dog"})
        await put(api, "rock", {"text": "a stone"})
        assert await found(api, query="dog dog", limit=1) == [("rex", True)]
        assert (await found(api, query="my cat"))[0] == ("tom", True)
        assert await found(api, query="a dog", filter={"text": "a stone"}) == [("rock", True)]
        assert {scored for _, scored in await found(api)} == {False}


async def test_items_are_indexed_by_configured_or_own_fields(database_url: str, tmp_path: Path) -> None:
    async with indexed(database_url, tmp_path, fields=["title"]) as api:
        await put(api, "by-title", {"title": "dog", "text": "cat cat cat"})
        await put(api, "by-text", {"title": "dog", "text": "cat"}, index=["text"])
        await put(api, "unindexed", {"title": "cat"}, index=False)
        assert (await found(api, query="cat"))[0] == ("by-text", True)
        assert (await found(api, query="dog"))[0] == ("by-title", True)
        assert ("unindexed", True) not in await found(api, query="cat")


@pytest.mark.parametrize(
    ("function", "problem"), [("short", "a list of 3 numbers for each text"), ("failing", "embedding function failed")]
)
async def test_failing_embedding_is_reported_without_further_damage(
    database_url: str, tmp_path: Path, function: str, problem: str
) -> None:
    async with indexed(database_url, tmp_path, f"./embeds.py:{function}") as api:
        body = {"namespace": ["things"], "key": "a", "value": {"text": "cat"}}
        status, message = await api.refusal("PUT", "/store/items", body)
        assert status == 503
        assert problem in message
        assert "secret" not in message
        await put(api, "b", {"text": "cat"}, index=False)
        assert await found(api) == [("b", False)]


def test_cosine_distance_needs_equal_dimensions() -> None:
    def vector(*numbers: float) -> bytes:
        return array("f", numbers).tobytes()

    assert cosine_distance(vector(1, 0), vector(2, 0)) == pytest.approx(0)
    assert cosine_distance(vector(1, 0), vector(0, 3)) == pytest.approx(1)
    assert cosine_distance(vector(1, 1), vector(-1, -1)) == pytest.approx(2)
    assert cosine_distance(vector(0, 0), vector(1, 1)) == 1
    with pytest.raises(ValueError, match="2 and of 1"):
        cosine_distance(vector(1, 0), vector(1))


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        ({"embed": 1}, "must name a function"),
        ({"embed": "embed"}, "must name a function"),
        ({"dims": 0}, "whole number from 1"),
        ({"dims": None}, "whole number from 1"),
        ({"fields": "text"}, "list of strings"),
        ({"metric": "cosine"}, "it may have dims, embed, fields"),
    ],
)
def test_wrong_setting_is_refused_with_the_right_form(tmp_path: Path, index: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config_with(tmp_path, **{"embed": "./embeds.py:embed", **index})


@pytest.mark.parametrize(
    ("embed", "problem"),
    [
        ("openai:text-embedding-3-small", "pip install langchain"),
        ("./gone.py:embed", "there is no file"),
        ("./embeds.py:gone", "has no variable 'gone'"),
        ("./embeds.py:nothing", "a function from texts to vectors"),
    ],
)
async def test_missing_embedding_prevents_the_start(tmp_path: Path, embed: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        async with open_store(config_with(tmp_path, embed)):
            pass


@pytest.mark.parametrize("index", [["$"], ["other", "$"]])
async def test_root_of_an_item_is_all_of_it(database_url: str, tmp_path: Path, index: list[str]) -> None:
    async with indexed(database_url, tmp_path, fields=["text"]) as api:
        await put(api, "stone", {"text": "stone stone", "meta": {"topic": "x"}})
        await put(api, "root", {"text": "x", "meta": {"topic": "cat cat cat"}}, index=index)
        assert (await found(api, query="cat", limit=1)) == [("root", True)]
