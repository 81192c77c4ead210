"""Sagas: one conversation of many steps, which ends well or is undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from eventyard.client import EventRouterClient

T = TypeVar("T")


class Sagas:
    """The sagas of a client."""

    def __init__(self, client: EventRouterClient) -> None:
        self._client = client

    def definer(self, name: str, **options: Any) -> Callable[[type[T]], type[T]]:
        """Return what makes a class a saga."""
        raise NotImplementedError
