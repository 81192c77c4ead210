"""The WebAssembly of Graphviz: taken out of the browser's file, compiled, kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasmtime import Engine, Module

#: The one copy: what browsers draw with is what is drawn with here.
SOURCE: Final = Path(__file__).parent.parent / "web" / "static" / "viz.js"
#: The compiled module, as packaging puts it beside the package `wasmtime`.
NAME: Final = "graphviz.cwasm"
#: Of the WebAssembly within `SOURCE`, which the numbers of its functions go with.
DIGEST: Final = "b113d594ef25f4da9d12e83f7f1550f00aae8e8fa911ebc4c4417ec1293f1451"
_OPENING: Final = "function findWasmBinary(){return binaryDecode('"
_LITERAL: Final = re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r"}


def webassembly() -> bytes:
    """Return the WebAssembly that stands in `SOURCE` as a string of JavaScript."""
    text = SOURCE.read_bytes().decode()
    start = text.index(_OPENING) + len(_OPENING)
    found = _LITERAL.match(text, start)
    literal = found[0] if found else ""
    plain = _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), literal)
    code = plain.encode("latin-1")
    if hashlib.sha256(code).hexdigest() != DIGEST:
        raise RuntimeError(f"{SOURCE.name} does not hold the Graphviz known here.")
    return code


def engine(target: str = "") -> Engine:
    """
    Return an engine; a module runs in engines of the same settings only.

    `target` compiles for any processor of that kind instead of the one at hand.
    """
    from wasmtime import Config, Engine

    config = Config()
    config.epoch_interruption = True
    if target:
        config.target = target
    return Engine(config)


def compiled(target: str = "") -> bytes:
    """Compile; takes about a second."""
    from wasmtime import Module

    return bytes(Module(engine(target), webassembly()).serialize())


def load(within: Engine) -> Module:
    """Load the compiled module: what was packaged, else what was compiled here."""
    from wasmtime import Module, WasmtimeError

    for path in (_packaged_path(), _kept_path()):
        # It may be of another version of wasmtime, or for another processor.
        with contextlib.suppress(WasmtimeError, OSError):
            return Module.deserialize_file(within, str(_trusted(path)))
    module = Module(within, webassembly())
    _keep(_kept_path(), bytes(module.serialize()))
    return module


def _packaged_path() -> Path:
    import wasmtime

    return Path(wasmtime.__file__).parent.with_name(NAME)


def _kept_path() -> Path:
    name = f"eventyard-graphviz-{DIGEST[:12]}-{platform.machine()}-{os.getuid()}.cwasm"
    return Path(tempfile.gettempdir()) / name


def _trusted(path: Path) -> Path:
    # A compiled module is machine code: one that others could write is not run.
    found = path.lstat()
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ours = path == _packaged_path() or found.st_uid == os.getuid()
    if others or not ours or not stat.S_ISREG(found.st_mode):
        raise PermissionError(f"Others could have written {path}.")
    return path


def _keep(path: Path, code: bytes) -> None:
    # Under another name first: whoever reads meanwhile reads all or nothing. A full
    # or read-only disk costs the next process a second, and nobody anything else.
    with contextlib.suppress(OSError):
        handle, unfinished = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        Path(unfinished).replace(path)
