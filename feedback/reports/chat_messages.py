"""Chat messages: a run's input and output as a conversation for training sets.

The shapes are those of chat templates, which TRL's conversational formats use: `{"role", "content"}`, with `tool_calls`
in OpenAI's shape. The input may be LangChain's (`type`: human, ai, …) or OpenAI's (`role`) messages.
"""

from __future__ import annotations

from typing import Any

import msgspec

from feedback.runs import RunFacts

Message = dict[str, Any]
ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "developer": "system"}
ANSWER_FIELDS = ("content", "text", "answer", "output", "response", "completion", "corrected", "correction")


def conversation(facts: RunFacts) -> tuple[list[Message], list[Message]] | None:
    """Return the run's prompt (with all earlier messages) and its answer; None without an answer."""
    output_messages = _messages(facts.output)
    if output_messages is None:
        question = read_messages(facts.input)
        reply = _build_messages("assistant", facts.output)
        return (question, reply) if question and reply else None
    turns = [at for at, message in enumerate(output_messages) if message["role"] == "user"]
    at = turns[-1] if turns else -1
    prompt, completion = output_messages[: at + 1], output_messages[at + 1 :]
    prompt = prompt or read_messages(facts.input)
    return (prompt, completion) if prompt and any(one["role"] == "assistant" for one in completion) else None


def read_messages(given: Any) -> list[Message]:
    """Return a run's input as messages; an empty list if it had none."""
    return _messages(given) or _build_messages("user", given)


def read_correction(correction: Any) -> list[Message] | None:
    """Return the corrected answer; None if the correction has none."""
    messages = _messages(correction)
    if messages is not None:
        return [message for message in messages if message["role"] != "user"] or None
    if isinstance(correction, dict):
        for name in ANSWER_FIELDS:
            if isinstance(correction.get(name), str) and correction[name]:
                return _build_messages("assistant", correction[name])
    return _build_messages("assistant", correction) or None


def _messages(value: Any) -> list[Message] | None:
    """Return the messages of a graph's state or of a list."""
    if isinstance(value, dict):
        value = value.get("messages")
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return None
    found = [_message(one) for one in value]
    return [one for one in found if one is not None] or None


def _message(value: Any) -> Message | None:
    if isinstance(value, str):
        return {"role": "user", "content": value}
    if not isinstance(value, dict):
        return None
    role = ROLES.get(str(value.get("type")), value.get("role"))
    role = ROLES.get(str(role), role)
    if not isinstance(role, str):
        return None
    message: Message = {"role": role, "content": _text(value.get("content"))}
    if calls := [_call(call) for call in value.get("tool_calls") or () if isinstance(call, dict)]:
        message["tool_calls"] = calls
    if role == "tool" and isinstance(value.get("name"), str):
        message["name"] = value["name"]
    return message


def _call(call: dict[str, Any]) -> dict[str, Any]:
    if isinstance(call.get("function"), dict):
        return {"type": "function", "function": call["function"]}
    return {"type": "function", "function": {"name": call.get("name"), "arguments": call.get("args")}}


def _text(content: Any) -> str:
    """Return the text of a message's content, which may be a list of blocks."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(block.get("text") if isinstance(block, dict) else block) for block in content)
    return ""


def _build_messages(role: str, value: Any) -> list[Message]:
    if value is None or value in ("", {}, []):
        return []
    if isinstance(value, dict) and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        value = only
    return [{"role": role, "content": value if isinstance(value, str) else msgspec.json.encode(value).decode()}]
