"""Schemas: which are taken, what they refuse, and that no payload makes them run away."""

from __future__ import annotations

import json
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib.events import jsonschemas
from chalicelib.events.jsonschemas import Fault, compile_schema, infer, vet
from eventyard.core.errors import InvalidRequestError
from tests.unit.core.strategies import json_values


def fault(schema, payload):
    return compile_schema(vet(schema))(payload)


def chained(count):
    """A schema of schemas within schemas that all apply to the one value."""
    schema = {"type": "integer"}
    for _ in range(count):
        schema = {"allOf": [schema]}
    return schema


def nested(levels):
    schema = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://schemas.test/person",
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
        "friends": {"type": "array", "items": {"$ref": "#"}},
        "home": {"$ref": "#/$defs/place"},
        "work": {"$ref": "#place"},
    },
    "additionalProperties": False,
    "$defs": {"place": {"$anchor": "place", "type": "string", "maxLength": 10}},
}


@pytest.mark.parametrize(
    ("payload", "path", "told"),
    [
        ({"name": "Ada", "age": 36, "home": "London", "work": "here"}, None, None),
        ({"name": "Ada", "friends": [{"name": "Bo", "friends": []}]}, None, None),
        ({"name": "Ada", "age": 36.0}, None, None),
        ({}, "payload", "'name' is a required property"),
        (None, "payload", "None is not of type 'object'"),
        ({"name": "ada"}, "payload.name", "'ada' does not match '^[A-Z]'"),
        ({"name": "Ada", "age": -1}, "payload.age", "-1 is less than"),
        ({"name": "Ada", "age": True}, "payload.age", "True is not of type"),
        ({"name": "A", "friends": [{}]}, "payload.friends.0", "'name' is a required"),
        ({"name": "A", "work": "x" * 11}, "payload.work", "is too long"),
        ({"name": "A", "x": 1}, "payload", "'x' was unexpected"),
    ],
)
def test_a_payload_is_held_against_its_schema(payload, path, told):
    found = fault(PERSON, payload)

    if path is None:
        assert found is None
    else:
        assert found.path == path
        assert told in found.message


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "strin"}, "schema.type"),
        ({"properties": {"a": {"minimum": "1"}}}, "schema.properties.a.minimum"),
        ({"properties": []}, "schema.properties"),
        ({"required": "a"}, "schema.required"),
        ({"multipleOf": 0}, "schema.multipleOf"),
        ({"$ref": "https://schemas.test/other"}, "schema.$ref"),
        ({"$ref": "http://127.0.0.1:1/x.json#/a"}, "schema.$ref"),
        ({"$ref": "file:///etc/passwd"}, "schema.$ref"),
        ({"$ref": "other.json"}, "schema.$ref"),
        ({"$ref": "#/$defs/missing"}, "schema.$ref"),
        ({"$ref": "#missing"}, "schema.$ref"),
        ({"$ref": "#/enum/0", "enum": [{"pattern": "(a+)+"}]}, "schema.$ref"),
        ({"$ref": "#/x", "x": {"$ref": "https://schemas.test"}}, "schema.$ref"),
        ({"$ref": "http://[x"}, "schema.$ref"),
        ({"$ref": "%zz"}, "schema.$ref"),
        ({"not": {"$ref": "urn:x"}}, "schema.$ref"),
        ({"properties": {"a": {"$ref": "urn:x"}}}, "schema.$ref"),
        ({"$dynamicRef": "#a", "$dynamicAnchor": "a"}, "schema.$dynamicRef"),
        ({"items": {"$id": "https://schemas.test"}}, "schema.$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "schema.$schema"),
        ({"items": {"$schema": "urn:other"}}, "schema.$schema"),
        ({"pattern": "("}, "schema.pattern"),
        ({"pattern": "(a+)+b"}, "schema.pattern"),
        ({"pattern": "x" * 300}, "schema.pattern"),
        ({"items": {"not": {"pattern": "(?=a)"}}}, "schema.pattern"),
        ({"patternProperties": {"(a|a)*b": {}}}, "schema.patternProperties"),
        ({"patternProperties": {"a": {}, "(?i)b": {}}}, "schema.patternProperties"),
        ({"$ref": "#"}, "schema"),
        ({"allOf": [{"$ref": "#"}]}, "schema"),
        ({"if": {"required": ["a"]}, "then": {"$ref": "#"}}, "schema"),
        ({"dependentSchemas": {"a": {"$ref": "#"}}}, "schema"),
        (
            {
                "$defs": {
                    "a": {"$ref": "#/$defs/b"},
                    "b": {"not": {"$ref": "#/$defs/a"}},
                }
            },
            "schema",
        ),
        (chained(20), "schema"),
        (nested(33), "schema"),
        ({"description": "x" * 65_536}, "schema"),
    ],
)
def test_a_schema_that_cannot_or_must_not_be_used_is_refused(schema, place):
    with pytest.raises(InvalidRequestError) as refused:
        vet(schema)

    assert refused.value.details == {"path": place}
    assert str(refused.value).startswith(place)
    assert len(str(refused.value)) < 400


