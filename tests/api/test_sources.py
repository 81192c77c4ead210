"""Senders of webhooks over HTTP, and what they get for an answer."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from tests.contract import AnswersOnly, http_contract
from tests.http import Http
from tests.steps import bearer, listed

PATH = "/api/v1/sources"
KEY = "a secret of some length"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD = {"name": "shop", "scheme": {"type": "standard"}, "type_from": "type"}
PLAIN = {
    "name": "till",
    "scheme": {"type": "hmac", "header": "X-Signature", "prefix": "sha256="},
    "secret": KEY,
}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def shop(http, clock):
    """A source that signs as the standard says, as its maker is told of it."""
    return http.post(PATH, STANDARD).json()


@pytest.fixture
def till(http, clock):
    """A source with a header and a secret of its own."""
    return http.post(PATH, PLAIN).json()


@pytest.fixture
def anything(http):
    """A caller who asks what no document allows; answers still are as documented."""
    return Http(http._client, AnswersOnly(http_contract().document))


def deliver(http, secret, body, at, ident="msg_1", path="/webhooks/shop"):
    raw = body if isinstance(body, str) else json.dumps(body)
    moment = datetime.fromtimestamp(int(at), UTC)
    headers = {
        "webhook-id": ident,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": Webhook(secret).sign(ident, moment, raw),
    }
    return http._call("POST", path, raw, headers)


def ring(http, body, key=KEY, path="/webhooks/till", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    code = "sha256=" + hmac.new(key.encode(), raw, "sha256").hexdigest()
    return http._call("POST", path, raw, {"X-Signature": code, **headers})


def told_of(platform, change):
    name = f"eventyard.source.{change}"
    return [e.payload for e in listed(platform) if e.type == name]


def payloads(platform):
    every = [e for e in listed(platform) if not e.type.startswith("eventyard.")]
    return [event.payload for event in every]


def test_a_signed_delivery_is_accepted_as_an_event(http, platform, shop, clock):
    answer = deliver(http, shop["secret"], {"type": "order.paid", "n": 1}, clock())

    assert answer.status == 202
    assert answer.json() == {"event_id": "msg_1", "status": "accepted"}
    event = http.get("/api/v1/events/msg_1?source=webhooks/shop").json()
    assert event["type"] == "shop.order.paid"
    assert event["payload"] == {"type": "order.paid", "n": 1}


def test_a_repeated_delivery_says_so(http, platform, shop, clock):
    answers = [deliver(http, shop["secret"], {"type": "a"}, clock()) for _ in "abc"]

    assert [one.status for one in answers] == [202] * 3
    first, *again = [one.json() for one in answers]
    assert again == [{**first, "deduplicated": True}] * 2
    assert len(payloads(platform)) == 1


def test_no_key_is_needed_where_everything_else_is_closed(http, locked, clock):
    bearer(http, "admin")
    http.post(PATH, PLAIN)
    http.headers.clear()

    assert http.get(PATH).status == 401
    assert ring(http, {"n": 1}).status == 202


def test_a_form_becomes_an_object(http, platform, till):
    answer = ring(
        http, b"type=paid&item=a&item=b", **{"Content-Type": f"{FORM}; charset=utf-8"}
    )

    assert answer.status == 202
    assert payloads(platform) == [{"type": "paid", "item": ["a", "b"]}]


@pytest.mark.parametrize("body", [b"[1,2]", b"7", b'"text"', b"null", b'{"a": 1.0}'])
def test_any_json_is_a_payload_and_its_bytes_are_what_is_signed(
    http, platform, till, body
):
    assert ring(http, body).status == 202

    assert payloads(platform) == [json.loads(body)]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", "application/json"),
        (b"not JSON", "application/json"),
        (b"NaN", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100 + b"]" * 100, "application/json"),
        (b"a=%ff", FORM),
        (b"&".join([b"a=1"] * 1_001), FORM),
    ],
)
def test_a_genuine_body_that_cannot_be_read_is_refused(
    anything, platform, till, body, media
):
    answer = ring(anything, body, **{"Content-Type": media})

    assert answer.status == 400
    assert payloads(platform) == []


def test_a_body_that_nobody_signed_is_not_even_read(http, till):
    assert ring(http, b"not JSON", key="another secret").status == 401


@pytest.mark.parametrize(
    "media", ["text/plain", "application/xml", "multipart/form-data"]
)
def test_other_kinds_of_bodies_are_refused(anything, till, media):
    answer = ring(anything, {"n": 1}, **{"Content-Type": media})

    assert answer.status == 415


def test_a_body_over_the_limit_is_refused_whoever_sends_it(http, platform, till):
    body = json.dumps("x" * 5_000_000).encode()

    answers = [
        ring(http, body),
        ring(http, body, key="another secret"),
        ring(http, body, path="/webhooks/nobody"),
    ]

    assert [one.status for one in answers] == [413] * 3
    assert len({one.text for one in answers}) == 1
    assert payloads(platform) == []


def test_a_body_just_below_the_limit_is_taken(http, platform, till):
    body = json.dumps("x" * 4_999_998).encode()

    assert ring(http, body).status == 202


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha256=" + "0" * 63,
        "sha256=é",
        "0" * 64,
        "sha1=" + "0" * 40,
        "x" * 8_000,
    ],
)
def test_a_signature_that_is_missing_or_wrong_is_refused(
    http, platform, till, signature
):
    headers = {} if signature is None else {"X-Signature": signature}

    answer = http._call("POST", "/webhooks/till", {"n": 1}, headers)

    assert answer.status == 401
    assert answer.json()["error"]["code"] == "unauthenticated"
    assert payloads(platform) == []


def test_names_cannot_be_probed(http, shop, till, clock):
    wrong = WHSEC[:-4] + "AAAA"

    answers = [
        asked
        for name in ("shop", "till", "nobody", "no%2Fbody", "%C3%A4", "A")
        for asked in (
            deliver(http, wrong, {"type": "a"}, clock(), path=f"/webhooks/{name}"),
            ring(http, {}, key="another secret", path=f"/webhooks/{name}"),
            http.post(f"/webhooks/{name}", {}),
            http.post(f"/webhooks/{name}", "not JSON"),
        )
    ]

    assert {one.status for one in answers} == {401}
    assert len({one.text for one in answers}) == 1
    assert len({str(sorted(one.headers.items())) for one in answers}) == 1


def test_an_old_delivery_is_refused_however_well_it_is_signed(http, shop, clock):
    told = [
        deliver(http, shop["secret"], {}, clock() + away).status
        for away in (-301, -300, 300, 301)
    ]

    assert told == [401, 202, 202, 401]


def test_a_rotation_ends_the_old_secret_when_its_grace_is_over(http, shop, clock):
    told = http.post(f"{PATH}/shop/rotate-secret", {"grace_s": 60})

    assert told.status == 200
    assert told.headers["cache-control"] == "no-store"
    assert [s.get("expires_at") is None for s in told.json()["secrets"]] == [
        True,
        False,
    ]
    fresh = told.json()["secret"]
    assert deliver(http, shop["secret"], {}, clock(), "a").status == 202
    assert deliver(http, fresh, {}, clock(), "b").status == 202
    clock.tick(60)
    assert deliver(http, shop["secret"], {}, clock(), "c").status == 401
    assert deliver(http, fresh, {}, clock(), "d").status == 202


def test_a_secret_that_was_made_is_shown_once(http, platform, shop):
    told = [
        http.get(PATH).text,
        http.get(f"{PATH}/shop").text,
        http.patch(f"{PATH}/shop", {"topic": "a"}).text,
        str([event.to_dict() for event in listed(platform)]),
    ]

    assert shop["secret"].startswith("whsec_")
    assert not [one for one in told if shop["secret"] in one]
    assert shop["secret"].endswith(shop["secrets"][0]["hint"].removeprefix("..."))


def test_a_secret_that_was_given_is_never_shown(http, platform, till):
    rotated = http.post(f"{PATH}/till/rotate-secret", {"secret": KEY + " more"}).json()

    assert "secret" not in till
    assert "secret" not in rotated
    assert ring(http, {"n": 1}, key=KEY + " more").status == 202
    every = [http.get(PATH).text, str([event.to_dict() for event in listed(platform)])]
    assert not [one for one in every if KEY in one]


def test_the_answer_tells_what_holds_where_nothing_was_said(shop, till):
    del shop["secret"], shop["created_at"], till["created_at"]

    assert shop.pop("secrets")[0].keys() == {"hint"}
    assert shop == {
        "name": "shop",
        "path": "/webhooks/shop",
        "scheme": {"type": "standard", "headers": "webhook"},
        "topic": "shop",
        "type_from": "type",
        "id_from": "header:webhook-id",
        "created_by": "anybody",
        "revision": 1,
    }
    assert (till["type_from"], till["id_from"]) == (None, None)
    assert till["scheme"] == {
        "type": "hmac",
        "header": "X-Signature",
        "algorithm": "sha256",
        "encoding": "hex",
        "prefix": "sha256=",
        "timestamp_prefix": "",
        "template": "{body}",
        "tolerance_s": 300,
    }


def test_all_that_can_be_said_is_kept_and_told_to_the_log(http, platform):
    scheme = {
        "type": "hmac",
        "header": "X-S",
        "algorithm": "sha512",
        "encoding": "base64",
        "prefix": "v=",
        "timestamp_header": "X-T",
        "timestamp_prefix": "t=",
        "template": "{timestamp}:{body}",
        "tolerance_s": 60,
    }
    wish = {
        "name": "a-1",
        "scheme": scheme,
        "topic": "a.b",
        "type_from": "event.name",
        "id_from": "header:X-Id",
        "secret": KEY,
    }

    made = http.post(PATH, wish)

    assert made.status == 201
    del wish["secret"]
    assert {name: made.json()[name] for name in wish} == wish
    assert http.get(f"{PATH}/a-1").json() == made.json()
    (told,) = told_of(platform, "created")
    assert told.pop("by") == {"id": "anybody", "name": "anybody"}
    assert told == made.json()


def test_a_change_counts_from_the_next_delivery_on(http, platform, till):
    changed = http.patch(
        f"{PATH}/till", {"topic": "cash", "type_from": "kind", "id_from": "no"}
    )
    ring(http, {"kind": "paid", "no": 7})

    assert changed.status == 200
    assert changed.json()["revision"] == 2
    (event,) = [e for e in listed(platform) if e.source == "webhooks/till"]
    assert (event.type, event.id) == ("cash.paid", "7")
    (told,) = told_of(platform, "changed")
    assert told["topic"] == "cash"


def test_null_takes_away_what_may_be_absent_and_says_nothing_of_the_rest(http, till):
    http.patch(f"{PATH}/till", {"topic": "cash", "type_from": "kind", "id_from": "no"})

    nulls = dict.fromkeys(("topic", "scheme", "type_from", "id_from"))
    after = http.patch(f"{PATH}/till", nulls).json()

    assert (after["type_from"], after["id_from"]) == (None, None)
    assert (after["topic"], after["scheme"]) == ("cash", till["scheme"])


def test_a_scheme_is_replaced_whole(http, till):
    scheme = {"type": "hmac", "header": "X-Other"}

    after = http.patch(f"{PATH}/till", {"scheme": scheme}).json()

    assert (after["scheme"]["header"], after["scheme"]["prefix"]) == ("X-Other", "")
    assert ring(http, {"n": 1}).status == 401


def test_a_scheme_whose_secret_would_not_fit_is_refused(http, till):
    answer = http.patch(f"{PATH}/till", {"scheme": {"type": "standard"}})

    assert answer.status == 400
    assert answer.json()["error"]["details"] == {"field": "secret"}
    assert ring(http, {"n": 1}).status == 202


def test_a_removed_source_is_refused_and_its_events_stay(http, platform, till):
    ring(http, {"n": 1})

    assert http.delete(f"{PATH}/till").json() == {"removed": "till"}

    assert ring(http, {"n": 2}).status == 401
    assert payloads(platform) == [{"n": 1}]
    assert http.delete(f"{PATH}/till").status == 404
    (told,) = told_of(platform, "removed")
    assert told["name"] == "till"


def test_a_name_is_given_once(http, till):
    answer = http.post(PATH, PLAIN)

    assert answer.status == 409
    assert len(http.get(PATH).json()["sources"]) == 1


def test_a_lost_race_is_told_and_changes_nothing(http, platform, till):
    save = platform.sources.store.table.set
    platform.sources.store.table.set = lambda *_, **__: False
    try:
        answers = [
            http.patch(f"{PATH}/till", {"topic": "a"}),
            http.post(f"{PATH}/till/rotate-secret", {}),
        ]
    finally:
        platform.sources.store.table.set = save

    assert [one.status for one in answers] == [409, 409]
    assert http.get(f"{PATH}/till").json() == {**till}


def test_sources_are_listed_by_name_page_by_page(http):
    for name in ("c", "a", "b"):
        http.post(PATH, {**PLAIN, "name": name})

    names, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{PATH}?limit=2&cursor={cursor}").json()
        names.append([one["name"] for one in page["sources"]])
        cursor = page["cursor"]

    assert names == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "github"),
        ("name", "Shop"),
        ("name", ""),
        ("name", "x" * 41),
        ("name", "a/b"),
        ("name", 1),
        ("topic", "eventyard.key"),
        ("topic", "com.github"),
        ("topic", "a..b"),
        ("topic", ""),
        ("type_from", "a..b"),
        ("type_from", ["a"]),
        ("id_from", "header:"),
        ("secret", "short"),
        ("secret", "x" * 257),
        ("secret", 1),
        ("scheme", None),
        ("scheme", {}),
        ("scheme", "standard"),
        ("scheme", {"type": "none"}),
        ("scheme", {"type": "standard", "headers": "x"}),
        ("scheme", {"type": "hmac"}),
        ("scheme", {"type": "hmac", "header": "a b"}),
        ("scheme", {"type": "hmac", "header": "X", "algorithm": "md5"}),
        ("scheme", {"type": "hmac", "header": "X", "encoding": "raw"}),
        ("scheme", {"type": "hmac", "header": "X", "template": "x"}),
        ("scheme", {"type": "hmac", "header": "X", "template": "{timestamp}{body}"}),
        ("scheme", {"type": "hmac", "header": "X", "tolerance_s": 0}),
        ("scheme", {"type": "hmac", "header": "X", "tolerance_s": 86_401}),
        ("scheme", {"type": "hmac", "header": "X", "unknown": 1}),
        ("unknown", 1),
    ],
)
def test_a_wish_that_makes_no_sense_makes_no_source(http, platform, field, value):
    answer = http.post(PATH, {**PLAIN, field: value})

    assert answer.status == 400
    assert field in answer.json()["error"]["message"]
    assert http.get(PATH).json()["sources"] == []
    assert told_of(platform, "created") == []


@pytest.mark.parametrize("name", ["com", "reply", "eventyard"])
def test_a_name_that_would_lead_to_topics_that_are_taken_needs_another_topic(
    http, name
):
    answer = http.post(PATH, {**PLAIN, "name": name})

    assert answer.status == 400
    assert answer.json()["error"]["details"] == {"field": "topic"}
    assert http.post(PATH, {**PLAIN, "name": name, "topic": "a"}).status == 201


@pytest.mark.parametrize(
    "wish",
    [{"grace_s": -1}, {"grace_s": 604_801}, {"secret": "short"}, {"secret": 1}, []],
)
def test_a_rotation_that_makes_no_sense_changes_nothing(http, till, wish):
    answer = http.post(f"{PATH}/till/rotate-secret", wish)

    assert answer.status == 400
    assert http.get(f"{PATH}/till").json()["revision"] == 1


def test_a_rotation_is_told_without_the_secret(http, platform, till):
    http.post(f"{PATH}/till/rotate-secret", {})

    (told,) = told_of(platform, "secret_rotated")
    assert told.keys() == {"name", "by"}


@pytest.mark.parametrize("name", ["nobody", "github", "%20", "%C3%A4", "A", "x" * 200])
def test_a_source_that_is_not_there_is_not_found(anything, name):
    answers = [
        anything.get(f"{PATH}/{name}"),
        anything.patch(f"{PATH}/{name}", {"topic": "a"}),
        anything.delete(f"{PATH}/{name}"),
        anything.post(f"{PATH}/{name}/rotate-secret", {}),
    ]

    assert [one.status for one in answers] == [404] * 4


def test_an_enforced_schema_keeps_a_genuine_delivery_out_and_says_why(
    http, platform, till
):
    schema = {"type": "object", "required": ["n"]}
    http.post("/api/v1/schemas", {"topics": "till.*", "schema": schema})

    answer = ring(http, {"m": 1})

    assert answer.status == 400
    assert answer.json()["error"]["code"] == "invalid_event"
    assert payloads(platform) == []
