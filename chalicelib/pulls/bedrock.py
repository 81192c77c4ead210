"""
Amazon Bedrock: `Converse`, with a tool that must be used, so that it answers in JSON.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from chalicelib.config import AnalystName
from chalicelib.pulls.analysis import SCHEMA
from chalicelib.pulls.analyst import AnalystError, BusyError, Said
from chalicelib.pulls.prompt import Prompt
from eventyard.core.errors import ValidationError
from eventyard.core.wire import dumps

_TOOL: Final = "report"
_MOST_TOKENS: Final = 4_096
_TEMPERATURE: Final = 0.3
_BUSY: Final = frozenset(
    {
        "InternalServerException",
        "ModelNotReadyException",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
#: Ends of an answer that may be one; the others are refusals.
_ENDS: Final = frozenset({"tool_use", "end_turn", "stop_sequence", "max_tokens"})


@dataclass
class Bedrock:
    """Asks one model of Bedrock; its client is made when it is first asked."""

    make_client: Callable[[], Any]
    model: str
    provider: AnalystName = "bedrock"

    @cached_property
    def _client(self) -> Any:
        return self.make_client()

    def say(self, question: Prompt, timeout_s: float) -> Said:
        """
        Return what the model answers; raises AnalystError or BusyError.

        How long it waits is a matter of the client.
        """
        del timeout_s
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            answer = self._client.converse(**_request(self.model, question))
        except ClientError as error:
            raise _refusal(error.response.get("Error", {})) from None
        except BotoCoreError as error:
            raise AnalystError(f"Bedrock: {type(error).__name__}") from None
        except (ResponseParserError, AttributeError, LookupError, TypeError) as error:
            # What botocore's parser makes of an answer that is none.
            kind = type(error).__name__
            raise AnalystError(f"Bedrock's answer makes no sense: {kind}") from None
        return _said(answer, self.model)


def _request(model: str, question: Prompt) -> dict[str, Any]:
    return {
        "modelId": model,
        "system": [{"text": question.system}],
        "messages": [{"role": "user", "content": [{"text": question.user}]}],
        "inferenceConfig": {"maxTokens": _MOST_TOKENS, "temperature": _TEMPERATURE},
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": _TOOL,
                        "description": "Takes what is to be said of a pull request.",
                        "inputSchema": {"json": SCHEMA},
                    }
                }
            ],
            "toolChoice": {"tool": {"name": _TOOL}},
        },
    }


def _refusal(error: Mapping[str, Any]) -> AnalystError:
    code = str(error.get("Code") or "an error")
    kind = BusyError if code in _BUSY else AnalystError
    return kind(f"Bedrock answered {code}: {error.get('Message') or '':.200}")


def _said(answer: Mapping[str, Any], model: str) -> Said:
    usage = answer.get("usage") or {}
    tokens_in, tokens_out = (
        int(usage.get(name) or 0) for name in ("inputTokens", "outputTokens")
    )
    reason = str(answer.get("stopReason") or "end_turn")
    if reason not in _ENDS:
        raise AnalystError(
            f"Bedrock refused to answer: {reason:.60}", tokens_in, tokens_out
        )
    message = (answer.get("output") or {}).get("message") or {}
    return Said(
        text=_text(message.get("content") or ()),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        model=model,
        cut=reason == "max_tokens",
    )


def _text(blocks: Any) -> str:
    for block in blocks:
        used = block.get("toolUse") or {}
        if used.get("name") == _TOOL:
            try:
                return dumps(used.get("input"))
            except ValidationError:
                return ""
    # Not every model keeps to the tool: some write the same as text.
    return "".join(block["text"] for block in blocks if "text" in block)
