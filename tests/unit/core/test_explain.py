from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventyard.core._phrases import shown
from eventyard.core.errors import SubscriptionError
from eventyard.core.explain import Miss, explain
from eventyard.core.filters import compile_filter
from eventyard.core.topics import compile_pattern
from tests.properties import examples
from tests.unit.core import strategies

VIEW = {
    "type": "order.created",
    "priority": 5,
    "flag": True,
    "nothing": None,
    "tags": ["eu", "new"],
    "timestamp": "2026-01-02T03:04:05Z",
    "payload": {
        "amount": 40,
        "count": "5",
        "userId": "u1",
        "status": "Paid",
        "user": {"name": "Ada", "Role": "admin"},
        "items": [{"sku": "a"}, {"sku": "b"}],
        "text": "timeout after 5 s",
        "long": "x" * 5000,
    },
}


def message(spec: dict[str, object]) -> str:
    miss = explain("*", spec, "order.created", VIEW)
    assert miss is not None
    assert not compile_filter(dict(miss.condition))(VIEW)
    return miss.message


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"payload.amount": 100}, "payload.amount is 40, not 100"),
        (
            {"payload.amount": {"$gt": 100}},
            "payload.amount is 40, which is not $gt 100",
        ),
        (
            {"payload.count": {"$gt": 3}},
            "payload.count is the text '5', $gt 3 compares numbers",
        ),
        (
            {"priority": {"$lt": "9"}},
            "priority is the number 5, $lt '9' compares texts",
        ),
        (
            {"payload.text": {"$gte": "2026-01-01"}},
            (
                "payload.text is the text 'timeout after 5 s', "
                "$gte '2026-01-01' compares moments"
            ),
        ),
        (
            {"timestamp": {"$lte": "2026-01-01"}},
            "timestamp is '2026-01-02T03:04:05Z', which is not $lte '2026-01-01'",
        ),
        ({"payload.count": 5}, "payload.count is the text '5', not the number 5"),
        ({"flag": 1}, "flag is true, not the number 1"),
        ({"nothing": False}, "nothing is null, not false"),
        (
            {"payload.status": "paid "},
            (
                "payload.status is 'Paid', not 'paid ': "
                "they differ in case or outer spaces only"
            ),
        ),
        (
            {"payload.long": "x" * 5001},
            (
                f"payload.long is '{'x' * 64}…', "
                "which differs from what is asked for further on"
            ),
        ),
        (
            {"tags": "eu"},
            "tags is the list ['eu', 'new'], not the text 'eu'; did you mean $contains?",
        ),
        (
            {"priority": [4, 5]},
            "priority is the number 5, not the list [4, 5]; did you mean $in?",
        ),
        (
            {"payload.user": {"name": "Bob"}},
            "payload.user is {name: 'Ada', Role: 'admin'}, not {name: 'Bob'}",
        ),
        ({"priority": {"$ne": 5}}, "priority is 5, which $ne forbids"),
        ({"priority": {"$in": [1, 2]}}, "priority is 5, which is none of [1, 2]"),
        (
            {"payload.count": {"$in": [5]}},
            "payload.count is the text '5', which is none of [5]",
        ),
        (
            {"priority": {"$nin": [5]}},
            "priority is 5, which is among what $nin forbids",
        ),
        ({"priority": {"$exists": False}}, "priority is 5, but must be missing"),
        (
            {"payload.text": {"$regex": "^5"}},
            "payload.text is 'timeout after 5 s', in which $regex '^5' finds nothing",
        ),
        (
            {"priority": {"$regex": "5"}},
            "priority is the number 5, $regex looks into texts",
        ),
        (
            {"payload.long": {"$regex": "x"}},
            "payload.long has 5000 characters, $regex looks into at most 4096",
        ),
        (
            {"payload.text": {"$contains": "z"}},
            "payload.text is 'timeout after 5 s', which does not hold 'z'",
        ),
        (
            {"payload.text": {"$contains": 5}},
            (
                "payload.text is the text 'timeout after 5 s', "
                "which cannot hold the number 5"
            ),
        ),
        (
            {"flag": {"$contains": "t"}},
            "flag is true, $contains looks into texts and lists",
        ),
        (
            {"type": {"$topic": "user.*"}},
            "type is 'order.created', which does not fit user.*",
        ),
        (
            {"priority": {"$topic": "*"}},
            "priority is the number 5, $topic looks at texts",
        ),
        (
            {"priority": {"$not": {"$gt": 3}}},
            "priority is 5, and $not forbids {$gt: 3}",
        ),
        (
            {"$not": {"priority": 5, "flag": True}},
            "{priority: 5, flag: true} holds, and $not forbids it",
        ),
        (
            {"nowhere": {"$not": {"$exists": False}}},
            "nowhere is missing, and $not forbids {$exists: false}",
        ),
        (
            {"$or": [{"priority": 1}, {"flag": False}]},
            "none of the 2 alternatives of $or holds; the first: priority is 5, not 1",
        ),
        (
            {"priority": {"$or": [{"$gt": 7}]}},
            "the one alternative of $or: priority is 5, which is not $gt 7",
        ),
    ],
)
def test_the_reason_is_told_in_words(spec, said):
    assert message(spec) == said


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("amount", "payload.amount"),
        ("user.name", "payload.user.name"),
        ("payload.userid", "payload.userId"),
        ("Payload.Amount", "payload.amount"),
        ("user.role", "payload.user.Role"),
        ("payload.priority", "priority"),
        ("payload.items.sku", "payload.items.0.sku"),
    ],
)
def test_a_path_that_leads_nowhere_asks_for_the_one_that_was_meant(path, meant):
    said = f"{path} is missing; did you mean {meant}?"
    assert message({path: {"$exists": True}}) == said


