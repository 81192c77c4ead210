"""Signatures of senders: those of their own documents, and what only looks like one."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from chalicelib.sources.signatures import (
    Hmac,
    Standard,
    check_secret,
    fault_of,
    new_secret,
)
from eventyard.core.errors import InvalidRequestError
from tests.github import load

NOW = 1_614_265_330
#: The example of the specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"x" * 24).decode()
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(NOW),
    "webhook-signature": SIGNATURE,
}
PLAIN = Hmac("X-Signature")
STAMPED = Hmac("X-Signature", timestamp_header="X-Time")
KEY = "a secret of some length"


def standard(body=BODY, secrets=(SECRET,), now=NOW, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    every = {n: v for n, v in {**HEADERS, **named}.items() if v is not None}
    return fault_of(Standard(), secrets, every, body, now)


def hexed(secret, signed, algorithm="sha256"):
    return hmac.new(secret.encode(), signed, algorithm).hexdigest()


def plain(value, body=BODY, scheme=PLAIN, secrets=(KEY,)):
    headers = {} if value is None else {scheme.header.lower(): value}
    return fault_of(scheme, secrets, headers, body, NOW)


def stamped(value, scheme=STAMPED, now=NOW, said=str(NOW)):
    headers = {"x-signature": value, "x-time": said}
    return fault_of(scheme, [KEY], headers, BODY, now)


def test_the_example_of_the_specification_is_genuine():
    assert standard() is None


def test_the_older_names_of_the_headers_count_where_the_source_says_so():
    older = {name.replace("webhook", "svix"): v for name, v in HEADERS.items()}

    assert fault_of(Standard("svix"), [SECRET], older, BODY, NOW) is None
    assert fault_of(Standard(), [SECRET], older, BODY, NOW)
    assert fault_of(Standard("svix"), [SECRET], HEADERS, BODY, NOW)


@pytest.mark.parametrize(
    "signature",
    [
        f"v1,{base64.b64encode(b'y' * 32).decode()} {SIGNATURE}",
        f"{SIGNATURE} v1,{base64.b64encode(b'y' * 32).decode()}",
        f"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZ {SIGNATURE}",
        f"v1 , v1, v1,= nothing {SIGNATURE}",
        f"v1,v1,x {SIGNATURE}",
    ],
)
def test_one_of_several_signatures_is_enough(signature):
    assert standard(webhook_signature=signature) is None


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        " ",
        "v1",
        "v1,",
        SIGNATURE[:-1],
        SIGNATURE[:-5],
        SIGNATURE[3:],
        SIGNATURE.replace("v1,", "v2,"),
        SIGNATURE.replace("v1,", "v1, "),
        SIGNATURE.replace("g", "h", 1),
        SIGNATURE.replace("g", "ġ", 1),
        SIGNATURE + "AAAA",
        "v1," + base64.b64encode(b"z" * 32).decode(),
        "v1," + "é" * 44,
        "v1,\ud800",
        "v1," + "A" * 8_000,
        "v1," + hashlib.sha256(b"").hexdigest(),
    ],
)
def test_what_only_looks_like_a_signature_is_none(signature):
    assert "signature" in standard(webhook_signature=signature)


@pytest.mark.parametrize("name", ["webhook_id", "webhook_timestamp"])
def test_without_its_id_or_its_time_nothing_is_genuine(name):
    assert "missing" in standard(**{name: None})
    assert "missing" in standard(**{name: ""})


@pytest.mark.parametrize(
    "said",
    [
        "x",
        "nan",
        "1e9",
        "-1614265330",
        "1614265330.0",
        " 1614265330",
        "16142653300",
        "0x60370132",
        "١٦١٤٢٦٥٣٣٠",
        "2021-02-25T15:02:10Z",
    ],
)
def test_a_time_that_is_no_number_of_seconds_is_none(said):
    assert standard(webhook_timestamp=said)


def test_what_was_signed_cannot_be_changed():
    assert standard(BODY.replace(b"4", b"5"))
    assert standard(BODY + b"\n")
    assert standard(webhook_id="msg_other")
    assert standard(webhook_timestamp=str(NOW + 1))
    assert standard(b"\xff\xfe")
    assert standard(webhook_id="\ud800")


@pytest.mark.parametrize("away", [-301, 301, 86_400, -(10**6)])
def test_a_delivery_of_another_time_is_refused_though_it_is_signed(away):
    assert "timestamp" in standard(now=NOW + away)


@pytest.mark.parametrize("away", [-300, 0, 300])
def test_a_delivery_within_five_minutes_is_taken(away):
    assert standard(now=NOW + away) is None


def test_either_of_two_secrets_will_do_and_no_third():
    assert standard(secrets=[OTHER, SECRET]) is None
    assert standard(secrets=[SECRET, OTHER]) is None
    assert standard(secrets=[OTHER])
    assert standard(secrets=[])


@given(
    st.binary(min_size=24, max_size=64),
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.text(st.characters(codec="utf-8")),
    st.integers(0, 9_999_999_999),
)
def test_whatever_the_library_signs_is_genuine(key, ident, text, seconds):
    secret = "whsec_" + base64.b64encode(key).decode()
    moment = datetime.fromtimestamp(seconds, UTC)
    headers = {
        "webhook-id": ident,
        "webhook-timestamp": str(seconds),
        "webhook-signature": Webhook(secret).sign(ident, moment, text),
    }

    assert fault_of(Standard(), [secret], headers, text.encode(), seconds) is None
    assert fault_of(Standard(), [secret], headers, text.encode() + b"!", seconds)


@given(st.dictionaries(st.sampled_from([*HEADERS, "x-signature", "x-time"]), st.text()))
def test_no_headers_are_genuine_by_chance_or_do_harm(headers):
    for scheme in (Standard(), PLAIN, STAMPED, Hmac("X-Signature", encoding="base64")):
        assert fault_of(scheme, [OTHER], headers, BODY, NOW)


@pytest.mark.parametrize(
    ("algorithm", "key", "signed", "expected"),
    [
        # RFC 4231 and RFC 2202, the second case of each.
        (
            "sha256",
            "Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "sha512",
            "Jefe",
            b"what do ya want for nothing?",
            (
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
            ),
        ),
        (
            "sha1",
            "Jefe",
            b"what do ya want for nothing?",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
    ],
)
def test_published_examples_of_each_algorithm_are_genuine(
    algorithm, key, signed, expected
):
    scheme = Hmac("X-Signature", algorithm=algorithm)
    encoded = Hmac("X-Signature", algorithm=algorithm, encoding="base64")
    spelled = base64.b64encode(bytes.fromhex(expected)).decode()

    assert plain(expected, signed, scheme, [key]) is None
    assert plain(expected.upper(), signed, scheme, [key]) is None
    assert plain(spelled, signed, encoded, [key]) is None
    assert plain(expected, signed + b"?", scheme, [key])
    assert plain(expected, signed, encoded, [key])


def test_githubs_way_of_signing_is_one_of_these():
    sample = load("pull_request.opened")
    headers = {name.lower(): value for name, value in sample.signed(KEY).items()}
    scheme = Hmac("X-Hub-Signature-256", prefix="sha256=")

    assert fault_of(scheme, [KEY], headers, sample.raw, NOW) is None
    assert fault_of(scheme, [KEY], headers, sample.raw + b" ", NOW)


def test_slacks_example_is_genuine():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    scheme = Hmac(
        "X-Slack-Signature",
        prefix="v0=",
        timestamp_header="X-Slack-Request-Timestamp",
        template="v0:{timestamp}:{body}",
    )
    headers = {
        "x-slack-signature": "v0="
        "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "x-slack-request-timestamp": "1531420618",
    }
    secret = "8f742231b10e8888abcd99yyyzzz85a5"

    assert fault_of(scheme, [secret], headers, body, 1_531_420_618) is None
    assert "old" in fault_of(scheme, [secret], headers, body, 1_531_420_919)


def test_time_and_signatures_may_share_a_header():
    scheme = Hmac(
        "Stripe-Signature",
        prefix="v1=",
        timestamp_header="Stripe-Signature",
        timestamp_prefix="t=",
    )
    right = hexed(KEY, b"%d.%s" % (NOW, BODY))

    def told(value, now=NOW):
        return fault_of(scheme, [KEY], {"stripe-signature": value}, BODY, now)

    assert told(f"t={NOW},v1={right},v0=6ffbb59b2300aae63f27240606") is None
    assert told(f"t={NOW}, v1={'0' * 64}, v1={right}") is None
    assert told(f"v1={right};t={NOW}") is None
    assert told(f"t={NOW + 1},t={NOW},v1={right}")
    assert told(f"t={NOW},v0={right}")
    assert told(f"v1={right}")
    assert "old" in told(f"t={NOW},v1={right}", NOW + 301)


def test_a_prefix_may_hold_what_stands_between_parts():
    scheme = Hmac("Authorization", encoding="base64", prefix="HMAC ")
    value = "HMAC " + base64.b64encode(bytes.fromhex(hexed(KEY, BODY))).decode()

    assert plain(value, scheme=scheme) is None
    assert plain(value.removeprefix("HMAC "), scheme=scheme)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda right: None,
        lambda right: "",
        lambda right: right[:-2],
        lambda right: right[:-1],
        lambda right: right + "00",
        lambda right: "sha256=" + right,
        lambda right: right.replace(right[0], "é", 1),
        lambda right: "\uff10" + right[1:],
        lambda right: "z" * 64,
        lambda right: "\ud800" * 64,
        lambda right: "0" * 9_000,
        lambda right: hashlib.sha256(BODY).hexdigest(),
    ],
)
def test_what_only_looks_like_a_code_is_none(spoil):
    right = hexed(KEY, BODY)
    assert plain(right) is None

    assert "signature" in plain(spoil(right))


@pytest.mark.parametrize(
    "said",
    [
        str(NOW),
        str(NOW * 1000 + 5),
        "2021-02-25T15:02:10Z",
        "2021-02-25T16:02:10+01:00",
    ],
)
def test_a_signed_time_may_be_written_in_seconds_milliseconds_or_as_a_date(said):
    right = hexed(KEY, said.encode() + b"." + BODY)

    assert stamped(right, said=said) is None
    assert "old" in stamped(right, said=said, now=NOW + 301)
    assert "ahead" in stamped(right, said=said, now=NOW - 301)


@pytest.mark.parametrize("said", ["", "soon", "{body}", "9" * 11, "\ud800", "-1"])
def test_a_signed_time_that_is_none_is_refused(said):
    right = hexed(KEY, said.encode(errors="replace") + b"." + BODY)

    assert "is no time" in stamped(right, said=said)


def test_the_time_is_part_of_what_is_signed():
    right = hexed(KEY, b"%d.%s" % (NOW, BODY))

    assert stamped(right) is None
    assert stamped(right, said=str(NOW + 1))
    assert stamped(hexed(KEY, BODY))


def test_a_source_says_how_old_its_deliveries_may_be():
    right = hexed(KEY, b"%d.%s" % (NOW, BODY))
    patient = Hmac("X-Signature", timestamp_header="X-Time", tolerance_s=3600)

    assert stamped(right, patient, now=NOW + 3600) is None
    assert stamped(right, patient, now=NOW + 3601)


@given(
    st.sampled_from(["sha256", "sha1", "sha512"]),
    st.sampled_from(["hex", "base64"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    st.binary(),
)
def test_whatever_is_signed_as_the_source_says_is_genuine(
    algorithm, encoding, prefix, body
):
    scheme = Hmac("X-Signature", algorithm, encoding, prefix)
    code = hmac.digest(KEY.encode(), body, algorithm)
    text = code.hex() if encoding == "hex" else base64.b64encode(code).decode()

    assert plain(prefix + text, body, scheme) is None
    assert plain(prefix + text, body + b"!", scheme)


@pytest.mark.parametrize("scheme", [Standard(), PLAIN])
def test_a_secret_that_is_made_fits_and_is_never_the_same(scheme):
    made = {new_secret(scheme) for _ in range(20)}

    assert len(made) == 20
    assert {check_secret(scheme, secret) for secret in made} == made


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (Standard(), SECRET),
        (Standard(), "whsec_" + base64.b64encode(b"x" * 25).decode().rstrip("=")),
        (Standard(), "whsec_" + base64.b64encode(b"x" * 64).decode()),
        (PLAIN, "x" * 16),
        (PLAIN, "a pass phrase, not a short one ü"),
        (PLAIN, "x" * 256),
    ],
)
def test_secrets_that_senders_choose_are_taken_as_they_are(scheme, secret):
    assert check_secret(scheme, secret) == secret


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (Standard(), ""),
        (Standard(), SECRET.removeprefix("whsec_")),
        (Standard(), "whsec_" + base64.b64encode(b"x" * 23).decode()),
        (Standard(), "whsec_" + base64.b64encode(b"x" * 65).decode()),
        (Standard(), "whsec_" + "*" * 44),
        (Standard(), "whsec_" + "é" * 44),
        (PLAIN, "x" * 15),
        (PLAIN, "x" * 257),
        (PLAIN, "x" * 20 + "\n"),
        (PLAIN, "x" * 20 + "\ud800"),
    ],
)
def test_secrets_that_are_none_are_refused(scheme, secret):
    with pytest.raises(InvalidRequestError, match="secret"):
        check_secret(scheme, secret)
