"""SVG made harmless: nothing runs, nothing loads, and a drawing stays a drawing."""

from __future__ import annotations

import re
import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.graphs import sanitise as module
from chalicelib.graphs.drawings import harmless
from chalicelib.graphs.render import DrawingError, WasmRenderer
from chalicelib.graphs.sanitise import UnsafeSvgError, sanitise
from eventyard.core.errors import PayloadTooLargeError

NAMESPACES = (
    'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
)
#: Each would run or load something if it were shown as it is.
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "script by prefix": '<s:script xmlns:s="http://www.w3.org/2000/svg">1</s:script>',
    "script of html": '<h:script xmlns:h="http://www.w3.org/1999/xhtml">1</h:script>',
    "script by reference": '<script xlink:href="https://evil.test/x.js"/>',
    "script in a group": "<g><g><script>alert(1)</script></g></g>",
    "script in CDATA": "<script><![CDATA[alert(1)]]></script>",
    "markup in CDATA": "<text><![CDATA[<script>alert(1)</script>]]></text>",
    "handler": '<g onclick="alert(1)"/>',
    "handler in capitals": '<g ONLOAD="alert(1)"/>',
    "handler with a prefix": '<g xlink:onclick="alert(1)"/>',
    "handler of the root": '<g/></svg><svg onload="alert(1)">',
    "foreign object": "<foreignObject><body onload='alert(1)'/></foreignObject>",
    "iframe": '<iframe src="https://evil.test"/>',
    "link": '<a xlink:href="javascript:alert(1)"><text>x</text></a>',
    "link in disguise": '<a href="java&#10;script:alert(1)"><text>x</text></a>',
    "link after a blank": '<a href=" javascript:alert(1)"/>',
    "link to data": '<a href="data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;"/>',
    "link elsewhere": '<a href="https://evil.test"/>',
    "link by protocol": '<a xlink:href="//evil.test"/>',
    "image": '<image xlink:href="https://evil.test/x.png" width="1" height="1"/>',
    "image of a file": '<image href="file:///etc/passwd"/>',
    "use": '<use xlink:href="https://evil.test/x.svg#a"/>',
    "use of data": '<use href="data:image/svg+xml;base64,PHN2Zy8+#x"/>',
    "animation": '<a><animate attributeName="href" values="javascript:alert(1)"/></a>',
    "setting": '<set attributeName="onclick" to="alert(1)"/>',
    "style element": "<style>@import url(https://evil.test/x.css);</style>",
    "style that loads": '<g style="fill:url(https://evil.test/x)"/>',
    "style that loads beside a local one": '<g style="fill:url(#a) url(//evil.test)"/>',
    "fill with a call behind a local one": '<path fill="url(#a)url(//evil.test)"/>',
    "style with a behaviour": '<g style="behavior:url(x.htc);-moz-binding:url(x)"/>',
    "style with an expression": '<g style="width:expression(alert(1))"/>',
    "style in escapes": r'<g style="fill:u\72l(https://evil.test)"/>',
    "style in comments": '<g style="fill:u/**/rl(https://evil.test)"/>',
    "fill that loads": '<path fill="url(https://evil.test/x#a)"/>',
    "fill in capitals": '<path fill="URL(//evil.test/x)"/>',
    "fill in quotes": "<path fill=\"url('https://evil.test')\"/>",
    "fill by image": '<path fill="image-set(https:evil)"/>',
    "mask": '<g mask="url(https://evil.test/#m)"/>',
    "filter": '<filter><feImage xlink:href="https://evil.test"/></filter>',
    "base": '<g xml:base="https://evil.test/"/>',
    "handler element": '<handler type="text/ecmascript">alert(1)</handler>',
    "instruction": '<?xml-stylesheet href="https://evil.test/x.css"?>',
    "comment": "<!--[if IE]><script>alert(1)</script><![endif]-->",
    "object": '<object data="https://evil.test"/>',
    "target": '<a href="#x" target="_parent"/>',
}
EVIL = re.compile(
    r"evil|script|onclick|onload|expression|behavior|passwd|data:|<!|<\?|_parent"
    r"|image-set|@import",
    re.IGNORECASE,
)


