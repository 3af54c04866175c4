"""Embeddings for the store: load the function in `store.index`, and check its results at every call."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from typing import Any

import anyio.to_thread
import structlog
from langgraph.store.base import IndexConfig, ensure_embeddings

from agent_server.config import Config, ConfigError, StoreIndex
from agent_server.config.load_errors import format_trace
from agent_server.config.user_code import load_variable
from agent_server.errors import Unavailable

log = structlog.get_logger("agent_server")

Embed = Callable[[Sequence[str]], Awaitable[list[list[float]]]]


def build_index(config: Config) -> IndexConfig | None:
    """Return LangGraph's settings for a store with semantic search; None if `config` has no `store.index`.

    The function may be sync (it runs in a thread) or async; it takes texts and returns a list of `dims` numbers for
    each.
    Errors: `ConfigError`.
    """
    if (index := config.store_index) is None:
        return None
    return IndexConfig(
        dims=index.dims, embed=_check_vectors(_embed(config, index), index.dims), fields=list(index.fields)
    )


def _embed(config: Config, index: StoreIndex) -> Embed:
    source = index.embed.rpartition(":")[0]
    if "." not in source and "/" not in source:
        return _load_provider_embed(index.embed)
    function = load_variable("store.index.embed", index.embed, config)
    if hasattr(function, "aembed_documents"):  # LangChain's Embeddings
        return _convert_to_list(function.aembed_documents)
    if not callable(function):
        raise ConfigError(f"store.index.embed is {function!r:.100}; it must be a function from texts to vectors")
    return function if inspect.iscoroutinefunction(function) else _run_in_thread(function)


def _load_provider_embed(name: str) -> Embed:
    if find_spec("langchain") is None:
        raise ConfigError(
            f"store.index.embed is {name!r}, which LangChain knows: pip install langchain, and the package of the "
            "provider (such as langchain-openai); or name a function of your own, like './embed.py:embed'"
        )
    try:
        return _convert_to_list(ensure_embeddings(name).aembed_documents)
    except Exception as error:
        raise ConfigError(
            f"store.index.embed is {name!r}, which LangChain cannot make\n{format_trace(error)}"
        ) from error


def _convert_to_list(function: Callable[[list[str]], Awaitable[list[list[float]]]]) -> Embed:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return await function(list(texts))

    return embed


def _run_in_thread(function: Callable[[Sequence[str]], Any]) -> Embed:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        made: list[list[float]] = await anyio.to_thread.run_sync(function, texts)
        return made

    return embed


def _check_vectors(embed: Embed, dims: int) -> Embed:
    async def embed_checked(texts: Sequence[str]) -> list[list[float]]:
        try:
            vectors = [[float(one) for one in vector] for vector in await embed(texts)]
        except Exception as error:
            log.error("embedding_failed", error=type(error).__name__, exc_info=error)
            raise Unavailable("The store cannot tell what texts mean now: its embedding function failed") from error
        if len(vectors) != len(texts) or any(len(vector) != dims for vector in vectors):
            log.error("embedding_wrong", texts=len(texts), vectors=[len(vector) for vector in vectors], dims=dims)
            raise Unavailable(f"The store's embedding function must give a list of {dims} numbers for each text")
        return vectors

    return embed_checked
