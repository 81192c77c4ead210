"""The grammar of DOT: which nodes and edges a text has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from eventyard.core.graph._tokens import Token, fault, pairs, tokens
from eventyard.core.graph.model import MOST_EDGES, MOST_NODES

#: How deep subgraphs may stand in each other.
DEEPEST: Final = 50
Attributes = dict[str, str]
# The rest is looks.
_KEPT: Final = frozenset({"id", "class", "shape", "label", "repeats", "count"})


@dataclass(slots=True)
class Drawn:
    """Nodes by their names in DOT, and edges, with their attributes."""

    nodes: dict[str, Attributes] = field(default_factory=dict)
    #: From, to, attributes, and where in the text.
    edges: list[tuple[str, str, Attributes, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Scope:
    """What holds within a pair of braces."""

    node: Attributes
    edge: Attributes
    #: The nodes named in it, as an edge to or from a subgraph joins all of them.
    named: dict[str, None] = field(default_factory=dict)


def parse(dot: str) -> Drawn:
    """Read a DOT text; raises InvalidRequestError with the line of what is wrong."""
    return _Parser(dot).graph()


class _Parser:
    def __init__(self, dot: str) -> None:
        self._dot = dot
        self._words: Iterator[Token] = tokens(dot)
        self._word = next(self._words)
        self._drawn = Drawn()
        self._scopes = [_Scope({}, {})]

    def graph(self) -> Drawn:
        self._take_word("strict")
        if not (self._take_word("digraph") or self._take_word("graph")):
            raise self._wrong("no graph: it must begin with digraph")
        if self._word.kind in ("name", "text"):
            self._identity()
        self._expect("{")
        self._statements()
        if self._word.kind != "end":
            raise self._wrong("text after the end of the graph")
        return self._drawn

    def _statements(self, depth: int = 1) -> None:
        """Read up to the brace that closes the scope of a depth, and past it."""
        # The braces that are open are a list, and no recursion: they may be many.
        while True:
            if self._take("}"):
                if len(self._scopes) == depth:
                    return
                self._close()
            elif not (self._take(";") or self._take(",")):
                self._statement()

    def _close(self) -> None:
        closed = self._scopes.pop()
        self._scopes[-1].named.update(closed.named)
        if self._word.kind == "arrow":
            self._edges([*closed.named])

    def _statement(self) -> None:
        word = self._word
        if self._is("{"):
            self._open()
        elif word.kind == "name" and word.text.lower() in _KEYWORDS:
            self._keyword(word.text.lower())
        else:
            self._node_or_edge()

    def _open(self) -> None:
        self._expect("{")
        if len(self._scopes) > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} subgraphs in each other")
        outer = self._scopes[-1]
        self._scopes.append(_Scope(outer.node.copy(), outer.edge.copy()))

    def _keyword(self, word: str) -> None:
        self._next()
        if word == "subgraph":
            if self._word.kind in ("name", "text"):
                self._identity()
            if self._is("{"):
                self._open()
            return
        told = self._attributes()
        if word in ("node", "edge"):
            getattr(self._scopes[-1], word).update(told)

    def _node_or_edge(self) -> None:
        name = self._identity()
        if self._take("="):
            self._value()
            return
        self._port()
        self._named(name)
        if self._word.kind == "arrow":
            self._edges([name])
        else:
            self._drawn.nodes[name].update(self._attributes())

    def _edges(self, first: list[str]) -> None:
        at = self._word.at
        ends = [first]
        while self._word.kind == "arrow":
            self._next()
            ends.append(self._end())
        told = self._scopes[-1].edge | self._attributes()
        for heads, tails in pairwise(ends):
            if len(self._drawn.edges) + len(heads) * len(tails) > MOST_EDGES:
                raise self._wrong(f"more than {MOST_EDGES} edges so far")
            self._drawn.edges += [(a, b, told, at) for a in heads for b in tails]

    def _end(self) -> list[str]:
        if self._is("{") or self._is_word("subgraph"):
            return self._grouped()
        name = self._identity()
        self._port()
        self._named(name)
        return [name]

    def _grouped(self) -> list[str]:
        """Read the subgraph in an edge, such as `{b c}` in `a -> {b c}`."""
        if self._take_word("subgraph") and self._word.kind in ("name", "text"):
            self._identity()
        outside = len(self._scopes)
        self._open()
        self._statements(outside + 1)
        closed = self._scopes.pop()
        self._scopes[-1].named.update(closed.named)
        return [*closed.named]

    def _named(self, name: str) -> None:
        scope = self._scopes[-1]
        scope.named[name] = None
        if name not in self._drawn.nodes:
            if len(self._drawn.nodes) == MOST_NODES:
                raise self._wrong(f"more than {MOST_NODES} nodes so far")
            self._drawn.nodes[name] = scope.node.copy()

    def _attributes(self) -> Attributes:
        found: Attributes = {}
        while True:
            if self._word.kind == "list":
                found.update(pairs(self._word.text, _KEPT))
                self._next()
            elif self._take("["):
                found.update(self._pairs())
            else:
                return found

    def _pairs(self) -> Iterator[tuple[str, str]]:
        while not self._take("]"):
            if self._take(",") or self._take(";"):
                continue
            name = self._identity()
            value = self._value() if self._take("=") else "true"
            if name in _KEPT:
                yield name, value

    def _value(self) -> str:
        if self._word.kind == "html":
            self._next()
            return ""
        return self._identity()

    def _identity(self) -> str:
        word = self._word
        if word.kind not in ("name", "text"):
            raise self._wrong(f"{_shown(word)} where a name should be")
        self._next()
        if word.kind == "name" or self._word.text != "+":
            return word.text
        return self._joined(word.text)

    def _joined(self, first: str) -> str:
        parts = [first]
        while self._take("+"):
            if self._word.kind != "text":
                raise self._wrong("a + that no quoted text follows")
            parts.append(self._word.text)
            self._next()
        return "".join(parts)

    def _port(self) -> None:
        while self._take(":"):
            self._identity()

    def _is(self, mark: str) -> bool:
        return self._word.kind == "mark" and self._word.text == mark

    def _take(self, mark: str) -> bool:
        if self._is(mark):
            self._next()
            return True
        return False

    def _is_word(self, word: str) -> bool:
        return self._word.kind == "name" and self._word.text.lower() == word

    def _take_word(self, word: str) -> bool:
        if self._is_word(word):
            self._next()
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise self._wrong(f"{_shown(self._word)} where {mark} should be")

    def _next(self) -> None:
        if self._word.kind != "end":
            self._word = next(self._words)

    def _wrong(self, what: str) -> Exception:
        return fault(self._dot, self._word.at, what)


def _shown(word: Token) -> str:
    return "its end" if word.kind == "end" else repr(word.text[:40])


_KEYWORDS: Final = frozenset({"node", "edge", "graph", "subgraph"})
