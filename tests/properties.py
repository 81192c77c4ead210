"""How often property tests are tried: some times in `make test`, many in `make soak`."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import settings

#: What a test gets in `make soak` unless it asks for another number.
_THOROUGH: Final = 200
_QUICK: Final = 20
_FEWEST: Final = 10


def prepare() -> None:
    """Have property tests tried a few times, however long one takes."""
    # A busy machine is no failure.
    settings.register_profile("thorough", max_examples=_THOROUGH, deadline=None)
    settings.register_profile("quick", max_examples=_QUICK, deadline=None)
    settings.load_profile("quick")


def examples(most: int) -> int:
    """Return how often a test is tried that wants so many tries in `make soak`."""
    if settings.default is None or settings.default.max_examples >= _THOROUGH:
        return most
    return max(most * _QUICK // _THOROUGH, _FEWEST)


def is_property(item: Any) -> bool:
    """Tell whether a test is tried with made up values."""
    function = getattr(item, "obj", None)
    of_hypothesis = bool(getattr(function, "is_hypothesis_test", False))
    return of_hypothesis or "RuleBased" in "".join(map(str, _bases(item)))


def _bases(item: Any) -> tuple[type, ...]:
    owner = getattr(item, "cls", None)
    return () if owner is None else owner.__mro__
