"""Events that lead to one another, and an end to those that never would."""

from __future__ import annotations

import re
from typing import Final

from eventyard.core.causes import cause_of
from eventyard.core.errors import EventRouterError
from eventyard.core.event import Event

#: The header that counts the events which led to one, one after the other.
HOPS: Final = "hops"
#: Each of a chain may stand on the stack of those before it: Python ends that at 1,000.
LONGEST_CHAIN: Final = 100
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


class LoopError(EventRouterError):
    """Too many events led to one another: handlers go round in a circle."""

    code = "loop"


def lengthen(event: Event, cause: Event, longest: int) -> None:
    """Note what led to an event, and how many did; raises LoopError."""
    hops = 1 + _hops(cause)
    if hops > longest:
        raise LoopError(
            f"{hops} events led to one another, the last of them {cause.type} to "
            f"{event.type}: have one handler publish only what ends, or allow more by "
            "configure(max_chain=)."
        )
    for name, value in cause_of(event.id, cause).items():
        if getattr(event, name) is None:
            setattr(event, name, value)
    event.headers[HOPS] = str(hops)


def _hops(event: Event) -> int:
    # It may have come from anywhere, with anything for a header.
    told = event.headers.get(HOPS, "")
    return int(told) if _NUMBER.fullmatch(told) else 0