@pytest.mark.parametrize(
    "path",
    ["colour", "payload.user.age", "payload.items.9", "tags.x", "a..b", "type.x"],
)
def test_nothing_is_guessed_where_nothing_is_near(path):
    assert message({path: 1}) == f"{path} is missing"


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        (["user.*", "task.**"], "order.created fits none of user.*, task.**"),
        ("user.*", "order.created does not fit user.*"),
        ([], "order.created fits nothing: no topics were asked for"),
        (
            ["Order.created"],
            "order.created does not fit Order.created; Order.created differs in case only",
        ),
        (
            [f"t{n}" for n in range(8)],
            "order.created fits none of t0, t1, t2, t3, t4 and 3 others",
        ),
    ],
)
def test_the_topic_is_looked_at_first(topics, said):
    miss = explain(topics, {"priority": 1}, "order.created", VIEW)
    listed = [topics] if isinstance(topics, str) else topics
    assert miss == Miss({"topics": listed}, said, "order.created")


def test_a_star_that_should_have_been_two_is_named():
    miss = explain(["order.*"], None, "order.created.v2", VIEW)
    assert miss is not None
    assert miss.message.endswith("; * is one segment, did you mean order.**?")


def test_the_first_condition_that_fails_is_reported_as_it_was_written():
    spec = {
        "flag": True,
        "$and": [{"priority": {"$gte": 5, "$lt": 5, "$ne": 5}}, {"flag": False}],
        "type": "never",
    }
    miss = explain("*", spec, "order.created", VIEW)
    assert miss is not None
    assert miss.to_dict() == {
        "condition": {"priority": {"$lt": 5}},
        "message": "priority is 5, which is not $lt 5",
        "found": 5,
    }


@pytest.mark.parametrize(
    ("spec", "condition", "found"),
    [
        ({"type": "x"}, {"type": "x"}, "order.created"),
        ({"payload.none": 1}, {"payload.none": 1}, None),
        ({"nothing": 1}, {"nothing": 1}, None),
        (
            {"priority": {"$and": [{"$gt": 1}, {"$gt": 7}]}},
            {"priority": {"$gt": 7}},
            5,
        ),
        ({"payload.long": 1}, {"payload.long": 1}, "x" * 5000),
        ({"$not": {"priority": 5}}, {"$not": {"priority": 5}}, 5),
        ({"$not": {"priority": 5, "flag": True}}, None, None),
        ({"$not": {"$or": [{"priority": 5}]}}, None, None),
        ({"$not": {}}, None, None),
        ({"$or": [{"priority": 1}, {"flag": 1}]}, None, 5),
    ],
)
def test_what_stands_there_is_handed_over_whole(spec, condition, found):
    miss = explain("*", spec, "order.created", VIEW)
    assert miss is not None
    assert miss.condition == (condition or spec)
    assert miss.found == found


def test_what_matches_needs_no_explanation():
    assert explain("order.*", {"priority": 5}, "order.created", VIEW) is None
    assert explain(["a", "order.*"], None, "order.created", VIEW) is None


@pytest.mark.parametrize(
    ("topics", "spec"), [("a.b*", None), ("*", {"a": {"$like": 1}}), ("b", {"$or": 1})]
)
def test_a_bad_wish_is_refused_as_when_subscribing(topics, spec):
    with pytest.raises(SubscriptionError):
        explain(topics, spec, "a", VIEW)


def nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = {"a": [value]}
    return value


HOSTILE = {
    "deep": nested(32),  # as deep as JSON is accepted
    "unprintable": "\0\n\x1b[31m" * 9999,
    "large": 10**9999,
    "many fields": {str(n) * 50: "y" * 500 for n in range(5000)},
    "odd fields": {"\n" * 9999: 1},
    "many items": list(range(100_000)),
    "not a number": float("nan"),
    "no JSON": object(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_messages_stay_short_and_printable_whatever_stands_there(kind):
    value = HOSTILE[kind]
    views = {"value": value, "payload": value}
    for operator in ({"$gt": 5}, {"$eq": 5}, {"$in": [value]}, {"$not": {"$ne": 5}}):
        for path in ("value", "value.a", "a." * 5000, "Value", "A" * 9999, "\n"):
            miss = explain("*", {path: operator}, "t", views)
            if miss is not None:
                assert len(miss.message) < 600
                assert miss.message.isprintable()


@settings(deadline=None, max_examples=examples(300))
@given(
    st.lists(st.sampled_from(["a", "a.*", "b.**", "*"]), max_size=3),
    strategies.filters,
    st.sampled_from(["a", "a.b", "b"]),
    strategies.views,
)
def test_there_is_an_explanation_exactly_when_there_is_no_match(
    topics, spec, topic, view
):
    fits = any(compile_pattern(text).matches(topic) for text in topics)
    miss = explain(topics, spec, topic, view)
    assert (miss is None) is (fits and compile_filter(spec)(view))
    if miss is not None and fits:
        assert not compile_filter(dict(miss.condition))(view)


@given(strategies.json_values, strategies.json_values)
def test_an_explanation_can_be_sent_as_json(value, operand):
    miss = explain("*", {"value": {"$eq": operand}}, "t", {"value": value})
    assert miss is None or json.loads(json.dumps(miss.to_dict())) == miss.to_dict()


def test_what_is_wide_and_deep_is_shown_in_no_time():
    wide: object = 1
    for _ in range(40):
        wide = [wide] * 4
    assert shown(wide).startswith("[[[[…], […], […], […]], [[…]")
    assert len(shown(wide)) < 200
    assert shown([[[[1]]]]) == "[[[[…]]]]"