def test_schemas_that_multiply_are_refused():
    # Thirty lines that hold one value against a billion schemas.
    doubled = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 8} for n in range(6)
    }

    with pytest.raises(InvalidRequestError):
        vet({"$defs": {**doubled, "a6": {}}, "$ref": "#/$defs/a0"})


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$ref": "#/$defs/a", "$defs": {"a": True}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema#"},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        {"const": {"$ref": "https://schemas.test", "pattern": "("}},
        {"x-owner": {"pattern": "(a+)+"}},
        {"properties": {"next": {"$ref": "#"}}},
        {"propertyNames": {"pattern": "^[a-z]+$"}},
        chained(12),
        nested(30),
    ],
)
def test_what_is_unusual_but_sound_is_taken(schema):
    assert json.loads(vet(schema)) == schema
    fault(schema, {"a": [1]})


def test_a_schema_is_vetted_in_no_time_however_its_parts_refer_to_each_other():
    names = [f"d{n}" for n in range(900)]
    schema = {
        "$defs": {name: {"properties": {"a": {"$ref": "#"}}} for name in names},
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
    }
    began = time.monotonic()

    vet(schema)

    assert time.monotonic() - began < 20


def test_a_long_text_is_held_against_no_pattern():
    # Quadratic is fine for 4096 characters; for four million it takes a day.
    found = fault({"properties": {"t": {"pattern": "a+$"}}}, {"t": "ab" * 2_000_000})

    assert found.path == "payload.t"
    assert "more than 4096 characters" in found.message


@pytest.mark.parametrize(
    "keyword", [{"additionalProperties": False}, {"unevaluatedProperties": False}, {}]
)
def test_a_long_name_is_held_against_no_pattern(keyword):
    schema = {"patternProperties": {"a+$": {}}, **keyword}

    found = fault(schema, {"ab" * 1_000_000: 1})

    assert "a name of more than 4096 characters" in found.message


def test_a_payload_that_takes_too_many_steps_is_refused_soon(monkeypatch):
    monkeypatch.setattr(jsonschemas, "MOST_STEPS", 10_000)
    schema = {"items": {"allOf": [{"minimum": n} for n in range(50)]}}

    found = fault(schema, [60] * 5_000)

    assert found == Fault("payload", "takes more than 10000 steps to check")
    assert fault(schema, [60] * 10) is None  # each check has its steps anew


