"""Questions and answers: what a handler returns is the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.patterns.handling import Handler, called
from eventyard.transports.base import Transport

#: Where the answer to an event is wanted; events without it ask nothing.
REPLY_TO: Final = "reply_to"
_LONGEST_MESSAGE: Final = 1_000

Responder = Callable[[Event], Awaitable[None]]


def responder(transport: Transport, handler: Handler) -> Responder:
    """
    Return what answers with what a handler returns, or with its error.

    Raises what the handler raises, once that is told to whoever asked.
    """

    async def respond(event: Event) -> None:
        if event.attributes.get(REPLY_TO) is None:
            return
        try:
            answer = _answer(await called(handler, event))
        except Exception as error:
            await transport.reply(event, {"error": _said(error)})
            raise
        # Somebody else may have been faster: the first answer counts.
        await transport.reply(event, answer)

    return respond


def _answer(value: Any) -> dict[str, Any]:
    if value is None:
        return {"payload": {}}
    if not isinstance(value, Mapping):
        raise TypeError(
            f"a responder returns a mapping or nothing, not {type(value).__name__}"
        )
    return {"payload": dict(value)}


def _said(error: Exception) -> dict[str, str]:
    told = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
    return {"type": type(error).__name__, "message": told}
