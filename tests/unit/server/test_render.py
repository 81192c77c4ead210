"""Graphviz in its sandbox: it draws, and is stopped when it must be."""

from __future__ import annotations

import hashlib
import re
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.graphs import drawings, module, render
from chalicelib.graphs.drawings import draw_by_program, renderer
from chalicelib.graphs.render import DrawingError, TooLargeError, WasmRenderer

DENSE = (
    "digraph {"
    + ";".join(f"a{i}->a{j}" for i in range(120) for j in range(120) if i != j)
    + "}"
)


@pytest.fixture(scope="module")
def draw():
    made = WasmRenderer()
    made("digraph { a }")
    return made


def test_it_draws(draw):
    svg = draw('digraph { a -> "b & c" [label="é"] }')

    assert "<svg" in svg
    assert ">b &amp; c</text>" in svg
    assert ">é</text>" in svg


def test_it_knows_html_labels(draw):
    assert ">bold</text>" in draw("digraph { a [label=<<b>bold</b>>] }")


def test_the_same_text_gives_the_same_drawing(draw):
    dot = "digraph { a -> {b c d} -> e }"

    assert draw(dot) == draw(dot)


@pytest.mark.parametrize("dot", ["", "digraph {", "graph { a -> b }", "x", "{" * 1000])
def test_what_is_no_dot_is_told_with_the_place(draw, dot):
    with pytest.raises(DrawingError) as told:
        draw(dot)

    assert "could not be drawn" in str(told.value)
    assert draw("digraph { a }")


def test_what_takes_too_long_is_stopped_and_the_next_one_is_drawn():
    short = WasmRenderer(seconds=0.3)
    short("digraph { a }")
    started = time.perf_counter()

    with pytest.raises(TooLargeError):
        short(DENSE)

    assert time.perf_counter() - started < 5
    assert short("digraph { a }")


def test_what_needs_too_much_memory_is_stopped():
    small = WasmRenderer(memory=18_000_000)
    wide = "digraph {" + ";".join(f"n{i} -> n{i + 1}" for i in range(20_000)) + "}"

    with pytest.raises(TooLargeError):
        small(wide)

    assert small("digraph { a }")


def test_what_nests_too_deep_ends_its_sandbox_alone(draw):
    with pytest.raises((TooLargeError, DrawingError)):
        draw("digraph {" + "subgraph {" * 100_000 + "}" * 100_001)

    assert draw("digraph { a }")


def test_more_dot_than_can_be_drawn_is_not_tried(draw):
    with pytest.raises(TooLargeError):
        draw("digraph {" + " " * render.LONGEST + "}")


def test_no_file_is_read(draw, tmp_path):
    picture = tmp_path / "x.svg"
    picture.write_text('<svg width="4321" height="4321"/>')

    svg = draw(f'digraph {{ a [image="{picture}"] }}')

    assert "<image" not in svg
    assert "4321" not in svg


def test_several_threads_draw_each_their_own(draw):
    wanted = [f"digraph {{ only{number} }}" for number in range(20)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(draw, wanted))

    assert [re.findall(r">(only\d+)</text>", svg) for svg in found] == [
        [f"only{number}"] for number in range(20)
    ]


def test_no_thread_is_left_behind(draw):
    draw("digraph { a }")

    left = [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
    for timer in left:
        timer.join(timeout=5)
    assert not any(timer.is_alive() for timer in left)


def test_the_functions_are_those_that_the_file_names():
    text = module.SOURCE.read_bytes().decode()
    known = dict(re.findall(r'Module\["_(\w+)"\]=wasmExports\["(\w+)"\]', text))
    imports = dict(
        re.findall(r"(\w):(\w+)", re.search(r"wasmImports={(.*?)}", text)[1])
    )

    for name, said in {
        "free": "free",
        "malloc": "malloc",
        "read": "viz_read_one_graph",
        "context": "viz_create_context",
        "layout": "viz_layout",
        "render": "viz_render",
    }.items():
        assert render._EXPORTS[name] == known[said]
    assert imports[render._ERROR] == "viz_errorf"
    assert imports[render._GROW] == "_emscripten_resize_heap"
    assert imports[render._TIME] == "_emscripten_date_now"
    assert [imports[name] for name in render._FATAL] == [
        "___assert_fail",
        "___cxa_throw",
        "_exit",
        "__abort_js",
    ]


def test_another_file_than_the_known_one_is_not_run(tmp_path, monkeypatch):
    other = tmp_path / "viz.js"
    other.write_bytes(module.SOURCE.read_bytes().replace(b"digraph", b"digrapi"))
    assert hashlib.sha256(module.webassembly()).hexdigest() == module.DIGEST
    monkeypatch.setattr(module, "SOURCE", other)

    with pytest.raises(RuntimeError, match="does not hold"):
        module.webassembly()


def test_what_was_compiled_is_kept_for_the_next_process(tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    module.load(module.engine())
    (kept,) = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    monkeypatch.setattr(module, "webassembly", lambda: pytest.fail("compiled again"))

    assert module.load(module.engine())


@pytest.mark.parametrize("spoil", ["writable", "broken", "link"])
def test_what_cannot_be_trusted_or_loaded_is_compiled_again(
    tmp_path, monkeypatch, spoil
):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    module.load(module.engine())
    (kept,) = tmp_path.iterdir()
    if spoil == "writable":
        kept.chmod(0o666)
    elif spoil == "broken":
        kept.write_bytes(b"of another version")
    else:
        kept.replace(tmp_path / "elsewhere")
        kept.symlink_to(tmp_path / "elsewhere")

    assert module.load(module.engine())

    assert not kept.is_symlink()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_program_draws_where_it_is_asked_to(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "<svg>$SERVER_NAME $HOME $1"\ncat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert renderer("dot")("digraph").split("\n") == [
        "<svg>eventyard  -Tsvg",
        "digraph",
    ]


def test_a_program_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(render, "SECONDS", 0.2)

    with pytest.raises(TooLargeError):
        draw_by_program("digraph {}")


def test_a_program_that_fails_is_quoted(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'syntax error in line 1' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(DrawingError, match="syntax error in line 1"):
        draw_by_program("digraph {}")


def test_without_wasmtime_the_program_is_the_choice(monkeypatch):
    monkeypatch.setattr(drawings, "_has_wasmtime", lambda: False)

    assert drawings._choose("auto") is draw_by_program
