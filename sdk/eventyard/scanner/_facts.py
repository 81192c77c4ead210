"""What one file says of the event flow, kept until it changes."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from eventyard.core.graph.model import Diagnostic, Kind, Site
from eventyard.scanner._calls import Finder
from eventyard.scanner._modules import (
    Signature,
    Tree,
    Unreadable,
    parse,
    read,
    signature_of,
)
from eventyard.scanner._names import Resolver
from eventyard.scanner.detectors._call import Call

_LONGEST = 500
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Use:
    """An event is published or subscribed to on a line, within a class or none."""

    kind: Kind
    event: str
    owner: str
    line: int


@dataclass(slots=True)
class Facts:
    """What a file says."""

    uses: list[Use] = field(default_factory=list)
    #: kind, message, line
    problems: list[tuple[str, str, int]] = field(default_factory=list)

    def diagnostics(self, file: str) -> Iterator[Diagnostic]:
        """Yield what could not be made out, for a file as it is to be named."""
        for kind, message, line in self.problems:
            yield Diagnostic(kind, message[:_LONGEST], Site(file, line))


@dataclass(slots=True)
class _Kept:
    signature: Signature
    facts: Facts
    #: What was read to understand it, each as it was then.
    consulted: dict[str, Signature | None]


class Reader:
    """Reads files, and remembers what they said as long as they stay as they are."""

    def __init__(self, finder: Finder, *, remember: bool = False) -> None:
        self._finder = finder
        self._remember = remember
        self._kept: dict[str, _Kept] = {}
        self._files: frozenset[str] = frozenset()
        #: How many files the last reading had to open.
        self.opened = 0

    def read(
        self, files: list[str], top: str, progress: Progress | None = None
    ) -> dict[str, Facts]:
        """Return what each file says that says anything."""
        if self._remember and self._files != frozenset(files):
            # What a name stands for may have come or gone with a file.
            self._kept.clear()
            self._files = frozenset(files)
        tree = Tree(files, top)
        resolver = Resolver(tree)
        self.opened = 0
        found: dict[str, Facts] = {}
        with _undisturbed():
            for at, path in enumerate(files):
                facts = self._facts(path, tree, resolver)
                if facts is not None:
                    found[path] = facts
                if progress is not None and at % 50 == 0:
                    progress(at, len(files))
            tree.let_go()
        return found

    def _facts(self, path: str, tree: Tree, resolver: Resolver) -> Facts | None:
        if not self._remember:
            return self._said(path, tree, resolver)
        signature = signature_of(path)
        kept = self._kept.get(path)
        if kept and kept.signature == signature and _unchanged(kept.consulted):
            return kept.facts
        tree.consulted.clear()
        facts = self._said(path, tree, resolver) or Facts()
        if signature is not None:
            seen = {one: signature_of(one) for one in tree.consulted}
            self._kept[path] = _Kept(signature, facts, seen)
        return facts

    def _said(self, path: str, tree: Tree, resolver: Resolver) -> Facts | None:
        self.opened += 1
        try:
            data = read(path)
            lines = self._finder.hits(data)
            if not lines:
                return None
            module = tree.loaded(path) or parse(path, data)
        except Unreadable as problem:
            return Facts(problems=[(problem.kind, str(problem), problem.line)])
        facts = Facts()
        for call in self._finder.calls(module, lines, resolver):
            try:
                self._ask(call, facts)
            except RecursionError:
                message = "nested too deeply to be followed"
                facts.problems.append(("dynamic", message, call.node.lineno))
        if tree.loaded(path) is not module:
            module.let_go()
        facts.uses.sort(key=_line)
        return facts

    def _ask(self, call: Call, facts: Facts) -> None:
        for detector in self._finder.detectors(call.method):
            uses = detector.detect(call)
            if uses is None:
                continue
            for use in uses:
                _note(call, use.kind, use.names, facts)
            return


def _note(call: Call, kind: Kind, names: Iterable[str | None], facts: Facts) -> None:
    line = call.node.lineno
    for name in names:
        if name:
            facts.uses.append(Use(kind, name, call.scope.title, line))
        else:
            does = "published" if kind == "publishes" else "subscribed to"
            message = f"what is {does} by .{call.method}() is known only when it runs"
            facts.problems.append(("dynamic", message, line))


def _line(use: Use) -> int:
    return use.line


def _unchanged(consulted: dict[str, Signature | None]) -> bool:
    return all(signature_of(path) == known for path, known in consulted.items())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Parse without warnings about other people's code, and without the collector."""
    # Trees hold no circles, and modules are let go of: looking for what is lost costs
    # a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()
