"""Content parts of OpenAI's messages as LangChain's content blocks. URLs are passed on and never fetched."""

from __future__ import annotations

from typing import Any

from agent_server.protocols.openai.errors import BadParameter
from agent_server.schema import JsonObject

_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_IMAGES = ("image_url", "input_image")
_FILES = {"file": "file", "input_file": "file"}


def convert_content(content: Any, where: str) -> str | list[JsonObject]:
    """Return a message's content: one text, or blocks if it has images, sounds or files. Errors: `BadParameter`."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadParameter(where, "content must be a string or a list of parts")
    blocks = [_block(part, f"{where}[{at}]") for at, part in enumerate(content)]
    if all(block["type"] == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks)
    return blocks


def _block(part: Any, where: str) -> JsonObject:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _TEXTS:
        return {"type": "text", "text": _text(part, _TEXTS[kind], where)}
    if kind in _IMAGES:
        return _image(part, where)
    if kind == "input_audio":
        sound = part.get("input_audio")
        if not isinstance(sound, dict) or not isinstance(sound.get("data"), str):
            raise BadParameter(where, "input_audio must be an object with data (base64) and format")
        return {"type": "audio", "base64": sound["data"], "mime_type": f"audio/{sound.get('format') or 'wav'}"}
    if kind in _FILES:
        return _file(part[_FILES[kind]] if isinstance(part.get(_FILES[kind]), dict) else part, where)
    raise BadParameter(
        where, f"The part has the type {kind!r}; it may be text, input_text, image_url, input_image, input_audio, file"
    )


def _text(part: JsonObject, name: str, where: str) -> str:
    if not isinstance(text := part.get(name), str):
        raise BadParameter(where, f"The part must have {name}, a string")
    return text


def _image(part: JsonObject, where: str) -> JsonObject:
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str):
        raise BadParameter(where, "The image must have image_url, an address or a data URL; files have no ids here")
    return {"type": "image", **_source(url, "image/png")}


def _file(file: JsonObject, where: str) -> JsonObject:
    named = {"extras": {"filename": file["filename"]}} if isinstance(file.get("filename"), str) else {}
    for field in ("file_data", "file_url"):
        if isinstance(given := file.get(field), str):
            is_data = field == "file_data" and not given.startswith("data:")
            source = {"base64": given, "mime_type": "application/pdf"} if is_data else _source(given, None)
            return {"type": "file", **source, **named}
    raise BadParameter(where, "The file must have file_data (base64 or a data URL) or file_url; files have no ids here")


def _source(url: str, media_type: str | None) -> JsonObject:
    """Return the content of a data URL, or any other URL."""
    if not url.startswith("data:"):
        return {"url": url}
    head, _, data = url[len("data:") :].partition(",")
    named = head.split(";")[0] or media_type
    return {"base64": data, **({"mime_type": named} if named else {})}


def read_text(content: Any) -> str:
    """Return the text in the content of a chat message of the agent."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(one if isinstance(one, str) else _read_block_text(one) for one in blocks)


def _read_block_text(block: Any) -> str:
    is_text = isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)
    return block["text"] if is_text else ""
