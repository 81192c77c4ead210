from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.core.jsontext import dumps
from eventyard.jobs.scraping.structured import json_ld


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('{"@type":"Person"}', [{"@type": "Person"}]),
        ('[{"@type":"A"},{"@type":"B"}]', [{"@type": "A"}, {"@type": "B"}]),
        ('\n {"a": 1} \n', [{"a": 1}]),
        ('<!-- {"a": 1} -->', [{"a": 1}]),
        ('//<![CDATA[\n{"a": 1}\n//]]>', [{"a": 1}]),
        ('/*<![CDATA[*/{"a": 1}/*]]>*/', [{"a": 1}]),
        ('{"a": 1};', [{"a": 1}]),
        ('{"a": [1, 2,], }', [{"a": [1, 2]}]),
        ('{"a": "x,]", }', [{"a": "x,]"}]),
        ('{"a": "one\ntwo\ttabs"}', [{"a": "one\ntwo\ttabs"}]),
        ('{"a": NaN, "b": -Infinity}', [{"a": None, "b": None}]),
        ('{"a": 1e999}', [{"a": "1e999"}]),
        ('{"a": 1.5}', [{"a": 1.5}]),
        ('{"a": %s}' % ("9" * 50), [{"a": "9" * 50}]),
        ('{"a": "\\ud800"}', [{"a": "\ufffd"}]),
        ('{"a": 1', []),
        ("{a: 1}", []),
        ('"text"', []),
        ("[1, null, {}]", []),
        ("null", []),
        ("", []),
        ("[" * 50_000, []),
    ],
)
def test_json_ld_is_read_as_far_as_it_makes_sense(script, found):
    assert json_ld([script]) == found


def test_what_lies_too_deep_is_left_out():
    nested = {"a": 1}
    for _ in range(30):
        nested = {"in": nested}
    (found,) = json_ld([json.dumps(nested)])
    assert json.dumps(found).count("in") == 16


def test_one_bad_script_hides_no_other():
    assert json_ld(["{", '{"a": 1}']) == [{"a": 1}]


def test_scripts_are_bounded_together():
    small, large = '{"a": 1}', json.dumps({"b": "x" * 65_536})
    assert json_ld([small, large]) == [{"a": 1}]
    assert len(json_ld([small] * 100)) == 20
    assert len(json_ld(["[" + ",".join([small] * 100) + "]"])) == 50


@given(
    st.lists(
        st.text() | st.lists(st.sampled_from('{}[]",:1\\u\n<!-')).map("".join),
        max_size=3,
    )
)
def test_no_script_makes_reading_fail(scripts):
    dumps(json_ld(scripts))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_holds_can_be_written_again(value):
    dumps(json_ld([json.dumps({"a": value})]))
