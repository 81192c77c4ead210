"""
Gemini: `generateContent` in JSON mode.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from chalicelib.config import AnalystName
from chalicelib.outbound import CallFailedError, Outbound, Reply
from chalicelib.pulls.analysis import SCHEMA
from chalicelib.pulls.analyst import AnalystError, BusyError, Said
from chalicelib.pulls.prompt import Prompt
from eventyard.core.addresses import AddressRefusedError
from eventyard.core.errors import InvalidRequestError
from eventyard.core.wire import dumps, loads

#: Models that think spend of it as well: an answer has some 500.
_MOST_TOKENS: Final = 8_192
_MOST_BYTES: Final = 2_000_000
_TEMPERATURE: Final = 0.3
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_OK: Final = 200
#: Ends of an answer that may be one; the others are refusals.
_ENDS: Final = frozenset({"STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"})
#: The part of JSON Schema that its own schema has.
_TAKEN: Final = frozenset({"type", "enum", "description", "required"})


@dataclass(frozen=True, slots=True)
class Gemini:
    """Asks one model of Gemini."""

    outbound: Outbound
    base_url: str
    model: str
    key: str = field(repr=False)
    provider: AnalystName = "gemini"

    def say(self, question: Prompt, timeout_s: float) -> Said:
        """Return what the model answers; raises AnalystError or BusyError."""
        name = quote(self.model.removeprefix("models/"), safe="")
        try:
            reply = self.outbound.call(
                "POST",
                f"{self.base_url}/v1beta/models/{name}:generateContent",
                headers={
                    "Content-Type": "application/json",
                    "x-goog-api-key": self.key,
                },
                body=dumps(_body(question)).encode(),
                timeout_s=timeout_s,
                most_bytes=_MOST_BYTES,
            )
        except (CallFailedError, AddressRefusedError) as error:
            # Not asked again: who waited in vain once has no time for a second try.
            raise AnalystError(f"Gemini: {error.message}") from None
        if reply.status != _OK:
            raise _refusal(reply, self.key)
        return _said(_object(reply), self.model)


def _body(question: Prompt) -> dict[str, Any]:
    return {
        "systemInstruction": {"parts": [{"text": question.system}]},
        "contents": [{"role": "user", "parts": [{"text": question.user}]}],
        "generationConfig": {
            "temperature": _TEMPERATURE,
            "maxOutputTokens": _MOST_TOKENS,
            "responseMimeType": "application/json",
            "responseSchema": _schema(SCHEMA),
        },
    }


def _schema(shape: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in shape.items() if name in _TAKEN}
    made["type"] = str(shape["type"]).upper()
    if "enum" in shape:
        made["format"] = "enum"
    if "items" in shape:
        made["items"] = _schema(shape["items"])
    if "properties" in shape:
        made["properties"] = {n: _schema(s) for n, s in shape["properties"].items()}
        made["propertyOrdering"] = list(shape["properties"])
    return made


def _refusal(reply: Reply, key: str) -> AnalystError:
    try:
        told = _object(reply).get("error")
    except AnalystError:
        told = None
    message = told.get("message") if isinstance(told, dict) else None
    # Some addresses echo what they were asked; the key is nobody's business.
    text = str(message or "no reason given")
    text = text.replace(key, "[secret]") if key else text
    kind = BusyError if reply.status in _BUSY else AnalystError
    return kind(f"Gemini answered {reply.status}: {text:.200}")


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = loads(reply.body)
    except InvalidRequestError:
        found = None
    if not isinstance(found, dict):
        raise AnalystError("Gemini's answer is no JSON object.")
    return found


def _said(answer: Mapping[str, Any], model: str) -> Said:
    tokens_in, tokens_out = _usage(answer)
    feedback = answer.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    candidate = _first(answer.get("candidates"))
    reason = str(candidate.get("finishReason") or "FINISH_REASON_UNSPECIFIED")
    refused = blocked or (reason if reason not in _ENDS else None)
    if refused:
        raise AnalystError(
            f"Gemini refused to answer: {refused:.60}", tokens_in, tokens_out
        )
    return Said(
        text=_text(candidate),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        model=str(answer.get("modelVersion") or model)[:100],
        cut=reason == "MAX_TOKENS",
    )


def _first(candidates: Any) -> dict[str, Any]:
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    return first if isinstance(first, dict) else {}


def _text(candidate: Mapping[str, Any]) -> str:
    # A candidate that thought for too long has no content, or one without parts.
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    texts = [
        part.get("text")
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and not part.get("thought")
    ]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(answer: Mapping[str, Any]) -> tuple[int, int]:
    usage = answer.get("usageMetadata")
    counts = usage if isinstance(usage, dict) else {}

    def count(*names: str) -> int:
        values = (counts.get(name) for name in names)
        return sum(value for value in values if type(value) is int and value > 0)

    return (
        count("promptTokenCount", "toolUsePromptTokenCount"),
        count("candidatesTokenCount", "thoughtsTokenCount"),
    )