def test_references_that_multiply_with_the_payload_are_refused_soon(monkeypatch):
    monkeypatch.setattr(jsonschemas, "MOST_STEPS", 10_000)
    schema = {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
    payload = {}
    for _ in range(60):
        payload = {"a": payload}

    found = fault(schema, payload)

    assert "steps" in found.message or "deeply" in found.message


def test_a_payload_nested_too_deeply_for_the_checker_is_refused():
    schema = {"$defs": {"n": {"allOf": [{"items": {"$ref": "#/$defs/n"}}]}}}
    check = compile_schema(vet({**schema, "$ref": "#/$defs/n"}))
    payload = []
    for _ in range(60):
        payload = [payload]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(_stack()) + 200)
    try:
        found = check(payload)
    finally:
        sys.setrecursionlimit(limit)

    assert found == Fault("payload", "is nested too deeply for this schema")
    assert check(payload) is None


def _stack():
    import inspect

    return inspect.stack(0)


def test_a_message_stays_short_whatever_the_payload():
    found = fault({"type": "string"}, {"text": "x" * 1_000_000})

    assert len(found.message) < 400


@pytest.mark.parametrize(
    ("value", "step", "fits"),
    [
        (19.99, 0.01, True),
        (0.3, 0.1, True),
        (1e300, 0.5, True),
        (10**400, 0.5, True),
        (10**400 + 1, 10, False),
        (19.995, 0.01, False),
        (7, 3.5, True),
        (7, 2, False),
        (-4, 2, True),
        (0, 5, True),
        ("7", 2, True),
        (True, 2, True),
    ],
)
def test_multiples_are_those_of_the_numbers_as_written(value, step, fits):
    assert (fault({"multipleOf": step}, value) is None) is fits


@given(st.lists(json_values | st.sampled_from([1, 1.0, True, "1", [1], {"a": 1}])))
@example([[1, True], [1.0, 1]])
@example([{"a": 0}, {"a": False}])
@example([-0.0, 0])
def test_items_are_unique_as_json_knows_it(values):
    slow = Draft202012Validator({"uniqueItems": True})

    assert (fault({"uniqueItems": True}, values) is None) == slow.is_valid(values)


def test_many_items_are_told_apart_at_once():
    began = time.monotonic()

    assert fault({"uniqueItems": True}, [{"n": n} for n in range(100_000)]) is None
    assert time.monotonic() - began < 20


def test_without_the_wish_items_may_repeat():
    assert fault({"uniqueItems": False}, [1, 1]) is None


@given(st.lists(json_values, min_size=1, max_size=8))
def test_what_was_inferred_from_payloads_accepts_them(payloads):
    schema = infer(payloads)

    Draft202012Validator.check_schema(schema)
    check = compile_schema(json.dumps(schema))
    assert [check(payload) for payload in payloads] == [None] * len(payloads)


def test_what_was_inferred_is_a_schema_that_can_be_saved_and_refuses_others():
    schema = infer([{"order": 1, "total": 2.5}, {"order": 2, "note": "x"}])

    assert schema["$schema"] == jsonschemas.DIALECT
    assert schema["required"] == ["order"]
    assert fault(schema, {"order": 3, "total": 1}) is None
    assert fault(schema, {"total": 1}) is not None
    assert fault(schema, {"order": "3"}) is not None


keywords = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "number"]),
        "minimum": st.integers(-2, 2),
        "multipleOf": st.sampled_from([2, 0.5]),
        "maxLength": st.integers(0, 2),
        "pattern": st.sampled_from(["^a", "b$"]),
        "required": st.just(["a"]),
        "uniqueItems": st.booleans(),
        "enum": st.lists(json_values, min_size=1, max_size=2),
        "const": json_values,
    },
)
small_schemas = st.recursive(
    keywords | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "contains": inner,
            "unevaluatedProperties": inner,
        },
    ),
    max_leaves=4,
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["", "a", "ab", 1.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(small_schemas.filter(lambda schema: isinstance(schema, dict)), values)
def test_the_bounds_change_nothing_about_what_is_valid(schema, value):
    assert (fault(schema, value) is None) == Draft202012Validator(schema).is_valid(
        value
    )
