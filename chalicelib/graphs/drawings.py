"""Drawings, made once for each text: in this process, and in the bucket."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chalicelib.aws import Aws
from chalicelib.graphs import render, sanitise
from chalicelib.graphs.render import DrawingError, Renderer, WasmRenderer, too_large

#: What a process keeps, in bytes of SVG.
_KEPT: Final = 16_000_000
_FOLDER: Final = "rendered/"
#: How long an address of a large drawing works.
_LINK_SECONDS: Final = 300


class Drawings:
    """
    Draws DOT, and remembers.

    A drawing is named after its text and what drew it, so it never grows old; the
    bucket forgets it after a month.
    """

    def __init__(
        self, aws: Aws, bucket: str, draw: Renderer, drawn_by: str = ""
    ) -> None:
        self._aws = aws
        self._bucket = bucket
        self._draw = draw
        self._drawn_by = f"{render.VERSION}/{sanitise.VERSION}/{drawn_by}"
        self._kept: OrderedDict[str, str] = OrderedDict()

    def svg(self, dot: str) -> str:
        """Return the SVG of a DOT text, made harmless; raises as `Renderer`."""
        name = self._name(dot, ".svg")
        svg = self._kept.get(name) or self._fetch(name) or self._make(name, dot)
        self._keep(name, svg)
        return svg

    def link(self, text: str, media: str, suffix: str) -> str:
        """Return an address of a text that is too large for an answer."""
        key = _FOLDER + self._name(text, suffix)
        self._put(key, text, media)
        kind = f"{media}; charset=utf-8"
        return self._aws.link(
            self._bucket, key, _LINK_SECONDS, ResponseContentType=kind
        )

    def _name(self, text: str, suffix: str) -> str:
        told = f"{self._drawn_by}\n{text}"
        return hashlib.sha256(told.encode()).hexdigest() + suffix

    def _fetch(self, name: str) -> str | None:
        s3 = self._aws.s3
        try:
            answer = s3.get_object(Bucket=self._bucket, Key=_FOLDER + name)
        except s3.exceptions.NoSuchKey:
            return None
        return answer["Body"].read().decode()

    def _make(self, name: str, dot: str) -> str:
        svg = harmless(self._draw(dot))
        self._put(_FOLDER + name, svg, "image/svg+xml")
        return svg

    def _put(self, key: str, text: str, media: str) -> None:
        self._aws.s3.put_object(
            Bucket=self._bucket, Key=key, Body=text.encode(), ContentType=media
        )

    def _keep(self, name: str, svg: str) -> None:
        self._kept[name] = svg
        self._kept.move_to_end(name)
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT:
            self._kept.popitem(last=False)


def harmless(svg: str) -> str:
    """Return a drawing sanitised; raises DrawingError for one that is no SVG."""
    try:
        return sanitise.sanitise(svg)
    except sanitise.UnsafeSvgError as error:
        # DOT can break Graphviz's output (by `stylesheet`), which then is no XML.
        raise DrawingError(f"The graph could not be drawn: {error}") from error


def renderer(wish: str) -> Renderer:
    """
    Return what draws, as the setting EVENTYARD_RENDERER says.

    `auto` takes the sandbox where wasmtime is installed, else `dot` from the PATH.
    """
    made: list[Renderer] = []

    def draw(dot: str) -> str:
        # Made when something is drawn: wasmtime takes 26 ms to import.
        if not made:
            made.append(_choose(wish))
        return made[0](dot)

    return draw


def _choose(wish: str) -> Renderer:
    choices: dict[str, Callable[[], Renderer]] = {
        "auto": lambda: WasmRenderer() if _has_wasmtime() else draw_by_program,
        "wasm": WasmRenderer,
        "dot": lambda: draw_by_program,
        "off": lambda: _refuse,
    }
    return choices[wish]()


def _has_wasmtime() -> bool:
    try:
        import wasmtime  # noqa: F401
    except ImportError:
        return False
    return True


def _refuse(_: str) -> str:
    raise DrawingError(
        "This platform does not draw (EVENTYARD_RENDERER=off). The page at /flow does, "
        "in the browser."
    )


def draw_by_program(dot: str) -> str:
    """Return what the program `dot` of the PATH draws, within the same bounds."""
    render.check_length(dot)
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("dot", path=path) is None:
        raise DrawingError(
            "There is nothing to draw with: neither wasmtime nor a program `dot` is "
            "installed. The page at /flow draws in the browser."
        )
    try:
        done = _run(dot, path)
    except subprocess.TimeoutExpired:
        raise too_large() from None
    if done.returncode or not done.stdout:
        told = " ".join(done.stderr.decode(errors="replace").split())[:500]
        raise DrawingError(f"The graph could not be drawn: {told}")
    return done.stdout.decode(errors="replace")


def _run(dot: str, path: str) -> subprocess.CompletedProcess[bytes]:
    bounded = f"ulimit -v {render.MEMORY * 4 // 1024}; exec dot -Tsvg"
    with tempfile.TemporaryDirectory() as empty:
        return subprocess.run(  # noqa: S603 - the command is ours, the graph its input
            ["/bin/sh", "-c", bounded],
            input=dot.encode(),
            capture_output=True,
            check=False,
            timeout=render.SECONDS,
            cwd=empty,
            # With this name Graphviz opens no file that a graph asks for.
            env={"SERVER_NAME": "eventyard", "PATH": path},
        )
