"""`agent-server check` and `agent-server schema`: validate langgraph.json, and load what it names."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from agent_server.access.auth_object import load_auth
from agent_server.agents import open_agents
from agent_server.agents.stores.opening import open_store
from agent_server.cli.settings import CONFIG_OPTION, VERBOSE_OPTION, export_env, export_options, load_config
from agent_server.composition import build
from agent_server.config import Config, ConfigError
from agent_server.config.ignored_settings import find_ignored_settings
from agent_server.config.json_schema import json_schema
from agent_server.config.user_code import load_variable


@click.command()
@CONFIG_OPTION
@VERBOSE_OPTION
def check(**given: Any) -> None:
    """Validate langgraph.json, and import the graphs and all else that it names.

    No server starts and no data is touched. The exit status is 1 if anything is wrong, so CI can run it.
    """
    export_options(given)
    problems = list(_problems(Path(os.environ["AGENT_SERVER_CONFIG"]), verbose=bool(given.get("verbose"))))
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    if problems:
        raise SystemExit(1)


@click.command()
def schema() -> None:
    """Print the JSON Schema of langgraph.json, for editors.

    Save it beside your langgraph.json, and name it there: "$schema": "./langgraph.schema.json".
    """
    click.echo(json.dumps(json_schema(), indent=2))


def _problems(path: Path, verbose: bool) -> Iterator[str]:
    try:
        config = load_config()
        export_env(config)
    except ConfigError as error:
        yield str(error)
        return
    for one in find_ignored_settings(json.loads(path.read_text(encoding="utf-8"))):
        if one.unknown:
            yield f"{path}: {one}"
        else:
            click.echo(f"note   {one}")
    for failed in asyncio.run(_load_errors(config)):
        yield f"{failed}\n{failed.trace}" if verbose and failed.trace else str(failed)


async def _load_errors(config: Config) -> list[ConfigError]:
    """Load each item of the configuration separately, so that one failure hides no other."""
    errors: list[ConfigError] = []
    with tempfile.TemporaryDirectory(prefix="agent-server-check-") as directory:
        apart = replace(config, data_dir=Path(directory), database_url=None, redis_url=None, role="all")
        for name, graph in config.graphs.items():
            await _try(_load_graph(replace(apart, graphs={name: graph})), f"graph {name!r}", errors)
        if config.auth is not None:
            await _try(_load_async(lambda: load_auth(apart)), "auth", errors)
        if (app := config.http.app) is not None:
            await _try(_load_async(lambda: load_variable("http.app", app, apart)), "http.app", errors)
        if config.store_path or config.store_index:
            await _try(_load_store(apart), "store", errors)
    await _try(_load_async(lambda: build(config)), "", errors)
    return errors


async def _try(loading: Any, what: str, errors: list[ConfigError]) -> None:
    try:
        found = await loading
        if what:
            click.echo(f"ok     {what}{found or ''}")
    except (ConfigError, ValueError) as error:
        errors.append(error if isinstance(error, ConfigError) else ConfigError(str(error)))


async def _load_graph(config: Config) -> str:
    async with open_agents(config) as agents:
        [agent] = agents.values()
        return f" ({type(agent).__name__.removesuffix('Agent') or 'agent'})"


async def _load_async(load: Any) -> None:
    load()


async def _load_store(config: Config) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_store(config))
