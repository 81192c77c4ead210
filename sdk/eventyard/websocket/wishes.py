"""What one connection is sent of all that is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from eventyard.core.errors import InvalidRequestError
from eventyard.core.topics import compile_pattern

Message = Mapping[str, Any]
#: What a caller may say: a mapping of the names below, or a function.
Wish = Mapping[str, Any] | Callable[[Message], object] | None
#: Tells whether a message is wanted; None: all are.
Wanted = Callable[[Message], object] | None
_NAMES: Final = ("types", "circle_id", "project_id")
_MOST: Final = 100


def wish_of(query: Mapping[str, str]) -> dict[str, list[str]]:
    """Read `types` (or `events`), `circle_id` and `project_id`, commas between several."""
    told = {**query, "types": query.get("types") or query.get("events", "")}
    read = {
        name: [part.strip() for part in told.get(name, "").split(",") if part.strip()]
        for name in _NAMES
    }
    return {name: values for name, values in read.items() if values}


def normal(wish: Any) -> dict[str, list[Any]]:
    """
    Return a wish with a list for each name that it has.

    Raises:
        InvalidRequestError: it is none.
    """
    if not isinstance(wish, Mapping):
        raise InvalidRequestError("A filter must be an object.")
    if unknown := [name for name in wish if name not in _NAMES]:
        raise InvalidRequestError(
            f"A filter has {', '.join(_NAMES)}, not {unknown[0]!r:.40}."
        )
    found = {name: _several(wish, name) for name in _NAMES}
    return {name: values for name, values in found.items() if values is not None}


def wanted(wish: Wish) -> Wanted:
    """
    Read a wish: `types` (patterns), `circle_id`, `project_id`, each one or several.

    Raises:
        InvalidRequestError: it is none.
    """
    if wish is None or callable(wish):
        return wish
    told = normal(wish)
    tests = [
        _of_types(values) if name == "types" else _is_one_of(name, values)
        for name, values in told.items()
    ]
    return _all(tests) if tests else None


def _all(tests: Sequence[Callable[[Message], object]]) -> Callable[[Message], object]:
    if len(tests) == 1:
        return tests[0]
    return lambda message: all(test(message) for test in tests)


def _of_types(texts: Sequence[str]) -> Callable[[Message], bool]:
    patterns = [compile_pattern(text) for text in texts]
    known: dict[str, bool] = {}

    def fits(message: Message) -> bool:
        kind = str(message.get("type"))
        answer = known.get(kind)
        if answer is None:
            if len(known) > _MOST:
                known.clear()
            answer = known[kind] = any(one.matches(kind) for one in patterns)
        return answer

    return fits


def _is_one_of(name: str, ids: Sequence[Any]) -> Callable[[Message], bool]:
    wanted_ids = frozenset(map(str, ids))
    return lambda message: str(message.get(name)) in wanted_ids


def _several(wish: Mapping[str, Any], name: str) -> list[Any] | None:
    value = wish.get(name)
    if value is None:
        return None
    values = [*value] if isinstance(value, list | tuple | set | frozenset) else [value]
    if len(values) > _MOST:
        raise InvalidRequestError(f"At most {_MOST} {name} in one filter.")
    kinds = str if name == "types" else int | str
    if not all(isinstance(one, kinds) for one in values):
        what = "patterns of topics" if name == "types" else "an id, or a list of ids"
        raise InvalidRequestError(f"{name} must be {what}.")
    return values
