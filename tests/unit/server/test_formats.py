"""Events as JSON, JSON Lines and CSV: nothing is lost, nothing becomes a formula."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.events.formats import COLUMNS, FORMATS
from eventyard.core.event import Event

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_ODD = st.sampled_from(
    ["=1+1", "'=x", "-5", "+a", "@a", "\t=", "\r", "\n=", '"', ",", "\uff1d1"]
)
_FIELDS = st.none() | _TEXTS | _ODD
_EVENTS = st.builds(
    lambda source, target, payload, note: Event(
        "a.b", payload, id="x", source=source, target=target, attributes={"note": note}
    ),
    _FIELDS,
    _FIELDS,
    st.none() | st.integers() | _TEXTS | _ODD | st.dictionaries(_TEXTS, _TEXTS),
    _TEXTS | _ODD,
)


def written(name, events, *, first=True):
    form = FORMATS[name]
    return form.join([form.row(event) for event in events], first)


def read_csv(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def unmarked(cell):
    return cell.removeprefix("'")


@given(st.lists(_EVENTS, max_size=4))
def test_json_and_jsonl_say_all_that_an_event_has(events):
    told = [event.to_dict() for event in events]

    assert json.loads(written("json", events)) == told
    lines = written("jsonl", events).split("\n")
    assert [json.loads(line) for line in lines[:-1]] == told
    assert lines[-1] == ""


@given(st.lists(_EVENTS, max_size=4))
def test_csv_gives_back_what_was_there(events):
    header, *rows = read_csv(written("csv", events))

    assert tuple(header) == COLUMNS
    for event, row in zip(events, rows, strict=True):
        cells = dict(zip(COLUMNS, map(unmarked, row), strict=True))
        assert cells["source"] == (event.source or "")
        assert cells["target"] == (event.target or "")
        assert json.loads(cells["payload"]) == event.payload
        assert json.loads(cells["attributes"]) == event.attributes
        assert cells["priority"] == "5"
        assert cells["correlation_id"] == cells["causation_id"] == ""


@given(st.lists(_EVENTS, min_size=1, max_size=4))
def test_no_cell_is_a_formula(events):
    for row in read_csv(written("csv", events))[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))


@given(st.lists(_EVENTS, max_size=6), st.integers(0, 6))
def test_pages_of_csv_and_jsonl_put_together_are_the_whole(events, cut):
    for name in ("csv", "jsonl"):
        pages = written(name, events[:cut]) + written(name, events[cut:], first=False)
        assert pages == written(name, events)


@pytest.mark.parametrize(
    ("source", "cell"),
    [("=1+1", "'=1+1"), ("a,b", '"a,b"'), ('a"b', '"a""b"'), ("a\nb", '"a\nb"')],
)
def test_csv_is_written_as_rfc_4180_has_it(source, cell):
    event = Event("a.b", {}, id="x", source=source, timestamp="2026-01-01T00:00:00Z")

    assert written("csv", [event]) == (
        ",".join(COLUMNS) + "\r\n"
        f"x,a.b,2026-01-01T00:00:00.000Z,{cell},5,,,,{{}},{{}}\r\n"
    )
