"""How fast a large tree is scanned, beside what one would parse it with instead."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from eventyard.scanner import EventFlowAnalyzer
from eventyard.scanner.detectors import detectors

_CACHE = Path(__file__).parent.parent.parent / ".eventyard" / "bench"
_DJANGO = "Django==5.2"
_ROUNDS = 5
#: libcst takes a minute for all of it: every so many files are enough.
_SAMPLE = 20


def measure() -> dict[str, Any]:
    tree = _tree()
    if tree is None:
        return {f"NOT MEASURED: {_DJANGO} could not be downloaded": "-"}
    files = list(_files(tree))
    methods = {name for one in detectors() for name in one.methods}
    ours = _best(lambda: EventFlowAnalyzer(tree).analyze())
    plain = _best(lambda: _plain(tree, methods))
    ours = min(ours, _best(lambda: EventFlowAnalyzer(tree).analyze()))
    remembering = EventFlowAnalyzer(tree, remember=True)
    remembering.analyze()
    return {
        "files": len(files),
        "eventyard scan, s": _shown(ours),
        "files a second": float(round(len(files) / ours)),
        "prefilter and plain ast, s": _shown(plain),
        "ours against plain ast": _shown(ours / plain),
        "again, nothing changed, s": _shown(_best(remembering.analyze)),
        "ast of every file, s": _shown(_best(lambda: _every(files, methods), 1)),
        "tree-sitter, s": _shown(_best(lambda: _tree_sitter(files, methods), 1)),
        f"libcst, s (from 1 of {_SAMPLE})": _shown(_libcst(files, methods)),
    }


def _tree() -> Path | None:
    """Return the unpacked sources of Django, downloaded when they are not there."""
    unpacked = _CACHE / "django"
    if unpacked.is_dir():
        return unpacked
    _CACHE.mkdir(parents=True, exist_ok=True)
    archives = sorted(_CACHE.glob("[Dd]jango-*.tar.gz")) or _downloaded()
    if not archives:
        return None
    with tarfile.open(archives[0]) as archive:
        archive.extractall(_CACHE / "unpacking", filter="data")
    (top,) = (_CACHE / "unpacking").iterdir()
    top.rename(unpacked)
    return unpacked


def _downloaded() -> list[Path]:
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", _DJANGO]
    command = [sys.executable, "-m", "pip", *words, "--dest", str(_CACHE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"*** {_DJANGO} could not be downloaded: {done.stderr}", file=sys.stderr)
    return sorted(_CACHE.glob("[Dd]jango-*.tar.gz"))


def _best(run: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """Return the least seconds of CPU that a run took."""
    taken = []
    for _ in range(rounds):
        start = process_time()
        run()
        taken.append(process_time() - start)
    return min(taken)


def _shown(figure: float) -> str:
    return f"{figure:.2f}"


def _files(tree: Path) -> Iterator[str]:
    for folder, _, names in os.walk(tree):
        for name in names:
            if name.endswith(".py"):
                yield f"{folder}/{name}"


def _plain(tree: Path, methods: set[str]) -> int:
    """What one would write in ten lines: count calls of methods by their names."""
    worth = re.compile(
        rb"\.\s*(?:%s)\s*\(" % "|".join(sorted(methods)).encode(), re.ASCII
    )
    return sum(_counted(path, methods, worth.search) for path in _files(tree))


def _every(files: list[str], methods: set[str]) -> int:
    return sum(_counted(path, methods, lambda _: True) for path in files)


def _counted(path: str, methods: set[str], worth: Callable[[bytes], object]) -> int:
    data = Path(path).read_bytes()
    if not worth(data):
        return 0
    try:
        waiting: list[ast.AST] = [ast.parse(data)]
    except (SyntaxError, ValueError):
        return 0
    found = 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found += node.func.attr in methods
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _tree_sitter(files: list[str], methods: set[str]) -> int:
    import tree_sitter_python
    from tree_sitter import Language, Parser, Query, QueryCursor

    language = Language(tree_sitter_python.language())
    parser = Parser(language)
    calls = Query(
        language, "(call function: (attribute attribute: (identifier) @method))"
    )
    found = 0
    for path in files:
        root = parser.parse(Path(path).read_bytes()).root_node
        for node in QueryCursor(calls).captures(root).get("method", ()):
            found += node.text.decode() in methods
    return found


def _libcst(files: list[str], methods: set[str]) -> float:
    import libcst

    class Counter(libcst.CSTVisitor):
        found = 0

        def visit_Call(self, node: libcst.Call) -> None:  # noqa: N802 - its name for it
            if isinstance(node.func, libcst.Attribute):
                self.found += node.func.attr.value in methods

    def run() -> None:
        counter = Counter()
        for path in files[::_SAMPLE]:
            try:
                libcst.parse_module(Path(path).read_bytes()).visit(counter)
            except libcst.ParserSyntaxError:
                continue

    return _best(run, 1) * _SAMPLE
