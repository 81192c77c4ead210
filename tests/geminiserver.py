"""
Gemini's `generateContent` on loopback, after google/ai/generativelanguage/v1beta.

Written from the service's own definition, not from who calls it: a field that the
definition has not, a schema with more than its subset of OpenAPI, a key that is none
or a model that there is not are refused as Google refuses them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.forms import Fault, Map, faults
from tests.loopback import Loopback, Reply, Request, reply

KEY = "AIza" + "Sy" + "0" * 33
_MODELS = {"gemini-2.5-flash", "gemini-2.5-pro"}
_PATH = re.compile(r"/v1beta/models/([^/:]+):(\w+)")

#: Fields of the messages that a question is made of; another message, or a check.
_PART = {
    **dict.fromkeys(
        [
            "inlineData",
            "functionCall",
            "functionResponse",
            "fileData",
            "executableCode",
            "codeExecutionResult",
            "thought",
            "thoughtSignature",
            "videoMetadata",
        ],
        None,
    ),
    "text": str,
}
_CONTENT = {"parts": [_PART], "role": {"user", "model"}}
_SCHEMA: dict[str, Any] = {
    "type": {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"},
    "format": str,
    "title": str,
    "description": str,
    "nullable": bool,
    "enum": [str],
    "maxItems": (int, str),
    "minItems": (int, str),
    "required": [str],
    "minProperties": (int, str),
    "maxProperties": (int, str),
    "minLength": (int, str),
    "maxLength": (int, str),
    "pattern": str,
    "example": None,
    "propertyOrdering": [str],
    "default": None,
    "minimum": (int, float),
    "maximum": (int, float),
}
_SCHEMA["items"] = _SCHEMA
_SCHEMA["anyOf"] = [_SCHEMA]
_SCHEMA["properties"] = Map([_SCHEMA])
_CONFIG = {
    "candidateCount": int,
    "stopSequences": [str],
    "maxOutputTokens": int,
    "temperature": (int, float),
    "topP": (int, float),
    "topK": int,
    "seed": int,
    "responseMimeType": str,
    "responseSchema": _SCHEMA,
    "responseJsonSchema": None,
    "presencePenalty": (int, float),
    "frequencyPenalty": (int, float),
    "responseLogprobs": bool,
    "logprobs": int,
    "enableEnhancedCivicAnswers": bool,
    "responseModalities": [str],
    "speechConfig": None,
    "thinkingConfig": {"includeThoughts": bool, "thinkingBudget": int},
    "imageConfig": None,
    "mediaResolution": str,
}
_REQUEST = {
    "model": str,
    "systemInstruction": _CONTENT,
    "contents": [_CONTENT],
    "tools": None,
    "toolConfig": None,
    "safetySettings": None,
    "generationConfig": _CONFIG,
    "cachedContent": str,
}


def refusal(code: int, status: str, message: str, **detail: Any) -> Reply:
    """An error as Google writes it."""
    error = {"code": code, "message": message, "status": status}
    if detail:
        error["details"] = [detail]
    return reply(code, {"error": error})


def answer(text: str | None, finish: str = "STOP", **usage: int) -> Reply:
    """An answer of one candidate; None: it has no content at all."""
    candidate: dict[str, Any] = {"finishReason": finish, "index": 0}
    if text is not None:
        candidate["content"] = {"parts": [{"text": text}], "role": "model"}
    counts = {"promptTokenCount": 1_200, "candidatesTokenCount": 300, **usage}
    return reply(
        200,
        {
            "candidates": [candidate],
            "usageMetadata": {
                **counts,
                "totalTokenCount": sum(counts.values()),
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1_200}],
            },
            "modelVersion": "gemini-2.5-flash-002",
            "responseId": "r1",
        },
    )


class Gemini(Loopback):
    """Answers what is in `told`, one by one, and then always `usual`."""

    def __init__(self, usual: Any) -> None:
        super().__init__()
        self.usual = usual
        self.told: list[Reply | Callable[[], Reply]] = []
        #: The same for questions that mention a text, where many ask.
        self.told_of: dict[str, list[Reply | Callable[[], Reply]]] = {}

    @property
    def questions(self) -> list[Any]:
        return [request.json for request in self.requests]

    def answer(self, request: Request) -> Reply:
        refused = _refused(request)
        if refused is not None:
            return refused
        lists = (
            told for text, told in self.told_of.items() if _mentions(request, text)
        )
        for waiting in (*lists, self.told):
            if waiting:
                told = waiting.pop(0)
                return told if isinstance(told, Reply) else told()
        return answer(json.dumps(self.usual))

    def asked_of(self, text: str) -> list[Any]:
        """Return the questions that mention a text."""
        found = [one for one in self.requests if _mentions(one, text)]
        return [request.json for request in found]


def _mentions(request: Request, text: str) -> bool:
    return text in request.body.decode()


def _refused(request: Request) -> Reply | None:
    found = _PATH.fullmatch(request.path)
    if not found or request.method != "POST":
        return Reply(404, b"<!DOCTYPE html><title>Error 404 (Not Found)</title>")
    key = request.headers.get("x-goog-api-key") or request.query.get("key")
    if not key:
        text = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."
        return refusal(403, "PERMISSION_DENIED", text)
    if key != KEY:
        return refusal(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            **{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
            },
        )
    if found[1] not in _MODELS or found[2] != "generateContent":
        text = f"models/{found[1]} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."
        return refusal(404, "NOT_FOUND", text)
    return _malformed(request)


def _malformed(request: Request) -> Reply | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        text = "Invalid JSON payload received. Expected a value."
        return refusal(400, "INVALID_ARGUMENT", text)
    told = [_told(fault) for fault in faults(body, _REQUEST)]
    if not told:
        told = [f"* GenerateContentRequest.{one}" for one in _senseless(body)]
    if not told:
        return None
    return refusal(
        400,
        "INVALID_ARGUMENT",
        "\n".join(told),
        **{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"description": fault} for fault in told],
        },
    )


def _told(fault: Fault) -> str:
    if fault.unknown is None:
        return f"Invalid value at '{fault.where}'"
    return f"Invalid JSON payload received. Unknown name \"{fault.unknown}\" at '{fault.where}': Cannot find field."


def _senseless(body: dict[str, Any]) -> Iterator[str]:
    contents = body.get("contents")
    if not contents:
        yield "contents: contents is not specified"
    said = [*(contents or []), body.get("systemInstruction", {})]
    if any(not part.get("text", "x") for one in said for part in one.get("parts", [])):
        yield "contents.parts: contents must not have an empty text parameter"
    yield from _odd_config(body.get("generationConfig", {}))


def _odd_config(config: dict[str, Any]) -> Iterator[str]:
    where = "generation_config"
    if not 0 <= config.get("temperature", 0) <= 2:
        yield f"{where}.temperature: temperature must be in the range [0.0, 2.0]"
    if config.get("maxOutputTokens", 1) < 1:
        yield f"{where}.max_output_tokens: max_output_tokens must be positive"
    schema = config.get("responseSchema")
    if schema is not None:
        if config.get("responseMimeType") != "application/json":
            yield f"{where}.response_schema: only allowed when response_mime_type is application/json"
        yield from _odd_schema(schema, f"{where}.response_schema")


def _odd_schema(schema: dict[str, Any], where: str) -> Iterator[str]:
    yield from _odd_type(schema, where)
    properties = schema.get("properties", {})
    for name in (*schema.get("required", []), *schema.get("propertyOrdering", [])):
        if name not in properties:
            yield f"{where}.required: property is not defined: {name}"
    for name, inner in properties.items():
        yield from _odd_schema(inner, f"{where}.properties[{name}]")
    if "items" in schema:
        yield from _odd_schema(schema["items"], f"{where}.items")


def _odd_type(schema: dict[str, Any], where: str) -> Iterator[str]:
    kind = schema.get("type")
    if kind is None and "anyOf" not in schema:
        yield f"{where}: must be specified"
    if kind == "OBJECT" and not schema.get("properties"):
        yield f"{where}.properties: should be non-empty for OBJECT type"
    if kind == "ARRAY" and "items" not in schema:
        yield f"{where}.items: missing field."
    if kind == "STRING" and schema.get("format", "enum") not in ("enum", "date-time"):
        yield f"{where}.format: only 'enum' and 'date-time' are supported for STRING type"
    if "enum" in schema and kind != "STRING":
        yield f"{where}.enum: only allowed for STRING type"
