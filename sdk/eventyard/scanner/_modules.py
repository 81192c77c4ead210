"""Source files: read as Python reads them, never run, and found by their names."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eventyard.core.graph.model import Diagnostic, Site
from eventyard.scanner._scopes import Scope

#: How far above a file the packages it imports are looked for.
_HIGHEST: Final = 8
_COOKIE: Final = re.compile(rb"coding[:=]")
_BOM: Final = b"\xef\xbb\xbf"


#: The size in bytes and the time of the last change, in nanoseconds.
Signature = tuple[int, int]


class Unreadable(Exception):  # noqa: N818 - it is told, not handled as an error
    """A file that cannot be read as Python; `kind` is that of its diagnostic."""

    def __init__(self, kind: str, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.kind, self.line = kind, max(line, 1)

    def at(self, file: str) -> Diagnostic:
        """Return what to tell of it."""
        return Diagnostic(self.kind, str(self), Site(file, self.line))


@dataclass(eq=False, slots=True)
class Module:
    """A parsed file."""

    path: str
    tree: ast.Module
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = Scope(self.tree, self)

    def let_go(self) -> None:
        """Give the tree's memory back at once: a circle waits for the collector."""
        del self.scope.module


def signature_of(path: str) -> Signature | None:
    """Return by what a file is known as unchanged; None if it is not there."""
    try:
        state = os.stat(path)  # noqa: PTH116 - for speed
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def read(path: str) -> bytes:
    """Read a file with its lines ended by new lines alone, as Python counts them."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - for speed
            data = file.read()
    except OSError as error:
        raise Unreadable("unreadable", error.strerror or str(error)) from None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def parse(path: str, data: bytes) -> Module:
    """Parse a file; raises Unreadable, whatever the file holds."""
    try:
        return Module(path, ast.parse(_decoded(data), path))
    except UnicodeDecodeError as error:
        message = f"not {error.encoding}: {error.reason}"
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable("unreadable", message, line) from None
    except SyntaxError as error:
        raise Unreadable("syntax", error.msg, error.lineno or 1) from None
    except (RecursionError, MemoryError):
        raise Unreadable("syntax", "nested too deeply to be parsed") from None
    except ValueError as error:
        raise Unreadable("syntax", str(error)) from None


def _decoded(data: bytes) -> str:
    head = data[:200]
    if _COOKIE.search(head) or head.startswith(_BOM):
        return data.decode(_encoding(data))
    return data.decode()


def _encoding(data: bytes) -> str:
    import io
    import tokenize

    return tokenize.detect_encoding(io.BytesIO(data).readline)[0]


class Tree:
    """
    The files of a scan, found by the names under which they are imported.

    A file that is imported may lie beside the scanned folder; nothing is looked for
    above the folder `top`.
    """

    def __init__(self, files: Iterable[str], top: str) -> None:
        self._files = files
        self._top = top
        self._by_last: dict[str, list[str]] | None = None
        self._found: dict[tuple[str, str], str | None] = {}
        self._loaded: dict[str, Module | None] = {}
        #: What was read to understand the file at hand.
        self.consulted: set[str] = set()

    def module(self, name: str, level: int, importer: str) -> Module | None:
        """Return the module of a name that `importer` imports; None if it is not ours."""
        key = (f"{'.' * level}{name}", str(Path(importer).parent))
        if key not in self._found:
            self._found[key] = self._locate(name, level, Path(importer).parent)
        path = self._found[key]
        return None if path is None else self.load(path)

    def load(self, path: str) -> Module | None:
        """Parse a file of ours once; None if it cannot be."""
        self.consulted.add(path)
        if path not in self._loaded:
            try:
                self._loaded[path] = parse(path, read(path))
            except Unreadable:
                self._loaded[path] = None
        return self._loaded[path]

    def let_go(self) -> None:
        """Give back the memory of what was loaded."""
        for module in self._loaded.values():
            if module is not None:
                module.let_go()
        self._loaded.clear()

    def loaded(self, path: str) -> Module | None:
        """Return a file that was parsed already."""
        return self._loaded.get(path)

    def _locate(self, name: str, level: int, folder: Path) -> str | None:
        parts = [part for part in name.split(".") if part]
        if level:
            for _ in range(level - 1):
                folder = folder.parent
            return _file_of(folder.joinpath(*parts))
        return self._scanned(parts) or self._beside(parts, folder)

    def _scanned(self, parts: list[str]) -> str | None:
        if self._by_last is None:
            self._by_last = {}
            for path in self._files:
                dotted = _dotted(path)
                last = dotted.rpartition(".")[2]
                self._by_last.setdefault(last, []).append(path)
        wanted = "." + ".".join(parts)
        known = self._by_last.get(parts[-1], []) if parts else []
        return next((p for p in known if _dotted(p).endswith(wanted)), None)

    def _beside(self, parts: list[str], folder: Path) -> str | None:
        for _ in range(_HIGHEST):
            found = _file_of(folder.joinpath(*parts)) if parts else None
            if found or str(folder) == self._top or folder == folder.parent:
                return found
            folder = folder.parent
        return None


def _dotted(path: str) -> str:
    name = path.removesuffix(".py").removesuffix("/__init__")
    return name.replace(os.sep, ".")


def _file_of(place: Path) -> str | None:
    for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if path.is_file():
            return str(path)
    return None


def top_of(folder: str) -> str:
    """Return the folder above which nothing is looked for: the repository's own."""
    here = Path(folder)
    for place in (here, *here.parents):
        if (place / ".git").exists():
            return str(place)
    return str(here.parent)
