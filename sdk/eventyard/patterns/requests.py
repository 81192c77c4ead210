"""Questions and answers: what a handler returns is the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from eventyard.core.event import Event
from eventyard.patterns.encryption import Sealing
from eventyard.patterns.handling import CircuitOpenError, Handler, called
from eventyard.patterns.permissions import Skipped
from eventyard.transports.base import Transport

#: Where the answer to an event is wanted; events without it ask nothing.
REPLY_TO: Final = "reply_to"
_LONGEST_MESSAGE: Final = 1_000

Responder = Callable[[Handler, Event], Awaitable[None]]


def responder(transport: Transport, sealing: Sealing) -> Responder:
    """
    Return what answers an event with what its handler returns, or with its error.

    It raises what the handler raises, once that is told to whoever asked.
    """

    async def respond(handler: Handler, event: Event) -> None:
        if event.attributes.get(REPLY_TO) is None:
            return
        try:
            told = await called(handler, event)
            if isinstance(told, Skipped):
                return
            answer = sealing.sealed_answer(event, _payload(told))
        except CircuitOpenError as error:
            # Who asks wants to know now, not when the circuit is closed again.
            await transport.reply(event, {"error": sealing.sealed_error(_said(error))})
            return
        except Exception as error:
            await transport.reply(event, {"error": sealing.sealed_error(_said(error))})
            raise
        # Somebody else may have been faster: the first answer counts.
        await transport.reply(event, {"payload": answer})

    return respond


def _payload(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(
            f"a responder returns a mapping or nothing, not {type(value).__name__}"
        )
    return dict(value)


def _said(error: Exception) -> dict[str, str]:
    told = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
    return {"type": type(error).__name__, "message": told}
