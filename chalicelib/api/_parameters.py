"""Query parameters: each read, checked and documented from one description."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from eventyard.core import moments
from eventyard.core.errors import InvalidRequestError

_DIGITS: Final = re.compile(r"[0-9]{1,9}")
#: Cursors are keys of the table, which takes none that is longer.
_LONGEST_KEY: Final = 1024
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a query parameter may be, and what it means; `many` may be repeated."""

    name: str
    meaning: str
    kind: Literal["text", "integer", "moment", "flag", "cursor"] = "text"
    default: Any = None
    #: For an integer, which counts from `lowest`.
    lowest: int = 1
    highest: int = 1_000_000
    choices: tuple[str, ...] = ()
    many: bool = False
    #: What a text looks like, for the documents; who reads it says what is wrong.
    pattern: str = ""

    def read(self, values: Sequence[str]) -> Any:
        """
        Return the value, or the default; a list when `many`.

        Raises InvalidRequestError naming the parameter.
        """
        if self.many:
            return [self._one(value) for value in values]
        if not values or (values[-1] == "" and self.kind != "text"):
            return self.default
        return self._one(values[-1])

    def _one(self, text: str) -> Any:
        if self.choices and text not in self.choices:
            raise self._fault(f"one of {', '.join(self.choices)}", text)
        match self.kind:
            case "integer":
                return self._integer(text)
            case "moment":
                return self._moment(text)
            case "flag":
                return self._flag(text)
            case "cursor" if len(text.encode()) > _LONGEST_KEY:
                raise self._fault("one that a page brought", text)
        return text

    def _integer(self, text: str) -> int:
        if not _DIGITS.fullmatch(text) or not self.lowest <= int(text) <= self.highest:
            raise self._fault(
                f"a whole number from {self.lowest} to {self.highest}", text
            )
        return int(text)

    def _moment(self, text: str) -> datetime:
        try:
            return moments.read(text)
        except ValueError:
            raise self._fault("a time as 2026-01-31T12:00:00Z", text) from None

    def _flag(self, text: str) -> bool:
        if text.lower() not in _FLAGS:
            raise self._fault("true or false", text)
        return _FLAGS[text.lower()]

    def _fault(self, wanted: str, text: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"{self.name} must be {wanted}, not {text[:60]!r}.",
            details={"parameter": self.name},
        )


#: What most lists share.
TOPICS: Final = Parameter(
    "topics", "Topic patterns with commas between; all topics without.", many=True
)
FILTER: Final = Parameter(
    "filter",
    "A condition as `field:op:value`, or a filter in JSON; all of several must hold.",
    many=True,
)
CURSOR: Final = Parameter("cursor", "Where the page before this one ended.", "cursor")
SINCE: Final = Parameter("since", "Nothing older than this time.", "moment")
UNTIL: Final = Parameter("until", "Nothing newer than this time.", "moment")


def limit(default: int, highest: int) -> Parameter:
    """Describe how many a list shows."""
    return Parameter(
        "limit", "How many at most.", "integer", default=default, highest=highest
    )
