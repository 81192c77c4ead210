"""What a delivery says, however a sender says it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.events.publication import is_reply
from chalicelib.sources.model import Secret, Source, check
from chalicelib.sources.reading import Delivery, event_id_of, topic_of
from chalicelib.sources.signatures import Hmac, Standard
from eventyard.core import ulid
from eventyard.core.errors import EventRouterError, InvalidRequestError
from eventyard.core.event import Event
from eventyard.core.topics import check_topic

BODY = {
    "type": "paid",
    "id": 7,
    "event": {"name": "order.paid", "empty": "", "flag": True, "none": None},
    "list": [{"type": "first"}, {"type": "second"}],
    "list_of": {"0": "by name"},
    "odd-name": {"$type": "odd"},
    "0": "zero",
}
SECRET = Secret("x" * 16)
PLAIN = Source("pay", Hmac("X-S"), (SECRET,), "pay", "", "")


def said(way, body=BODY, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(named, b"").said(way, body)


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ("type", "paid"),
        ("id", "7"),
        ("event.name", "order.paid"),
        ("list.0.type", "first"),
        ("list.1.type", "second"),
        ("list_of.0", "by name"),
        ("odd-name.$type", "odd"),
        ("0", "zero"),
    ],
)
def test_a_path_finds_a_text_or_a_whole_number(way, found):
    assert said(way) == found


@pytest.mark.parametrize(
    "way",
    [
        None,
        "event",
        "list",
        "event.empty",
        "event.flag",
        "event.none",
        "event.name.more",
        "list.2.type",
        "list.-1.type",
        "list." + "9" * 200,
        "type.0",
        "nothing",
        "nothing.more",
    ],
)
def test_a_path_to_anything_else_finds_nothing(way):
    assert said(way) is None


@pytest.mark.parametrize("body", [None, True, 1, 1.5, "type", [], {}, [[]]])
def test_a_path_in_a_body_that_is_no_object_finds_nothing(body):
    assert said("type", body) is None


def test_a_header_is_found_whatever_its_case():
    assert said("header:X-Event", x_event="push") == "push"
    assert said("header:x-event", x_event="push") == "push"
    assert said("header:X-Event", x_event="") is None
    assert said("header:X-Event") is None


def test_a_form_becomes_an_object_with_lists_where_names_repeat():
    body = b"type=paid&item=a&item=b&note=two+words+%C3%A4&empty="

    assert Delivery({}, body, form=True).payload() == {
        "type": "paid",
        "item": ["a", "b"],
        "note": "two words ä",
        "empty": "",
    }
    assert Delivery({}, b"", form=True).payload() == {}


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 1_001)])
def test_a_form_that_cannot_be_read_is_refused(body):
    with pytest.raises(InvalidRequestError, match="form"):
        Delivery({}, body, form=True).payload()


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"\xff", b'"\\ud800"', b"[" * 99])
def test_a_body_that_is_no_json_is_refused(body):
    with pytest.raises(InvalidRequestError, match="JSON"):
        Delivery({}, body).payload()


@given(st.binary())
def test_no_body_does_harm(body):
    for form in (True, False):
        try:
            payload = Delivery({}, body, form=form).payload()
        except EventRouterError:
            continue
        json.dumps(payload)


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("paid", "pay.paid"),
        ("payment_intent.succeeded", "pay.payment_intent.succeeded"),
        ("PullRequest:Opened/1", "pay.PullRequest:Opened/1"),
        (" order created ", "pay.order_created"),
        ("order..paid.", "pay.order.paid"),
        ("*.#.**", "pay.received"),
        ("a.*.b", "pay.a.b"),
        ("geprüft", "pay.gepr_ft"),
        ("\ud800", "pay.received"),
        ("\n", "pay.received"),
        ("...", "pay.received"),
        ("", "pay.received"),
        (None, "pay.received"),
    ],
)
def test_a_type_becomes_a_topic_that_can_be_subscribed_to(kind, topic):
    assert topic_of("pay", kind) == topic


@given(st.text())
def test_every_type_becomes_a_topic(kind):
    assert check_topic(topic_of("pay", kind)).startswith("pay.")


def test_a_type_longer_than_any_topic_is_cut():
    topic = topic_of("p" * 128, "x" * 5_000_000)

    assert len(check_topic(topic)) == 256
    assert topic_of("p" * 128, "x" * 127 + ".y")[-1] == "x"


@given(st.text(min_size=1))
def test_every_id_becomes_one_of_an_event(ident):
    assert Event("a", id=event_id_of(ident)).id == event_id_of(event_id_of(ident))


def test_an_id_that_an_event_may_have_stays_as_it_is():
    assert event_id_of("msg_1") == "msg_1"
    assert event_id_of("x" * 257) != event_id_of("x" * 258)
    assert event_id_of("two words").startswith("sha256-")


def test_deliveries_without_an_id_are_told_apart_by_topic_kind_and_body():
    one = Delivery({}, b"a=1")

    others = [Delivery({}, b"a=2"), Delivery({}, b"a=1", form=True)]

    assert one.digest("a") == Delivery({"x": "y"}, b"a=1").digest("a")
    assert (
        len({one.digest("a"), one.digest("b"), *(o.digest("a") for o in others)}) == 4
    )


@pytest.mark.parametrize(
    "topic",
    [
        "eventyard",
        "eventyard.key",
        "com.github",
        "com.github.push",
        "com",
        "reply",
        "reply.x",
        "a..b",
        "*",
        "a.#",
        "ä",
        "",
        "a b",
        "x" * 129,
    ],
)
def test_no_source_leads_to_topics_that_are_taken_or_none(topic):
    with pytest.raises(InvalidRequestError, match="topic"):
        check(PLAIN.changed(topic=topic))


@given(
    st.sampled_from(
        ["eventyards", "com.git", "community", "com.githubs", "a", "replys"]
    ),
    st.sampled_from(["github.push", "github", "key.created", ulid.new_ulid(), "", "."]),
)
def test_whatever_a_sender_says_its_events_are_nobody_elses(prefix, kind):
    topic = topic_of(check(PLAIN.changed(topic=prefix)).topic, kind)

    assert not topic.startswith(("eventyard.", "com.github."))
    assert not is_reply(topic)


@pytest.mark.parametrize(
    "name", ["github", "", "A", "1a", "-a", "a_b", "a.b", "a/b", "ä", "a" * 41, "a\n"]
)
def test_a_name_that_is_none_or_taken_is_refused(name):
    with pytest.raises(InvalidRequestError, match="name"):
        check(Source(name, Hmac("X-S"), (SECRET,), "pay", "", ""))


@pytest.mark.parametrize(
    "way",
    [
        ".",
        "a..b",
        "a b",
        "header:",
        "header: X",
        "header:a:b",
        "ä",
        "a\n",
        "",
        "x" * 257,
    ],
)
@pytest.mark.parametrize("field", ["type_from", "id_from"])
def test_a_way_that_leads_nowhere_is_refused(field, way):
    with pytest.raises(InvalidRequestError, match=field):
        check(PLAIN.changed(**{field: way}))


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("header", {"header": "X Y"}),
        ("header", {"header": ""}),
        ("timestamp_header", {"timestamp_header": "X:"}),
        ("prefix", {"prefix": "ä"}),
        ("prefix", {"prefix": "x" * 65}),
        ("timestamp_prefix", {"timestamp_prefix": "\n"}),
        ("template", {"template": "x"}),
        ("template", {"template": "{body}{body}"}),
        ("template", {"template": "{timestamp}.{body}"}),
        ("template", {"timestamp_header": "X-T", "template": "{body}"}),
        ("template", {"timestamp_header": "X-T", "template": "{timestamp}"}),
        ("template", {"template": "ä{body}"}),
    ],
)
def test_a_way_of_signing_that_makes_no_sense_is_refused(field, options):
    with pytest.raises(InvalidRequestError, match=f"scheme.{field}"):
        check(PLAIN.changed(scheme=Hmac(**{"header": "X-S", **options})))


def test_the_secrets_must_fit_the_way_of_signing():
    with pytest.raises(InvalidRequestError, match="whsec_"):
        check(PLAIN.changed(scheme=Standard()))


@pytest.mark.parametrize(
    "scheme",
    [
        Standard("svix"),
        Hmac("X-S"),
        Hmac("X-S", "sha1", "base64", "p=", "X-T", "t=", "{timestamp}{body}", 5),
    ],
)
def test_a_source_reads_back_as_it_was_written(scheme):
    secrets = (SECRET, Secret("y" * 16, 12.5))
    written = Source("pay", scheme, secrets, "pay", "now", "me", "type", "id", 3)

    read = Source.from_dict(json.loads(json.dumps(written.to_dict())))

    assert read.to_dict() == written.to_dict()
    assert read.secrets == secrets
    assert read.identity == "id"