def svg(inside):
    return f"<svg {NAMESPACES}>{inside}</svg>"


def attributes_of(text):
    return [
        (name.rpartition("}")[2].lower(), value)
        for element in ET.fromstring(text).iter()
        for name, value in element.attrib.items()
    ]


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_runs_or_loads_is_gone(name):
    if name == "handler of the root":
        with pytest.raises(UnsafeSvgError):
            sanitise(svg(HOSTILE[name]))
        return

    cleaned = sanitise(svg(HOSTILE[name]))

    found = ET.fromstring(cleaned)
    if name == "markup in CDATA":
        # Words, not an element: escaped, as a reader would write them.
        assert "".join(found.itertext()) == "<script>alert(1)</script>"
        assert "<script" not in cleaned
        return
    assert not EVIL.search(cleaned.replace(NAMESPACES, "")), cleaned


def test_what_stands_before_the_drawing_is_gone():
    text = (
        '<?xml version="1.0"?><?xml-stylesheet href="//evil.test"?>'
        '<!DOCTYPE svg PUBLIC "a" "https://evil.test/x.dtd"><!-- c -->' + svg("<g/>")
    )

    assert sanitise(text) == svg("<g/>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<html/>",
        '<svg xmlns="http://www.w3.org/1999/xhtml"/>',
        "<svg>",
        "<svg></g></svg>",
        "<svg/><script/>",
        '<x:svg xmlns:x="urn:x"/>',
        '<?xml version="1.0" encoding="utf-16"?><svg>\ud800</svg>',
        "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>&a;</svg>",
        "<!DOCTYPE svg [<!ENTITY % a SYSTEM 'file:///etc/passwd'> %a;]><svg/>",
        "<svg>" * 200 + "</svg>" * 200,
    ],
)
def test_what_is_no_drawing_is_refused(text):
    with pytest.raises(UnsafeSvgError):
        sanitise(text)


def test_a_bomb_is_refused_before_it_goes_off():
    levels = "".join(f"<!ENTITY a{i + 1} '{f'&a{i};' * 10}'>" for i in range(12))
    bomb = f"<!DOCTYPE svg [<!ENTITY a0 'lol'>{levels}]><svg>&a12;</svg>"
    started = time.perf_counter()

    with pytest.raises(UnsafeSvgError, match="declares entities"):
        sanitise(bomb)

    assert time.perf_counter() - started < 1


def test_too_large_a_drawing_is_refused(monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 20)

    with pytest.raises(PayloadTooLargeError):
        sanitise(svg("<g/>"))


def test_references_within_the_drawing_stay():
    text = svg(
        '<defs><linearGradient id="g"><stop offset="0" '
        'style="stop-color:#fff;stop-opacity:1."/></linearGradient></defs>'
        '<a xlink:href="#n" xlink:title="t &quot;q&quot;">'
        '<path d="M0,0C1,-2.5 3e-2 4Z" fill="url(#g)" stroke="#aabbcc"/></a>'
    )

    assert sanitise(text) == text


def test_ids_and_classes_and_words_stay_whatever_they_hold():
    text = svg(
        '<g id="event:order.*|é &lt;" class="namespace-a b"><text>1 &lt; 2 &amp; é'
        "</text></g>"
    )

    assert sanitise(text) == text


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"))))
def test_words_are_read_as_they_were_written(words):
    element = ET.Element("svg", {"id": words})
    element.text = words

    cleaned = ET.fromstring(sanitise(ET.tostring(element, encoding="unicode")))

    assert (cleaned.text or "", cleaned.get("id")) == (words, words)


@given(
    st.lists(
        st.sampled_from(
            """
            <g> </g> <script> </script> <a&#32;href='javascript:1'> </a> </text> x &lt;
            <text&#32;onclick='1'> <!-- --> <![CDATA[ ]]> <?p ?> <style> </style> <svg>
            </svg> <use/>
            """.replace("&#32;", "\0").split()
        ),
        max_size=14,
    )
)
def test_whatever_is_let_through_holds_only_what_is_known(parts):
    try:
        text = "".join(parts).replace("\0", " ")
        cleaned = sanitise(f"<svg>{text}</svg>")
    except UnsafeSvgError:
        return
    elements = {element.tag for element in ET.fromstring(cleaned).iter()}

    assert elements <= {"svg", "g", "a", "text"}
    assert attributes_of(cleaned) == []
    assert sanitise(cleaned) == cleaned


