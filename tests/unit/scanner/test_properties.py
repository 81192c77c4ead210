"""Generated sources, whose calls are known because they were put there."""

from __future__ import annotations

import keyword

from hypothesis import given
from hypothesis import strategies as st

from eventyard.scanner._calls import Finder
from eventyard.scanner._facts import Reader
from eventyard.scanner.detectors import detectors

_READER = Reader(Finder(detectors()))
names = st.from_regex(r"[a-z][a-z0-9]{0,4}(\.[a-z0-9]{1,4}){0,2}", fullmatch=True)
words = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(
    lambda word: not keyword.iskeyword(word) and not keyword.issoftkeyword(word)
)
receivers = st.sampled_from(["bus", "self.service_bus", "a.b.order_bus", "get_bus()"])
methods = st.sampled_from(
    [("publish", "publishes"), ("subscribe", "subscribes"), ("emit", "publishes")]
)
gaps = st.sampled_from(["", " ", "\n", "  # publish('no')\n", "\\\n"])
wholes = st.sampled_from(["", "x = ", "return_(", "[", "await_ = not "])


@st.composite
def calls(draw):
    """A statement with one call in it, and what it does."""
    receiver, (method, kind), name = draw(receivers), draw(methods), draw(names)
    before, after = draw(gaps), draw(gaps)
    inside = draw(st.sampled_from(["", " ", "\n", "  # )\n"]))
    call = f"({receiver}{before}.{after}{method}({inside}{name!r},{inside} 1))"
    if "#" in after:  # a comment between a dot and its name is written by nobody
        call = f"({receiver}{before}.{method}({inside}{name!r}))"
    return call, (kind, name)


@st.composite
def noise(draw):
    """A statement with nothing in it that is called, though it may look so."""
    word, name = draw(words), draw(names)
    return draw(
        st.sampled_from(
            [
                f"{word} = 1",
                f"# bus.publish({name!r})",
                f'{word} = "bus.publish({name})"',
                f'"""\nbus.subscribe({name!r})\n"""',
                f"{word}.publish_all({name!r})",
                f"other_{word}.publish({name!r})",
                f"publish({name!r})",
                f"del {word}.publish",
            ]
        )
    )


@st.composite
def sources(draw, depth=0):
    """A source, and the (kind, event) of each call in it, in order."""
    lines, known = [], []
    for _ in range(draw(st.integers(0 if depth else 1, 4))):
        what = draw(st.sampled_from(["call", "noise", "block"]))
        if what == "call":
            call, does = draw(calls())
            lines.append(call)
            known.append(does)
        elif what == "noise" or depth == 3:
            lines.append(draw(noise()))
        else:
            inner, does = draw(sources(depth=depth + 1))
            lines += draw(blocks(inner))
            known += does
    return "\n".join([*lines, "pass"]), known


@st.composite
def blocks(draw, inner):
    """A block around statements, of any kind there is."""
    word = draw(words)
    heads = st.sampled_from(
        [
            f"def {word}(self):",
            f"async def {word}():",
            f"class {word.title()}:",
            "if True:",
            f"for {word} in ():",
            "while False:",
            "with open('x'):",
            "try:",
            "match 1:\n case _:",
        ]
    )
    head = draw(heads)
    deeper = "  " if head.startswith("match") else " "
    # Texts over lines may not be indented: they are one line here.
    body = [deeper + line for line in inner.split("\n")]
    tail = ["finally: pass"] if head == "try:" else []
    return [head, *body, *tail]


@given(sources())
def test_exactly_the_calls_that_are_there_are_found(tmp_path_factory, generated):
    source, known = generated
    compile(source, "generated", "exec", dont_inherit=True)
    path = tmp_path_factory.mktemp("x") / "generated.py"
    path.write_text(source)

    facts = _READER.read([str(path)], str(path.parent)).get(str(path))

    found = [] if facts is None else [(use.kind, use.event) for use in facts.uses]
    assert sorted(found) == sorted(known)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_file_ends_a_scan(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("x") / "any.py"
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    path.write_bytes(data + b"\nbus.publish('x')\n")

    facts = _READER.read([str(path)], str(path.parent))[str(path)]

    assert facts.uses or facts.problems


@given(
    st.recursive(
        names.map(repr) | words,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: f"({two[0]} + {two[1]})"),
            st.lists(inner, max_size=3).map(lambda many: f"[{', '.join(many)}]"),
            inner.map(lambda one: f"Event(type={one})"),
            inner.map(lambda one: f"{{'type': {one}}}"),
            inner.map(lambda one: f"({one} if x else {one})"),
            inner.map(lambda one: f"type({one}).__name__"),
            st.tuples(inner, words).map(lambda two: f"({two[0]}).{two[1]}"),
            st.tuples(inner, inner).map(lambda two: f"{two[0]}[{two[1]}]"),
        ),
        max_leaves=12,
    )
)
def test_any_expression_may_be_given(tmp_path_factory, expression):
    path = tmp_path_factory.mktemp("x") / "given.py"
    path.write_text(f"def go(bus, x):\n    a = {expression}\n    bus.publish(a)\n")

    facts = _READER.read([str(path)], str(path.parent))[str(path)]

    assert all(use.kind == "publishes" and use.event for use in facts.uses)
