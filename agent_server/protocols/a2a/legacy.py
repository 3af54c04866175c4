"""Conversion between the shapes of A2A 0.3 and 1.0: 0.3 has `kind` on parts and events, and lower-case states."""

from __future__ import annotations

from typing import Any

from agent_server.schema import JsonObject

_EVENTS = {"task": "task", "message": "message", "statusUpdate": "status-update", "artifactUpdate": "artifact-update"}
FINAL_STATES = (
    *("TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"),
    "TASK_STATE_INPUT_REQUIRED",
)
"""The states after which a stream of events ends."""


def legacy_result(method: str, result: JsonObject) -> Any:
    """Return the result of a method in the shape of version 0.3."""
    if method in ("SendMessage", "SendStreamingMessage", "SubscribeToTask"):
        [(name, value)] = result.items()
        return _event(name, value)
    if method in ("GetTask", "CancelTask"):
        return _task(result)
    if method == "ListTasks":
        return {**result, "tasks": [_task(task) for task in result["tasks"]]}
    if method in ("GetTaskPushNotificationConfig", "CreateTaskPushNotificationConfig"):
        return _push_config(result)
    if method == "DeleteTaskPushNotificationConfig":
        return None
    if method == "ListTaskPushNotificationConfigs":
        return [_push_config(config) for config in result["configs"]]
    return result


def modern_params(method: str, params: JsonObject) -> JsonObject:
    """Return the parameters of a method of version 0.3 in the shape of 1.0; `method` has its name there."""
    modern = dict(params)
    if "PushNotificationConfig" in method and "id" in params:
        modern |= {"taskId": params["id"], "id": params.get("pushNotificationConfigId")}
    if isinstance(message := params.get("message"), dict):
        modern["message"] = _modern_message(message)
    if isinstance(configuration := params.get("configuration"), dict):
        changed = dict(configuration)
        if changed.pop("blocking", None) is False:
            changed["returnImmediately"] = True
        if (push := changed.pop("pushNotificationConfig", None)) is not None:
            changed["taskPushNotificationConfig"] = _modern_push_config(push)
        modern["configuration"] = changed
    if isinstance(push := params.get("pushNotificationConfig"), dict):
        modern |= _modern_push_config(push)
    return modern


def _modern_message(message: JsonObject) -> JsonObject:
    parts = message.get("parts")
    role = message.get("role")
    return {
        **message,
        "role": {"user": "ROLE_USER", "agent": "ROLE_AGENT"}.get(str(role), role),
        "parts": [_modern_part(part) for part in parts] if isinstance(parts, list) else parts,
    }


def _modern_part(part: Any) -> Any:
    if not isinstance(part, dict) or not isinstance(file := part.get("file"), dict):
        return part
    named = {"raw": "bytes", "url": "uri", "mediaType": "mimeType", "filename": "name"}
    modern = {new: file[old] for new, old in named.items() if file.get(old) is not None}
    return {**modern, **({"metadata": part["metadata"]} if "metadata" in part else {})}


def _event(name: str, value: JsonObject) -> JsonObject:
    if name == "task":
        return _task(value)
    if name == "message":
        return _message(value)
    event = {**value, "kind": _EVENTS[name]}
    if name == "artifactUpdate":
        return event | {"artifact": _artifact(value["artifact"])}
    return event | {"status": _status(value["status"]), "final": value["status"]["state"] in FINAL_STATES}


def _task(task: JsonObject) -> JsonObject:
    legacy = {**task, "kind": "task", "status": _status(task["status"])}
    if "artifacts" in task:
        legacy["artifacts"] = [_artifact(artifact) for artifact in task["artifacts"]]
    if "history" in task:
        legacy["history"] = [_message(message) for message in task["history"]]
    return legacy


def _status(status: JsonObject) -> JsonObject:
    state = status["state"].removeprefix("TASK_STATE_").lower().replace("_", "-")
    message = {"message": _message(status["message"])} if "message" in status else {}
    return {**status, "state": state, **message}


def _message(message: JsonObject) -> JsonObject:
    role = message["role"].removeprefix("ROLE_").lower()
    return {**message, "kind": "message", "role": role, "parts": [_part(part) for part in message["parts"]]}


def _artifact(artifact: JsonObject) -> JsonObject:
    return {**artifact, "parts": [_part(part) for part in artifact["parts"]]}


def _part(part: JsonObject) -> JsonObject:
    metadata = {"metadata": part["metadata"]} if "metadata" in part else {}
    if "text" in part:
        return {"kind": "text", "text": part["text"], **metadata}
    if "data" in part:
        data = part["data"]
        return {"kind": "data", "data": data if isinstance(data, dict) else {"value": data}, **metadata}
    named = {"bytes": "raw", "uri": "url", "mimeType": "mediaType", "name": "filename"}
    return {"kind": "file", "file": {old: part[new] for old, new in named.items() if new in part}, **metadata}


def _modern_push_config(push: Any) -> Any:
    if not isinstance(push, dict) or not isinstance(authentication := push.get("authentication"), dict):
        return push
    schemes = authentication.get("schemes")
    scheme = {"scheme": schemes[0]} if isinstance(schemes, list) and schemes else {}
    return {**push, "authentication": {**authentication, **scheme}}


def _push_config(config: JsonObject) -> JsonObject:
    inner = {name: value for name, value in config.items() if name not in ("taskId", "tenant")}
    if authentication := inner.get("authentication"):
        named = {name: value for name, value in authentication.items() if name != "scheme"}
        inner["authentication"] = {**named, "schemes": [authentication["scheme"]] if "scheme" in authentication else []}
    return {"taskId": config["taskId"], "pushNotificationConfig": inner}
