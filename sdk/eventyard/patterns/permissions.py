"""Handlers for those who may: by a permission, or by a rule of one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from eventyard.core.errors import PermissionDeniedError
from eventyard.core.event import Event
from eventyard.patterns.handling import Handler, called, carried_over
from eventyard.transports.base import Caller

Who = Callable[[], Awaitable[Caller]]


@dataclass(frozen=True, slots=True)
class Context:
    """What an authorisation decides by."""

    user: Caller


def requiring(name: str, function: Handler, who: Who) -> Handler:
    """Return a function that is called only where the client has a permission."""

    @wraps(function)
    async def checked(*arguments: Any, **named: Any) -> Any:
        if not (await who()).has_permission(name):
            return None
        return await called(lambda: function(*arguments, **named))

    return carried_over(checked, function)


def authorizing(function: Handler, who: Who) -> Handler:
    """
    Return a handler that is asked with a context, and refuses with what is not true.

    Refused events are told as PermissionDeniedError.
    """

    @wraps(function)
    async def authorized(event: Event) -> Any:
        told = await called(function, event, Context(await who()))
        if not told and told is not None:
            raise PermissionDeniedError(f"{function!r} does not allow {event!r}.")
        return told

    return carried_over(authorized, function)
