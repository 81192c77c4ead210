"""What one connection is sent of all that is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from eventyard.core.errors import InvalidRequestError
from eventyard.core.topics import compile_pattern

Message = Mapping[str, Any]
#: What a caller may say: a mapping of the names below, or a function.
Wish = Mapping[str, Any] | Callable[[Message], object] | None
#: Tells whether a message is wanted; None: all are.
Wanted = Callable[[Message], object] | None
_IDS: Final = ("circle_id", "project_id")
_NAMES: Final = ("types", *_IDS)
_MOST: Final = 100


def wanted(wish: Wish) -> Wanted:
    """
    Read a wish: `types` (patterns), `circle_id`, `project_id`, each one or several.

    Raises:
        InvalidRequestError: it is none.
    """
    if wish is None or callable(wish):
        return wish
    if not isinstance(wish, Mapping):
        raise InvalidRequestError("A filter must be an object.")
    if unknown := [name for name in wish if name not in _NAMES]:
        raise InvalidRequestError(
            f"A filter has {', '.join(_NAMES)}, not {unknown[0]!r:.40}."
        )
    tests = [test for test in (_of_types(wish), *_of_ids(wish)) if test is not None]
    return _all(tests) if tests else None


def _all(tests: Sequence[Callable[[Message], object]]) -> Callable[[Message], object]:
    if len(tests) == 1:
        return tests[0]
    return lambda message: all(test(message) for test in tests)


def _of_types(wish: Mapping[str, Any]) -> Callable[[Message], bool] | None:
    texts = _several(wish, "types")
    if texts is None:
        return None
    if not all(isinstance(text, str) for text in texts):
        raise InvalidRequestError("types must be patterns of topics.")
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


def _of_ids(wish: Mapping[str, Any]) -> Iterable[Callable[[Message], bool]]:
    for name in _IDS:
        ids = _several(wish, name)
        if ids is None:
            continue
        if not all(isinstance(one, int | str) for one in ids):
            raise InvalidRequestError(f"{name} must be an id, or a list of ids.")
        yield _is_one_of(name, frozenset(map(str, ids)))


def _is_one_of(name: str, ids: frozenset[str]) -> Callable[[Message], bool]:
    return lambda message: str(message.get(name)) in ids


def _several(wish: Mapping[str, Any], name: str) -> list[Any] | None:
    value = wish.get(name)
    if value is None:
        return None
    values = [*value] if isinstance(value, list | tuple | set | frozenset) else [value]
    if len(values) > _MOST:
        raise InvalidRequestError(f"At most {_MOST} {name} in one filter.")
    return values
