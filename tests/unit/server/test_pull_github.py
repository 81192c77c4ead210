"""Signatures over raw bytes, headers, and payloads that hold anything at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.pulls import checks, github
from chalicelib.pulls.payload import at, clipped, link
from chalicelib.pulls.shown import show
from chalicelib.pulls.state import PullState
from eventyard.core.errors import AuthenticationError, InvalidRequestError
from tests.github import SAMPLES, load, sign

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
#: From GitHub's documentation, to try an implementation with.
DOCUMENTED = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)
EVENTS = [*checks.READERS, *github._READERS, "ping", "star", "whatever"]


def test_the_documented_signature_is_the_right_one() -> None:
    github.verify(SECRET, BODY, DOCUMENTED)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("sha1=" + "0" * 40, "must be sha256="),
        (DOCUMENTED.removeprefix("sha256="), "must be sha256="),
        (DOCUMENTED[:-1], "must be sha256="),
        (DOCUMENTED + "0", "must be sha256="),
        (DOCUMENTED.upper(), "must be sha256="),
        ("sha256=" + "é" * 64, "must be sha256="),
        ("sha256=" + "\ud800" * 64, "must be sha256="),
        ("sha256=" + "0" * 64, "does not fit"),
    ],
)
def test_any_other_signature_is_refused_saying_why(
    signature: str | None, reason: str
) -> None:
    with pytest.raises(AuthenticationError, match=reason):
        github.verify(SECRET, BODY, signature)


@pytest.mark.parametrize(
    "body", [b'{"a": 1.0}', b'{"a":1}', b'{"a": "\\u00e9"}', b"\xff\xfe"]
)
def test_the_bytes_are_signed_not_what_they_mean(body: bytes) -> None:
    github.verify(SECRET, body, sign(SECRET, body))
    with pytest.raises(AuthenticationError):
        github.verify(SECRET, body + b" ", sign(SECRET, body))


@given(st.binary(), st.text(min_size=1))
def test_what_was_signed_is_verified_and_with_another_secret_is_not(
    body: bytes, secret: str
) -> None:
    secret = secret.encode(errors="replace").decode()
    github.verify(secret, body, sign(secret, body))
    with pytest.raises(AuthenticationError):
        github.verify(secret + "x", body, sign(secret, body))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_recorded_webhook_is_read(name: str) -> None:
    sample = load(name)

    told = github.read(sample.event, sample.body, "d")

    effects = bool(told.pulls or told.checks or told.push)
    silent = ("ping", "star", "push.deleted")
    assert effects == (not name.startswith(silent))
    assert (told.repository is None) == (name == "ping.organization")


@given(st.sampled_from(EVENTS), st.dictionaries(st.text(), JSON, max_size=5))
def test_no_payload_makes_reading_fail(event: str, payload: dict) -> None:
    github.read(event, payload)
    github.topic_of(event, payload)
    github.source_of(payload)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, dict]:
    """A real payload in which some values are something else."""
    sample = load(draw(st.sampled_from(SAMPLES)))
    body = json.loads(json.dumps(sample.body))
    for _ in range(draw(st.integers(1, 6))):
        place, key = body, None
        while isinstance(place, dict) and place:
            key = draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or draw(st.booleans()):
                break
            place = place[key]
        if isinstance(place, dict) and key is not None:
            place[key] = draw(JSON)
    return sample.event, body


@given(spoiled())
def test_a_spoiled_payload_is_read_as_far_as_it_is_sound(
    case: tuple[str, dict],
) -> None:
    told = github.read(*case)

    for facts in told.pulls:
        state = PullState(facts.repository, facts.number).merge(facts)
        assert (
            PullState.from_text(facts.repository, facts.number, state.to_text())
            == state
        )
        json.dumps(show(state))


def test_a_long_description_is_cut_at_a_character() -> None:
    cut = clipped("é" * 10_000, 100)

    assert cut is not None
    assert len(cut.encode()) <= 100
    assert cut.endswith("é…")


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//x.test", 5, "https://" + "x" * 3000],
)
def test_what_no_page_may_link_to_is_no_link(address: object) -> None:
    assert link(address) is None


def test_moments_are_written_in_one_way_so_that_texts_compare() -> None:
    assert at("2026-03-02T10:00:00+01:00") == "2026-03-02T09:00:00.000Z"
    assert at(1_772_442_000) == "2026-03-02T09:00:00.000Z"
    assert at("yesterday") is None
    assert at(True) is None
    assert at(10**30) is None


HEADERS = {
    "x-github-event": "push",
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "x-github-hook-id": "1",
    "x-github-hook-installation-target-id": "2",
}


def test_a_delivery_is_told_apart_by_hook_event_id_and_body() -> None:
    one = github.delivery_of(HEADERS.get, b"a")
    other_hook = github.delivery_of({**HEADERS, "x-github-hook-id": "9"}.get, b"a")
    other_body = github.delivery_of(HEADERS.get, b"b")

    assert len({one, other_hook, other_body}) == 3
    assert one == github.delivery_of(HEADERS.get, b"a")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-github-event", ""),
        ("x-github-event", "Push!"),
        ("x-github-event", "a" * 100),
        ("x-github-delivery", ""),
        ("x-github-delivery", "a b"),
        ("x-github-delivery", "x" * 65),
    ],
)
def test_headers_that_are_none_are_named(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError, match="X-GitHub"):
        github.delivery_of({**HEADERS, name: value}.get, b"")


def test_a_hook_that_tells_no_id_is_one_of_its_own() -> None:
    bare = {name: HEADERS[name] for name in ("x-github-event", "x-github-delivery")}

    assert github.delivery_of(bare.get, b"").hook == "-"
