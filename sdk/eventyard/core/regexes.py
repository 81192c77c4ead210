"""
The guard that keeps a stranger's regular expression from taking forever.

Python's `re` backtracks: it may try every way in which an expression fits. The
guard bounds the number of steps from the parse tree. A repeat multiplies the ways
by the places where it can end, unless the next character always decides whether it
goes on; an endless repeat of what fits in several ways is refused outright.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from eventyard.core.errors import SubscriptionError

MAX_PATTERN = 256
#: Longer strings are not searched.
MAX_SEARCHED = 4096

# What is quadratic in the longest string passes, what is cubic does not. The slowest
# of some thousand random expressions that passed took a second on such a string.
_MOST_STEPS = 32 * MAX_SEARCHED**2
_MOST_BITS = 64
# What a group, a branch or a repeat costs to enter, where a character costs 1.
_TURN = 8

_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_REFUSED = {
    op.ASSERT: "looks ahead or behind",
    op.ASSERT_NOT: "looks ahead or behind",
    op.GROUPREF: "refers back to a group",
    op.GROUPREF_EXISTS: "refers back to a group",
}
# Sets of characters are bit masks over this sample: ASCII, and beyond it one letter,
# digit, space and sign, which is as much as categories tell apart.
_ASCII = 128
_SAMPLE = (*map(chr, range(_ASCII)), *"é٣\u2003€")
_ALL = (1 << len(_SAMPLE)) - 1
_CASE = ord("a") - ord("A")


def _sampled(chars: str) -> int:
    found = re.compile(f"[{chars}]").match
    return sum(1 << place for place, char in enumerate(_SAMPLE) if found(char))


_UPPER = _sampled("A-Z")
_LOWER = _sampled("a-z")
_CATEGORIES = {
    op.CATEGORY_DIGIT: _sampled(r"\d"),
    op.CATEGORY_NOT_DIGIT: _sampled(r"\D"),
    op.CATEGORY_SPACE: _sampled(r"\s"),
    op.CATEGORY_NOT_SPACE: _sampled(r"\S"),
    op.CATEGORY_WORD: _sampled(r"\w"),
    op.CATEGORY_NOT_WORD: _sampled(r"\W"),
}

_Node = tuple[Any, Any]
_Nodes = Sequence[_Node]


@functools.lru_cache(maxsize=1024)
def check_regex(pattern: str) -> re.Pattern[str]:
    """
    Compile a regular expression that is safe to search a stranger's text with.

    Raises:
        SubscriptionError: it is no regular expression, has more than 256
            characters, refers back, looks around, or may take too long on a text
            of 4096 characters.
    """
    if len(pattern) > MAX_PATTERN:
        raise _refusal(pattern, f"has more than {MAX_PATTERN} characters")
    try:
        # Python warns only of what a later version may read in another way.
        with warnings.catch_warnings(action="ignore"):
            compiled = re.compile(pattern)
            tree = list(_parser.parse(pattern))
        fault = _fault(tree, compiled.flags)
    except (re.error, OverflowError, RecursionError) as exc:
        raise _refusal(pattern, f"cannot be read: {exc}") from exc
    if fault is not None:
        raise _refusal(pattern, fault)
    return compiled


def _refusal(pattern: str, what: str) -> SubscriptionError:
    shown = pattern[:64]
    return SubscriptionError(f"regex {shown!r} {what}", details={"regex": shown})


def _fault(tree: _Nodes, flags: int) -> str | None:
    for nodes in _sequences(tree):
        for kind, _ in nodes:
            if kind in _REFUSED:
                return _REFUSED[kind]
        if any(map(_are_one_repeat, nodes, nodes[1:])):
            return "repeats the same twice in a row"
    if _cost(tree, 0)[1] == math.inf:
        return "repeats what can fit one text in several ways"
    starts = 1 if _is_anchored(tree, flags) else MAX_SEARCHED
    if starts * _cost(_without_tail(tree), 0)[0] > _MOST_STEPS:
        return "may take too long; begin it with ^ or use fewer repeats"
    return None


def _sequences(nodes: _Nodes) -> Iterator[_Nodes]:
    yield nodes
    for node in nodes:
        for inner in _inside(node):
            yield from _sequences(inner)


def _inside(node: _Node) -> list[_Nodes]:
    kind, detail = node
    if kind is op.BRANCH:
        return [list(option) for option in detail[1]]
    if kind is op.SUBPATTERN or kind in _REPEATS:
        return [list(detail[-1])]
    if kind is op.ATOMIC_GROUP:
        return [list(detail)]
    return []


def _are_one_repeat(left: _Node, right: _Node) -> bool:
    endless = all(
        kind in _REPEATS and detail[1] is op.MAXREPEAT for kind, detail in (left, right)
    )
    return endless and repr(left[1][2]) == repr(right[1][2])


def _is_anchored(tree: _Nodes, flags: int) -> bool:
    if not tree or tree[0][0] is not op.AT:
        return False
    place = tree[0][1]
    return place is op.AT_BEGINNING_STRING or (
        place is op.AT_BEGINNING and not flags & re.MULTILINE
    )


def _without_tail(tree: _Nodes) -> _Nodes:
    # A search that needs only the least of its last repeat has found what it wants.
    if not tree or tree[-1][0] not in _REPEATS:
        return tree
    kind, (low, _, body) = tree[-1]
    return [*tree[:-1], (kind, (low, low, body))] if low else tree[:-1]


def _cost(nodes: _Nodes, after: int) -> tuple[float, float]:
    """Bound the steps of matching once, and the ways in which that can succeed."""
    steps, ways = 1.0, 1.0
    for node, follow in zip(nodes, _follows(nodes, after), strict=True):
        inner_steps, inner_ways = _node_cost(node, follow)
        steps += ways * inner_steps
        ways *= inner_ways
    return steps, ways


def _follows(nodes: _Nodes, after: int) -> list[int]:
    masks = []
    for node in reversed(nodes):
        masks.append(after)
        after = _lead([node], after)
    return masks[::-1]


def _node_cost(node: _Node, after: int) -> tuple[float, float]:
    kind, detail = node
    if kind in _REPEATS:
        low, high, body = detail
        return _repeat_cost(low, high, list(body), after)
    if kind is op.BRANCH:
        return _branch_cost(_inside(node), after)
    # An atomic group has fewer ways than its content, not more.
    return next((_cost(inner, after) for inner in _inside(node)), (1.0, 1.0))


def _branch_cost(options: list[_Nodes], after: int) -> tuple[float, float]:
    costs = [_cost(option, after) for option in options]
    leads = [_lead(option, after) for option in options]
    decided = not any(left & right for left, right in itertools.combinations(leads, 2))
    ways = [way for _, way in costs]
    steps = _TURN + sum(step for step, _ in costs)
    return steps, max(ways) if decided else sum(ways)


def _repeat_cost(low: int, high: int, body: _Nodes, after: int) -> tuple[float, float]:
    lead, empty = _first(body)
    rounds = min(high, MAX_SEARCHED)
    steps, ways = _cost(body, lead | after if high > 1 else after)
    endless = high > 1 and empty
    if endless or rounds * math.log2(ways) > _MOST_BITS:
        return 1.0, math.inf
    if len(body) != 1 or _inside(body[0]):
        steps += _TURN
    entered = rounds if ways == 1 else (ways**rounds - 1) / (ways - 1)
    ends = rounds - min(low, rounds) + 1 if lead & after else 1
    return _TURN + entered * steps, ends * ways**rounds


def _lead(nodes: _Nodes, after: int) -> int:
    mask, empty = _first(nodes)
    return mask | after if empty else mask


def _first(nodes: _Nodes) -> tuple[int, bool]:
    """Return the characters it can begin with, and whether it can be empty."""
    mask = 0
    for node in nodes:
        first, empty = _node_first(node)
        mask |= first
        if not empty:
            return mask, False
    return mask, True


def _node_first(node: _Node) -> tuple[int, bool]:
    kind, detail = node
    if kind is op.AT:
        return 0, True
    firsts = [_first(inner) for inner in _inside(node)]
    if not firsts:
        return _mask(node), False
    mask = functools.reduce(int.__or__, (first for first, _ in firsts))
    empty = any(empty for _, empty in firsts)
    return mask, empty or (kind in _REPEATS and detail[0] == 0)


def _mask(node: _Node) -> int:
    kind, detail = node
    if kind is op.NOT_LITERAL:
        return _ALL & ~_named([(op.LITERAL, detail)])
    if kind is not op.IN:
        return _widened([node])
    if detail[0][0] is op.NEGATE:
        return _ALL & ~_named(detail[1:])
    return _widened(detail)


def _widened(items: _Nodes) -> int:
    # Both cases count, and what is named beyond ASCII may be anything: sets may look
    # less apart than they are, never more.
    if any(_names_beyond_ascii(item) for item in items):
        return _ALL
    mask = _named(items)
    return mask | (mask & _UPPER) << _CASE | (mask & _LOWER) >> _CASE


def _names_beyond_ascii(item: _Node) -> bool:
    kind, detail = item
    last = detail[1] if kind is op.RANGE else detail
    return kind in (op.LITERAL, op.RANGE) and last >= _ASCII


def _named(items: _Nodes) -> int:
    return functools.reduce(int.__or__, (_named_by(*item) for item in items), 0)


def _named_by(kind: Any, detail: Any) -> int:
    if kind is op.LITERAL:
        return 1 << detail if detail < _ASCII else 0
    if kind is op.RANGE:
        return sum(1 << code for code in range(detail[0], min(detail[1] + 1, _ASCII)))
    return _CATEGORIES[detail] if kind is op.CATEGORY else _ALL
