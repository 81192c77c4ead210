from __future__ import annotations

import builtins
import pickle

import pytest

from eventyard.core import errors

EVERY = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, errors.EventRouterError)
]


@pytest.mark.parametrize("cls", EVERY)
def test_the_default_message_is_the_docstring(cls):
    error = cls()
    assert str(error) == error.message == cls.__doc__
    assert error.details == {}


@pytest.mark.parametrize("cls", EVERY)
def test_an_error_survives_pickling(cls):
    error = cls("no", code="other", details={"field": "x"})
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.message, copy.code) == (cls, "no", "other")
    assert copy.details == {"field": "x"}


def test_codes_are_unique():
    assert len({cls.code for cls in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.ValidationError, ValueError),
        (errors.SubscriptionError, ValueError),
        (errors.ConnectionError, builtins.ConnectionError),
        (errors.TimeoutError, builtins.TimeoutError),
    ],
)
def test_a_caller_who_knows_only_the_builtin_still_catches_ours(cls, builtin):
    with pytest.raises(builtin, match="no"):
        raise cls("no")


def test_retryable_is_a_property_of_the_kind_except_for_publishing():
    retryable = {cls.__name__ for cls in EVERY if cls().retryable}
    assert retryable == {"ConnectionError", "TimeoutError", "UnavailableError"}
    assert errors.PublishError("busy", retryable=True).retryable
