"""DOT to SVG in a sandbox: Graphviz as WebAssembly, bounded in time and memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from chalicelib.graphs import module
from eventyard.core.errors import EventRouterError, InvalidRequestError

if TYPE_CHECKING:
    from wasmtime import Engine, Instance, Linker, Memory, Module, Store

#: What drew a picture; another one may draw it otherwise.
VERSION: Final = f"graphviz-16.1.0-{module.DIGEST[:8]}"
#: How long one drawing may take, and what memory it may have, in bytes.
SECONDS: Final = 5.0
MEMORY: Final = 256_000_000
#: The most bytes of DOT that are tried: a graph of 5,000 nodes has about a million.
LONGEST: Final = 2_000_000
_PAGE: Final = 65_536
_CHUNK: Final = 65_536
#: WASI's and Linux's "there is no such call": the sandbox has no files and no clock.
_NO_CALL: Final = 52
#: What Emscripten called the functions that are used here.
_EXPORTS: Final = {
    "memory": "z",
    "start": "A",
    "free": "E",
    "malloc": "F",
    "read": "I",
    "context": "V",
    "layout": "X",
    "render": "_",
}
#: Its imports that say what is wrong, grow the memory, and end the program.
_ERROR, _GROW, _TIME = "p", "k", "g"
_FATAL: Final = ("a", "b", "c", "h")
_NOTHING: Final = ("q",)


class TooLargeError(InvalidRequestError):
    """The graph is too large to be drawn here."""

    code = "graph_too_large"


class DrawingError(EventRouterError):
    """The graph could not be drawn."""

    code = "not_drawable"


Renderer = Callable[[str], str]


class WasmRenderer:
    """
    Draws one graph at a time, each in a sandbox of its own that is closed after it.

    Whatever a graph does to Graphviz ends with its sandbox. One that is not closed
    would keep its memory.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._one_at_a_time = threading.Lock()

    @cached_property
    def _engine(self) -> Engine:
        return module.engine()

    @cached_property
    def _module(self) -> Module:
        return module.load(self._engine)

    def __call__(self, dot: str) -> str:
        """Return the SVG; raises TooLargeError or DrawingError."""
        from wasmtime import Store

        check_length(dot)
        compiled = self._module
        # The time limit is the engine's: it would end every drawing under way.
        with self._one_at_a_time, Store(self._engine) as store:
            store.set_limits(memory_size=self._memory)
            store.set_epoch_deadline(1)
            return self._draw(_Sandbox(store, compiled, self._memory), dot)

    def _draw(self, sandbox: _Sandbox, dot: str) -> str:
        from wasmtime import Trap, TrapCode, WasmtimeError

        timer = threading.Timer(self._seconds, self._engine.increment_epoch)
        timer.daemon = True
        timer.start()
        try:
            return sandbox.draw(dot)
        except Trap as trap:
            if trap.trap_code in (TrapCode.INTERRUPT, TrapCode.STACK_OVERFLOW):
                raise too_large() from trap
            raise sandbox.failure(str(trap)) from trap
        except (WasmtimeError, _EndedError) as error:
            raise sandbox.failure(str(error)) from error
        finally:
            timer.cancel()


class _EndedError(Exception):
    """Graphviz ended its program."""


class _Sandbox:
    """One instance of Graphviz, and the little it may ask of its host."""

    def __init__(self, store: Store, compiled: Module, memory: int) -> None:
        self._store = store
        self._limit = memory
        self._told: list[str] = []
        self._is_full = False
        linker = self._linker(compiled)
        self._instance: Instance = linker.instantiate(store, compiled)
        self._exports = self._instance.exports(store)
        self._call("start")

    def draw(self, dot: str) -> str:
        graph = self._call("read", self._text(dot))
        if not graph:
            raise self.failure("it is not DOT")
        context = self._call("context")
        if self._call("layout", context, graph, self._text("dot")):
            raise self.failure("its layout failed")
        found = self._call("render", context, graph, self._text("svg"))
        if not found:
            raise self.failure("its rendering failed")
        return self._read(found)

    def failure(self, reason: str) -> EventRouterError:
        """Say why it failed: Graphviz's own words where there are any."""
        if self._is_full:
            return too_large()
        told = " ".join("".join(self._told).split())[:500]
        return DrawingError(f"The graph could not be drawn: {told or reason[:500]}")

    def _call(self, name: str, *arguments: int) -> Any:
        function: Any = self._exports[_EXPORTS[name]]
        return function(self._store, *arguments)

    @property
    def _memory(self) -> Memory:
        memory: Any = self._exports[_EXPORTS["memory"]]
        return memory  # type: ignore[no-any-return]

    def _text(self, text: str) -> int:
        raw = text.encode() + b"\0"
        place: int = self._call("malloc", len(raw))
        if not place:
            self._is_full = True
            raise self.failure("no memory")
        self._memory.write(self._store, raw, place)
        return place

    def _read(self, place: int) -> str:
        place %= 2**32
        parts: list[bytes] = []
        while True:
            part = bytes(self._memory.read(self._store, place, place + _CHUNK))
            end = part.find(b"\0")
            parts.append(part if end < 0 else part[:end])
            if end >= 0 or not part:
                return b"".join(parts).decode(errors="replace")
            place += len(part)

    def _linker(self, compiled: Module) -> Linker:
        from wasmtime import FuncType, Linker

        linker = Linker(self._store.engine)
        for wanted in compiled.imports:
            name = wanted.name or ""
            kind = wanted.type
            if isinstance(kind, FuncType):
                answer = self._host(name, has_result=bool(kind.results))
                linker.define_func(wanted.module, name, kind, answer)
        return linker

    def _host(self, name: str, *, has_result: bool) -> Callable[..., Any]:
        if name == _ERROR:
            return self._note
        if name == _GROW:
            return self._grow
        if name == _TIME:
            return lambda: 0.0
        if name in _FATAL:
            return self._end
        return lambda *_: _NO_CALL if has_result else None

    def _note(self, place: int) -> int:
        self._told.append(self._read(place))
        return 0

    def _grow(self, wanted: int) -> int:
        from wasmtime import WasmtimeError

        wanted %= 2**32
        present = self._memory.data_len(self._store)
        # A fifth more than there is, so that it is not asked for again and again.
        size = max(wanted, min(present + present // 5, self._limit))
        if size > self._limit:
            self._is_full = True
            return 0
        try:
            self._memory.grow(self._store, -(-(size - present) // _PAGE))
        except WasmtimeError:
            self._is_full = True
            return 0
        return 1

    def _end(self, *_: int) -> None:
        raise _EndedError("Graphviz gave up")


def check_length(dot: str) -> None:
    """Raise TooLargeError for DOT that would not be drawn in time anyway."""
    if len(dot) > LONGEST:
        raise too_large()


def too_large() -> TooLargeError:
    """Return what is said of a graph that takes too much time or memory."""
    return TooLargeError(
        "The graph is too large to be drawn by the server. The page at /flow still "
        "draws it, in the browser; or take a part of it, by `namespaces`."
    )
