"""The text that `dev` prints once the server responds: the agents, and a command to try."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from agent_server.agents import Agent, StatefulAgent
from agent_server.agents.plain import PlainAgent
from agent_server.config import Config

NONE = 'none yet; name them under "graphs" in langgraph.json'
HELLO = "Tell me a joke about databases."
_MESSAGES = {"messages": [{"role": "user", "content": HELLO}]}
_SAMPLES: Mapping[str, Any] = {
    "string": "Hello",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}


async def banner(config: Config, address: str, agents: Mapping[str, Agent], needs_key: bool, moved: str = "") -> str:
    """Return the text; its command calls an existing agent with an input that it accepts."""
    prefix = config.http.mount_prefix
    base = f"{address}{prefix}"
    pages = [*([f"{base}/"] if config.http.app else []), f"{base}/feedback/ui"]
    pages += [] if "meta" in config.http.disabled else [f"{base}/docs"]
    lines = [
        *([moved] if moved else []),
        f"Agent server on {base}",
        f"Agents: {', '.join(sorted(agents)) or NONE}",
        "",
        "Open   " + "\n         ".join(pages),
    ]
    if agents and "runs" not in config.http.disabled:
        lines += [*await _curl(base, agents, needs_key), _FEEDBACK.format(base=base)]
    return "\n  ".join(["", *lines, ""])


def format_reloaded(agents: Mapping[str, Agent]) -> str:
    """Return what is printed after a restart."""
    return f"\n  Restarted. Agents: {', '.join(sorted(agents)) or 'none'}\n"


_FEEDBACK = 'Then   POST {{"score": 1}} to one of the URLs of the feedback event, and see it at {base}/feedback/ui'


async def _curl(base: str, agents: Mapping[str, Agent], needs_key: bool) -> list[str]:
    inputs = {name: await _sample_input(agent) for name, agent in agents.items()}
    name = next((name for name, given in inputs.items() if "messages" in given), next(iter(inputs)))
    key = ' -H "x-api-key: $KEY"' if needs_key else ""
    mode = "updates" if isinstance(agents[name], StatefulAgent) else "custom"
    body = {
        "assistant_id": name,
        "stream_mode": mode,
        "feedback_keys": ["user_liked", "user_disliked"],
        "input": inputs[name],
    }
    text = shlex.quote(json.dumps(body))
    return [f"Paste  curl -N {base}/runs/stream{key} -H 'Content-Type: application/json' \\", f"         -d {text}"]


async def _sample_input(agent: Agent) -> dict[str, Any]:
    """Return an input that the agent accepts, as far as its schema or its code shows."""
    if isinstance(agent, PlainAgent):
        return _sample_input_of_function(agent.function)
    if isinstance(agent, StatefulAgent):
        schemas = await agent.schemas({})
        return build_sample(schemas.get("input_schema") or {})
    return {}


def build_sample(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object that the JSON Schema allows, with the required members, or all if none is required."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    wanted = schema.get("required") or list(properties)
    return {name: _value(name, properties.get(name, {}), schema) for name in wanted}


def _value(name: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    if name == "messages":
        return _MESSAGES["messages"]
    if "$ref" in schema:
        definition = root.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], {})
        return _value(name, definition, root)
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        if option.get("type") != "null":
            return _value(name, option, root)
    if schema.get("type") == "object" and schema.get("properties"):
        return build_sample({**schema, "$defs": root.get("$defs", {})})
    return _SAMPLES.get(str(schema.get("type")), "Hello")


def _sample_input_of_function(function: Any) -> dict[str, Any]:
    """Return an input with the members that the code of a plain agent reads from its first parameter."""
    try:
        source = inspect.getsource(function)
        parameter = next(iter(inspect.signature(function).parameters))
    except (OSError, TypeError, StopIteration):
        return {}
    read = re.findall(rf"\b{re.escape(parameter)}(?:\[|\.get\()\s*['\"](\w+)['\"]", source)
    return {name: _MESSAGES["messages"] if name == "messages" else "Hello" for name in dict.fromkeys(read)}