HOSTILE_DOT = {
    "a font": """digraph { a [fontname='x" onclick="alert(1)'] }""",
    "a font in quotes": r'digraph { a [fontname="x\" onclick=\"alert(1)"] }',
    "a font with an element": r'digraph { a [fontname="x\"><script>1</script><g a=\""]}',
    "a stylesheet": 'digraph { stylesheet="?><script>alert(1)</script>"; a }',
    "a link": 'digraph { a [URL="javascript:alert(1)"] }',
    "a link to data": 'digraph { a [href="data:text/html,<script>alert(1)</script>"] }',
    "a link of an edge": 'digraph { a -> b [edgeURL="javascript:alert(1)"] }',
    "a link of the graph": 'digraph { URL="javascript:alert(1)"; a }',
    "a link in HTML": "digraph { a [label=<<TABLE><TR><TD HREF='javascript:x'>k</TD>"
    "</TR></TABLE>>] }",
    "an image": 'digraph { a [image="/etc/passwd"] }',
    "an image in HTML": "digraph { a [label=<<TABLE><TR><TD><IMG SRC='/etc/passwd'/>"
    "</TD></TR></TABLE>>] }",
    "an id": r'digraph { a [id="x\" onclick=\"alert(1)"] }',
    "a class": r'digraph { a [class="x\" onload=\"alert(1)"] }',
    "a label": 'digraph { a [label="<script>alert(1)</script>"] }',
    "a tooltip": r'digraph { a [tooltip="x\"><script>alert(1)</script>"] }',
    "a colour": r'digraph { a [style=filled fillcolor="url(https://evil.test)"] }',
    "a target": 'digraph { a [URL="https://evil.test" target="_top"] }',
    "a comment": 'digraph { a [comment="--><script>alert(1)</script>"] }',
}


@pytest.fixture(scope="module")
def draw():
    return WasmRenderer()


@pytest.mark.parametrize("name", sorted(HOSTILE_DOT))
def test_what_hostile_dot_draws_is_harmless(draw, name):
    try:
        cleaned = harmless(draw(HOSTILE_DOT[name]))
    except DrawingError:
        return  # It broke its own drawing: nothing is shown.

    for key, value in attributes_of(cleaned):
        assert not key.startswith("on")
        if key == "href":
            assert value.startswith("#")
        if key not in ("id", "class", "title"):
            assert not EVIL.search(value)
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(cleaned).iter()}
    shapes = {"ellipse", "polygon", "path", "text"}
    gradients = {"defs", "linearGradient", "stop"}
    assert tags <= {"svg", "g", "a", "title"} | shapes | gradients


def test_what_graphviz_draws_stays_whole(draw):
    dot = (
        'digraph G { rankdir=LR; subgraph cluster_a { label="A & B"; style="rounded"; '
        'x [id="event:x.y" class="namespace-a event failed" tooltip="a.py:1\\nb.py:2" '
        'fontname="Segoe UI" style="filled,rounded" fillcolor="#e0e0e0:#ffffff"]; } '
        'y [shape=box id="agent:é" label="é <1>"]; '
        'x -> y [id="sub:x.y|é" style=dashed arrowsize=0.8 label="2"]; }'
    )
    raw = draw(dot)

    cleaned = sanitise(raw)

    def shape(text):
        return [
            (element.tag, sorted(element.attrib.items()), (element.text or "").strip())
            for element in ET.fromstring(text).iter()
        ]

    # Styles are written without the blanks and the last semicolon.
    assert shape(cleaned) == shape(re.sub(r'(style="[^"]*);"', r'\1"', raw))
    assert 'id="event:x.y"' in cleaned
    assert 'class="node namespace-a event failed"' in cleaned
