"""OpenAPI operations and schemas of the feedback routes that differ from Litestar's defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar.openapi import ResponseSpec
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    RequestBody,
    Schema,
    SecurityRequirement,
    Tag,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from msgspec import Struct

from feedback.reports.export import CSV_TYPE, JSONL_TYPE

MULTIPART = "multipart/form-data"
FORM = "application/x-www-form-urlencoded"
_JSON_TYPES = {bool: OpenAPIType.BOOLEAN, int: OpenAPIType.NUMBER, float: OpenAPIType.NUMBER, str: OpenAPIType.STRING}


NO_KEY: list[SecurityRequirement] = [{}]
"""The `security` of operations that need no API key: a token authenticates them, or they are public."""
TAGS = (
    Tag("Presigned feedback", "Submit feedback through presigned URLs; mint and revoke them."),
    Tag("Feedback", "Record, list and change feedback, as LangSmith's clients do."),
    Tag("Reading feedback", "Search, count, compare and export feedback."),
    Tag("Reviewing feedback", "Review feedback with its conversation, and collect it in datasets."),
    Tag("Feedback configs", "Configure feedback keys: kind, range, categories, question."),
    Tag("Alerts", "Rules that watch the figures of a feedback key."),
    Tag("Projects", "Teams or products with their own feedback."),
    Tag("API keys", "List API keys."),
    Tag("Keeping feedback", "Erase feedback for good, at once or after a time."),
    Tag("LangSmith runs", "Runs and projects, as LangSmith's clients read them."),
    Tag("LangSmith datasets", "Datasets and examples, as LangSmith's clients write them."),
    Tag("LangSmith annotation queues", "Runs that wait for a person's review, as LangSmith's clients manage them."),
    Tag("WorkflowAI", "Agents, runs and feedback, as WorkflowAI's clients use them."),
    Tag("EvalGuard", "One-time tokens, annotations and calibration, as EvalGuard's clients use them."),
)
"""The groups of the feedback routes, in the order in which a viewer of the OpenAPI document shows them."""


class Failure(Struct):
    """An error: a message for people and a code for programs."""

    detail: str
    code: str


def failures(*statuses: int, shape: type[Struct] = Failure) -> dict[int, ResponseSpec]:
    """Return the error responses of a route; `shape` is their body."""
    return {status: ResponseSpec(shape, generate_examples=False, description=_MEANINGS[status]) for status in statuses}


_MEANINGS = {
    400: "The request is wrong; the text says what would be right",
    401: "The API key is missing or unknown",
    404: "It does not exist; of a presigned URL: it was not issued here",
    409: "The id belongs to something else, or the subject's first feedback is final",
    410: "The presigned URL expired or was taken back",
    413: "The body is too large",
    422: "The request is wrong; the text says what would be right",
    429: "Too many requests; `Retry-After` says when to come again",
}


@dataclass
class FeedbackOperation(Operation):
    """An operation without Litestar's default 400, which these routes never return; declared ones stay."""

    def __post_init__(self) -> None:
        response = (self.responses or {}).get("400")
        if isinstance(response, OpenAPIResponse) and response.description not in _MEANINGS.values():
            (self.responses or {}).pop("400")


@dataclass
class SubmitOperation(FeedbackOperation):
    """An operation whose body is optional, and may be a form or plain text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(body := self.request_body, RequestBody):
            body.required = False
            form = OpenAPIMediaType(schema=_form())
            body.content |= {FORM: form, MULTIPART: form}
            body.content["text/plain"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


def _form() -> Schema:
    """Return the schema of a form with text fields: a separate type, since generators choose the encoding by type."""
    text = Schema(type=OpenAPIType.STRING)
    names = ("score", "value", "comment", "correction", "metadata", "user_id", "id")
    return Schema(title="FeedbackForm", type=OpenAPIType.OBJECT, properties=dict.fromkeys(names, text))


@dataclass
class ExportOperation(FeedbackOperation):
    """An operation that returns text in one of several formats."""

    def __post_init__(self) -> None:
        super().__post_init__()
        text = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
        if isinstance(response := (self.responses or {}).get("200"), OpenAPIResponse):
            response.content = dict.fromkeys((JSONL_TYPE, CSV_TYPE), text)


@dataclass
class MultipartOperation(FeedbackOperation):
    """An operation that reads multipart fields named `feedback.<id>`, each a JSON object."""

    def __post_init__(self) -> None:
        super().__post_init__()
        part = Schema(type=OpenAPIType.OBJECT)
        parts = Schema(type=OpenAPIType.OBJECT, additional_properties=part)
        self.request_body = RequestBody(content={MULTIPART: OpenAPIMediaType(schema=parts)}, required=True)


class JsonUnions(OpenAPISchemaPlugin):
    """Renders unions of JSON's plain types as one schema: in `oneOf`, 1 would match both integer and number."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Return whether the field is a union with both `int` and `float`."""
        return field_definition.is_union and {int, float} <= set(field_definition.args)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:  # noqa: ARG002 (the plugin's signature)
        """Return one schema that lists the types."""
        types = [_JSON_TYPES.get(kind) or _container(kind) for kind in field_definition.args]
        kinds = {kind for kind in types if kind is not None}
        return Schema(type=sorted(kinds, key=str), items=Schema() if OpenAPIType.ARRAY in kinds else None)


def _container(kind: Any) -> OpenAPIType | None:
    name = str(kind)
    if kind is type(None):
        return OpenAPIType.NULL
    if name.startswith("dict"):
        return OpenAPIType.OBJECT
    return OpenAPIType.ARRAY if name.startswith("list") else None
