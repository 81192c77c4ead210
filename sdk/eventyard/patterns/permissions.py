"""Handlers for those who may: by a permission, or by a rule of one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from eventyard.core.errors import PermissionDeniedError
from eventyard.core.event import Event
from eventyard.patterns.handling import Handler, called, carried_over, name_of
from eventyard.transports.base import Caller

Who = Callable[[], Awaitable[Caller]]


class Skipped:
    """What a handler returns that was not called; who asked is not answered."""


SKIPPED = Skipped()


@dataclass(frozen=True, slots=True)
class Context:
    """What an authorisation decides by."""

    user: Caller


def requiring(name: str, function: Handler, who: Who) -> Handler:
    """Return a function that is called only where the client has a permission."""

    @wraps(function)
    async def checked(*arguments: Any, **named: Any) -> Any:
        if not (await who()).has_permission(name):
            return SKIPPED
        return await called(function, *arguments, **named)

    return carried_over(checked, function)


def authorizing(function: Handler, who: Who) -> Handler:
    """
    Return a handler that is asked with a context, and refuses with what is not true.

    One that returns nothing has allowed it, and so has one that returns a mapping.
    Refused events are told as PermissionDeniedError.
    """

    @wraps(function)
    async def authorized(*arguments: Any) -> Any:
        told = await called(function, *arguments, Context(await who()))
        if not told and told is not None and not isinstance(told, Mapping):
            event = next((one for one in arguments if isinstance(one, Event)), None)
            raise PermissionDeniedError(
                f"{name_of(function)} does not allow {event!r}."
            )
        return told

    return carried_over(authorized, function)
