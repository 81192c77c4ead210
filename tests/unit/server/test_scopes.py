from __future__ import annotations

import pytest

from chalicelib.auth import Principal, check_scopes, require_topics
from eventyard.core.errors import InvalidRequestError, PermissionDeniedError

PUBLISH = "events:publish"


def principal(*scopes):
    return Principal("x", frozenset(scopes))


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        (["admin"], True),
        ([PUBLISH], True),
        ([f"{PUBLISH}:order.*"], True),
        (["events:subscribe"], False),
        (["events"], False),
        (["events:publisher"], False),
        ([], False),
    ],
)
def test_a_scope_is_granted_whole_or_for_some_topics(granted, allowed):
    who = principal(*granted)

    assert who.may(PUBLISH) is allowed
    if not allowed:
        with pytest.raises(PermissionDeniedError) as refused:
            who.require(PUBLISH)
        assert refused.value.details == {"scope": PUBLISH}


def test_a_whole_scope_is_all_topics():
    assert principal("admin").topics(PUBLISH) is None
    assert principal(PUBLISH, f"{PUBLISH}:a").topics(PUBLISH) is None
    assert principal(f"{PUBLISH}:b", f"{PUBLISH}:a.*").topics(PUBLISH) == ("a.*", "b")
    assert principal("events:subscribe").topics(PUBLISH) == ()


def test_every_topic_must_be_within_the_patterns():
    require_topics(PUBLISH, None, ["anything"])
    require_topics(PUBLISH, ["order.*", "user.**"], ["order.paid", "user.a.b"])

    with pytest.raises(PermissionDeniedError) as refused:
        require_topics(PUBLISH, ["order.*"], ["order.paid", "order.paid.late"])

    assert refused.value.details == {"scope": PUBLISH, "topic": "order.paid.late"}


def test_no_patterns_allow_no_topic():
    with pytest.raises(PermissionDeniedError):
        require_topics(PUBLISH, (), ["a"])


def test_scopes_are_kept_in_order_and_once():
    given = ["events:subscribe:b", "admin", "events:subscribe:a.*", "admin"]

    assert check_scopes(given) == [
        "admin",
        "events:subscribe:a.*",
        "events:subscribe:b",
    ]


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        ["root"],
        [""],
        ["events"],
        ["admin:x"],
        ["events:publish:"],
        ["events:publish:a*"],
        ["events:delete:a"],
        ["admin", "root"],
    ],
)
def test_an_unknown_scope_is_refused(scopes):
    with pytest.raises(InvalidRequestError):
        check_scopes(scopes)


def test_a_topic_may_hold_a_colon():
    assert check_scopes(["events:publish"]) == ["events:publish"]
    assert check_scopes(["events:publish:urn:x"]) == ["events:publish:urn:x"]
