"""
Vendors of embeddings on loopback, written after their own references.

https://platform.openai.com/docs/api-reference/embeddings/create,
https://ai.google.dev/api/embeddings and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html:
what a vendor's reference has not is refused as the vendor refuses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from eventyard.rag import hashing
from tests import bedrockserver, geminiserver
from tests.forms import faults
from tests.loopback import Loopback, Reply, Request, reply

OPENAI_KEY = "sk-" + "proj-" + "0" * 20
_LENGTHS = {"text-embedding-3-small": 1_536, "text-embedding-3-large": 3_072}
_OPENAI = {
    "model": str,
    "input": [str],
    "dimensions": int,
    "encodingFormat": {"float", "base64"},
    "user": str,
}
_PART = {"text": str}
_GEMINI = {
    "requests": [
        {
            "model": str,
            "content": {"parts": [_PART], "role": str},
            "taskType": str,
            "title": str,
            "outputDimensionality": int,
        }
    ]
}
_TITAN = {"inputText": str, "dimensions": {256, 512, 1_024}, "normalize": bool}


class _Vendor(Loopback):
    """Answers what is in `told` first; then each text with its own vector."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Reply | Callable[[], Reply]] = []

    def answer(self, request: Request) -> Reply:
        refused = self.refused(request)
        if refused is not None:
            return refused
        if self.told:
            told = self.told.pop(0)
            return told if isinstance(told, Reply) else told()
        return self.usual(request.json)

    def refused(self, request: Request) -> Reply | None:
        raise NotImplementedError

    def usual(self, body: Any) -> Reply:
        raise NotImplementedError


def openai_refusal(status: int, message: str, code: str | None = None) -> Reply:
    """An error as OpenAI writes it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return reply(status, {"error": error})


class OpenAI(_Vendor):
    """`POST /v1/embeddings`."""

    def refused(self, request: Request) -> Reply | None:
        if (request.method, request.path) != ("POST", "/v1/embeddings"):
            return openai_refusal(404, f"Invalid URL ({request.method} {request.path})")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != OPENAI_KEY:
            text = f"Incorrect API key provided: {given}."
            return openai_refusal(401, text, "invalid_api_key")
        wrong = list(faults(json.loads(request.body), _OPENAI))
        body = request.json
        if wrong or not 0 < len(body["input"]) <= 2_048 or not all(body["input"]):
            return openai_refusal(400, f"'$.input' is invalid. {wrong}")
        if body["model"] not in _LENGTHS:
            text = f"The model `{body['model']}` does not exist."
            return openai_refusal(404, text, "model_not_found")
        if body.get("dimensions", 1) > _LENGTHS[body["model"]]:
            return openai_refusal(400, "Invalid value for 'dimensions'.")
        return None

    def usual(self, body: Any) -> Reply:
        length = body.get("dimensions") or _LENGTHS[body["model"]]
        rows = [
            {
                "object": "embedding",
                "index": n,
                "embedding": hashing.embed(text, length),
            }
            for n, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 8, "total_tokens": 8}
        # In another order than asked: only `index` counts.
        told = {"object": "list", "data": rows[::-1], "model": body["model"]}
        return reply(200, {**told, "usage": usage})


class Gemini(_Vendor):
    """`POST /v1beta/models/{model}:batchEmbedContents`."""

    def refused(self, request: Request) -> Reply | None:
        found = re.fullmatch(
            r"/v1beta/models/([^/:]+):batchEmbedContents", request.path
        )
        if not found or request.method != "POST":
            return Reply(404, b"<!DOCTYPE html><title>Error 404 (Not Found)</title>")
        if request.headers.get("x-goog-api-key") != geminiserver.KEY:
            text = "API key not valid. Please pass a valid API key."
            return geminiserver.refusal(400, "INVALID_ARGUMENT", text)
        if found[1] != "gemini-embedding-001":
            text = f"models/{found[1]} is not found for API version v1beta."
            return geminiserver.refusal(404, "NOT_FOUND", text)
        wrong = list(faults(json.loads(request.body), _GEMINI))
        asked = request.json.get("requests", [])
        named = {one.get("model") for one in asked}
        if wrong or not 0 < len(asked) <= 100 or named != {f"models/{found[1]}"}:
            return geminiserver.refusal(400, "INVALID_ARGUMENT", f"* requests: {wrong}")
        return None

    def usual(self, body: Any) -> Reply:
        rows = [
            {
                "values": hashing.embed(
                    one["content"]["parts"][0]["text"],
                    one.get("outputDimensionality", 3_072),
                )
            }
            for one in body["requests"]
        ]
        return reply(200, {"embeddings": rows})


class Titan(bedrockserver.Bedrock):
    """`InvokeModel` of Titan's embeddings; requests are signed."""

    def __init__(self) -> None:
        super().__init__(None)

    def answer(self, request: Request) -> Reply:
        refused = self._unsigned(request) or self._malformed(request)
        if refused is not None:
            return refused
        if self.told:
            told = self.told.pop(0)
            return told if isinstance(told, Reply) else told()
        body = request.json
        vector = hashing.embed(body["inputText"], body.get("dimensions", 1_024))
        return reply(
            200,
            {
                "embedding": vector,
                "embeddingsByType": {"float": vector},
                "inputTextTokenCount": 3,
            },
        )

    def _malformed(self, request: Request) -> Reply | None:
        found = re.fullmatch(r"/model/([^/]+)/invoke", request.path)
        if not found or unquote(found[1]) != "amazon.titan-embed-text-v2:0":
            text = "The provided model identifier is invalid."
            return bedrockserver.refusal(400, "ValidationException", text)
        wrong = list(faults(json.loads(request.body), _TITAN))
        if wrong or not request.json.get("inputText"):
            text = f"Malformed input request: {wrong}"
            return bedrockserver.refusal(400, "ValidationException", text)
        return None
