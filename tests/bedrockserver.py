"""
Amazon Bedrock's `Converse` on loopback, after its API reference.

Written from the reference, not from who calls it: requests that are not signed for the
service, models without access, fields that there are not, conversations that make no
sense are refused as AWS refuses them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from tests.forms import Fault, faults
from tests.loopback import Loopback, Reply, Request, reply

ACCESS_KEY = "testing"
SECRET_KEY = "testing"
REGION = "us-east-1"
#: What the account may use; the last is there, but access was not granted.
_MODELS = {"amazon.nova-lite-v1:0", "us.amazon.nova-pro-v1:0"}
_DENIED = "amazon.nova-premier-v1:0"
_ID = re.compile(r"[a-zA-Z0-9.:/-]{1,2048}")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)

_TOOL_USE = {"toolUseId": str, "name": str, "input": None, "type": str}
_TOOL_RESULT = {"toolUseId": str, "content": None, "status": str, "type": str}
_BLOCK = {
    **dict.fromkeys(
        [
            "image",
            "document",
            "video",
            "audio",
            "guardContent",
            "cachePoint",
            "reasoningContent",
            "citationsContent",
            "searchResult",
        ],
        None,
    ),
    "text": str,
    "toolUse": _TOOL_USE,
    "toolResult": _TOOL_RESULT,
}
_REQUEST = {
    "messages": [{"role": str, "content": [_BLOCK]}],
    "system": [{"text": str, "guardContent": None, "cachePoint": None}],
    "inferenceConfig": {
        "maxTokens": int,
        "temperature": (int, float),
        "topP": (int, float),
        "stopSequences": [str],
    },
    "toolConfig": {
        "tools": [
            {
                "toolSpec": {
                    "name": str,
                    "description": str,
                    "inputSchema": {"json": dict},
                    "strict": bool,
                },
                "cachePoint": None,
            }
        ],
        "toolChoice": {"auto": dict, "any": dict, "tool": {"name": str}},
    },
    "guardrailConfig": None,
    "additionalModelRequestFields": None,
    "promptVariables": None,
    "additionalModelResponseFieldPaths": [str],
    "requestMetadata": dict,
    "performanceConfig": {"latency": str},
    "serviceTier": {"type": str},
    "outputConfig": None,
}


def refusal(status: int, kind: str, message: str) -> Reply:
    """An error as AWS writes it: its name is in a header."""
    named = {"x-amzn-ErrorType": f"{kind}:http://internal.amazon.com/coral/"}
    return reply(status, {"message": message}, **named)


def answer(*blocks: Any, stop: str = "tool_use", tokens: tuple[int, int] = (900, 200)):
    """An answer of the model, of these blocks of content."""
    return reply(
        200,
        {
            "output": {"message": {"role": "assistant", "content": list(blocks)}},
            "stopReason": stop,
            "usage": {
                "inputTokens": tokens[0],
                "outputTokens": tokens[1],
                "totalTokens": sum(tokens),
            },
            "metrics": {"latencyMs": 1_500},
        },
    )


def used(value: Any, name: str = "report") -> dict[str, Any]:
    """A block in which a tool is used."""
    return {"toolUse": {"toolUseId": "tooluse_1", "name": name, "input": value}}


class Bedrock(Loopback):
    """Answers what is in `told`, one by one, and then always `usual`."""

    def __init__(self, usual: Any) -> None:
        super().__init__()
        self.usual = usual
        self.told: list[Reply | Callable[[], Reply]] = []
        #: Whose requests are known here.
        self.access_key, self.secret_key = ACCESS_KEY, SECRET_KEY

    @property
    def questions(self) -> list[Any]:
        return [request.json for request in self.requests]

    def answer(self, request: Request) -> Reply:
        refused = self._unsigned(request) or _refused(request)
        if refused is not None:
            return refused
        if self.told:
            told = self.told.pop(0)
            return told if isinstance(told, Reply) else told()
        return self._usual(request.json)

    def _unsigned(self, request: Request) -> Reply | None:
        given = request.headers.get("authorization", "")
        if not given:
            text = "Missing Authentication Token"
            return refusal(403, "MissingAuthenticationTokenException", text)
        found = _AUTHORIZATION.fullmatch(given)
        if found is None:
            text = "Authorization header requires 'Credential' parameter."
            return refusal(403, "IncompleteSignatureException", text)
        if found[1] != self.access_key:
            text = "The security token included in the request is invalid."
            return refusal(403, "UnrecognizedClientException", text)
        if found[3] != REGION or found[4] != "bedrock":
            text = "Credential should be scoped to correct service: 'bedrock'."
            return refusal(403, "InvalidSignatureException", text)
        expected = _signature(self.secret_key, request, *found.groups()[1:5])
        if not hmac.compare_digest(expected, found[6]):
            text = "The request signature we calculated does not match the signature you provided."
            return refusal(403, "InvalidSignatureException", text)
        return None

    def _usual(self, question: Any) -> Reply:
        config = question.get("toolConfig")
        if not config:
            return answer({"text": json.dumps(self.usual)}, stop="end_turn")
        forced = config.get("toolChoice", {}).get("tool", {}).get("name")
        name = forced or config["tools"][0]["toolSpec"]["name"]
        return answer(used(self.usual, name))


def _signature(
    secret: str, request: Request, day: str, region: str, service: str, signed: str
) -> str:
    names = signed.split(";")
    canonical = "\n".join(
        [
            request.method,
            # Every service but S3 signs the path encoded once more than it is sent.
            quote(request.path, safe="/-_.~"),
            "",
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in names),
            "",
            signed,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    moment = request.headers["x-amz-date"]
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _refused(request: Request) -> Reply | None:
    found = re.fullmatch(r"/model/([^/]+)/converse", request.path)
    if not found or request.method != "POST":
        return refusal(404, "UnknownOperationException", "")
    model = unquote(found[1])
    if not _ID.fullmatch(model):
        text = "The provided model identifier is invalid."
        return refusal(400, "ValidationException", text)
    if model == _DENIED:
        text = "You don't have access to the model with the specified model ID."
        return refusal(403, "AccessDeniedException", text)
    if model not in _MODELS:
        text = (
            f"Could not resolve the foundation model from the model identifier: {model}"
        )
        return refusal(404, "ResourceNotFoundException", text)
    return _malformed(request, model)


def _malformed(request: Request, model: str) -> Reply | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        return refusal(400, "SerializationException", "")
    told = [_told(fault) for fault in faults(body, _REQUEST)]
    told = told or [*_senseless(body, model)]
    if not told:
        return None
    text = f"Malformed input request: {'; '.join(told)}, please reformat your input and try again."
    return refusal(400, "ValidationException", text)


def _told(fault: Fault) -> str:
    if fault.unknown is None:
        return f"#/{fault.where}: not of the expected type"
    return f"#/{fault.where}: extraneous key [{fault.unknown}] is not permitted"


def _senseless(body: dict[str, Any], model: str) -> Iterator[str]:
    yield from _odd_messages(body.get("messages") or [])
    if any(block.get("text") == "" for block in body.get("system", [])):
        yield "system: text must have a length of at least 1"
    config = body.get("inferenceConfig", {})
    if not 0 <= config.get("temperature", 0) <= 1:
        yield "inferenceConfig.temperature must be between 0 and 1"
    if config.get("maxTokens", 1) < 1:
        yield "inferenceConfig.maxTokens must be at least 1"
    if "toolConfig" in body:
        yield from _odd_tools(body["toolConfig"], model)


def _odd_messages(messages: list[Any]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
    for at, message in enumerate(messages):
        blocks = message.get("content")
        if message.get("role") != ("user", "assistant")[at % 2]:
            yield "A conversation must alternate between user and assistant roles, and start with a user message"
        if not blocks:
            yield f"The content field in the Message object at messages.{at} is empty"
        if any(len(block) != 1 for block in blocks or ()):
            yield "a ContentBlock must set exactly one member"
        if any(block.get("text") == "" for block in blocks or ()):
            yield "The text field in the ContentBlock object is blank"


def _odd_tools(config: dict[str, Any], model: str) -> Iterator[str]:
    tools = [one["toolSpec"] for one in config.get("tools", []) if "toolSpec" in one]
    if not tools:
        yield "toolConfig.tools must have at least one member"
    for tool in tools:
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.get("name", "")):
            yield "toolSpec.name must match [a-zA-Z0-9_-]+"
        schema = tool.get("inputSchema", {}).get("json")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            yield "inputSchema.json.type must be one of the following: object"
        elif "nova" in model and set(schema) - {"type", "properties", "required"}:
            # The documents of Nova show nothing else at the top:
            # https://docs.aws.amazon.com/nova/latest/userguide/tool-choice.html
            yield "inputSchema.json: type, properties and required are all that is known"
    choice = config.get("toolChoice", {})
    if len(choice) > 1:
        yield "toolChoice must set exactly one member"
    named = choice.get("tool", {}).get("name")
    if named is not None and named not in {tool.get("name") for tool in tools}:
        yield f"toolChoice names the tool {named}, which is not defined"
