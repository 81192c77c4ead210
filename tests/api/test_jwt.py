"""Tokens of an identity provider: who gets in, who does not, and what it costs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib import config, tokens
from tests.identity import Provider, public_jwk
from tests.steps import bearer, connect, greeted, listed, publish, say

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "EdDSA"),
)


@pytest.fixture(scope="session")
def made_once():
    """Keys of each kind: making one takes a while."""
    provider = Provider()
    for algorithm in (*ALGORITHMS, "ES512"):
        provider.add(algorithm, algorithm)
    provider.server_close()
    return provider.keys


@pytest.fixture
def provider(made_once):
    made = Provider()
    made.keys = dict(made_once)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.slow = False
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def settings(settings, provider, monkeypatch):
    """The usual settings, and the provider's."""
    for name, value in provider.environment.items():
        monkeypatch.setenv(name, value)
    return config.from_environment()


@pytest.fixture
def keys_clock(locked, clock):
    """The time by which the provider's keys grow old."""
    locked.tokens.keys.clock = clock
    return clock


def send(http, token, event=None):
    http.headers["Authorization"] = f"Bearer {token}"
    return http.post("/api/v1/events", event or {"type": "a"})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_signed_by_the_provider_is_let_in(http, locked, provider, algorithm):
    told = send(http, provider.token(algorithm))

    assert told.status == 201, told.text
    assert provider.asked == ["/.well-known/jwks.json"]


def test_api_keys_work_beside_tokens(http, locked, provider):
    bearer(http, "events:publish")

    assert http.post("/api/v1/events", {"type": "a"}).status == 201
    assert provider.asked == []


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "events:publish other:thing"},
        {"scope": None, "scp": ["events:publish"]},
        {"scope": None, "scp": "openid events:publish"},
        {"scope": None, "permissions": ["read:users", 7, "events:publish"]},
        {"scope": None, "permissions": "events:publish"},
        {"scope": "admin"},
        {"scope": "events:publish:a events:publish:[ events:publish:b.**"},
        {"aud": ["somebody", "eventyard"]},
        {"exp": time.time() + 30_000.5},
        {"nbf": int(time.time()) + 20},
        {"iat": None},
    ],
)
def test_scopes_are_taken_from_where_providers_put_them(http, locked, provider, claims):
    assert send(http, provider.token("RS256", **claims)).status == 201


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": None},
        {"scope": ""},
        {"scope": "Events:Publish"},
        {"scope": "events:publish:*.x* admin:all"},
        {"scope": 7},
        {"scope": {"events:publish": True}},
        # The first claim that is there counts: the others do not widen it.
        {"scope": "openid", "scp": ["admin"], "permissions": ["admin"]},
        {"scope": None, "scp": [], "permissions": ["admin"]},
        {"scope": "events:subscribe"},
    ],
)
def test_a_token_without_the_scope_may_not(http, locked, provider, claims):
    told = send(http, provider.token("RS256", **claims))

    assert told.status == 403
    assert listed(locked) == []


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": int(time.time()) - 40},
        {"exp": 0},
        {"exp": -1},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 10**400},
        {"exp": [2_000_000_000]},
        {"exp": {}},
        {"nbf": int(time.time()) + 60_000},
        {"nbf": "soon"},
        {"iat": int(time.time()) + 60_000},
        {"iat": "once"},
        {"aud": None},
        {"aud": "somebody-else"},
        {"aud": []},
        {"aud": ["eventyard.test", 7]},
        {"aud": {"eventyard": 1}},
        {"iss": None},
        {"iss": "https://evil.test"},
        {"iss": ["http://127.0.0.1"]},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
    ],
)
def test_a_token_whose_claims_do_not_hold_is_refused(http, locked, provider, claims):
    told = send(http, _signed(provider, claims))

    assert (told.status, told.json()["error"]["code"]) == (401, "unauthenticated")
    assert told.headers["www-authenticate"] == "Bearer"
    assert listed(locked) == []


def _signed(provider, claims):
    # The library that signs refuses some of these claims: sign the bytes.
    algorithm, key = provider.keys["RS256"]
    payload = json.dumps(provider.claims(**claims)).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, headers={"kid": "RS256"})


def test_half_a_minute_of_difference_between_clocks_is_forgiven(http, locked, provider):
    now = int(time.time())

    late = send(http, provider.token("ES256", exp=now - 20))
    early = send(http, provider.token("ES256", nbf=now + 20, iat=now + 20))

    assert (late.status, early.status) == (201, 201)


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    http, locked, provider
):
    # The classic: what everybody may know, taken for what two share.
    _, key = provider.keys["RS256"]
    public = key.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public_jwk("RS256", key)).encode(),
        b"",
    ]

    for secret in secrets:
        for name, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            token = _by_hand(provider, {"alg": name, "kid": "RS256"}, secret, digest)
            assert send(http, token).status == 401
    assert provider.asked == []  # refused by its header


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", None, 7, "HS256", "RS1"])
def test_a_token_that_names_no_good_algorithm_is_refused(http, locked, provider, name):
    token = _by_hand(provider, {"alg": name, "kid": "RS256"}, b"x", hashlib.sha256)
    unsigned = token.rpartition(".")[0] + "."

    assert send(http, token).status == 401
    assert send(http, unsigned).status == 401
    assert provider.asked == []


@pytest.mark.parametrize(
    ("signed_by", "says"),
    [("RS256", "ES256"), ("ES256", "ES384"), ("EdDSA", "RS256"), ("PS256", "RS256")],
)
def test_an_algorithm_that_does_not_fit_the_key_is_refused(
    http, locked, provider, signed_by, says
):
    header, payload, signature = provider.token(signed_by).split(".")
    fields = {**json.loads(_decoded(header)), "alg": says}

    assert send(http, f"{_encoded(fields)}.{payload}.{signature}").status == 401


def test_a_key_that_names_its_algorithm_is_used_with_no_other(http, locked, provider):
    fixed = [{**key, "alg": "RS256"} for key in provider.jwks()]
    provider.instead = (200, json.dumps({"keys": fixed}).encode(), {})
    _, key = provider.keys["RS256"]
    other = jwt.encode(provider.claims(), key, "PS256", headers={"kid": "RS256"})

    assert send(http, other).status == 401
    assert send(http, provider.token("RS256")).status == 201


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_tampered_with_is_refused(http, locked, provider, part):
    parts = provider.token("RS256").split(".")
    parts[part] = {
        0: _encoded({"alg": "RS256", "kid": "RS256", "typ": "at+jwt"}),
        1: _encoded(provider.claims(scope="admin")),
        2: ("A" if parts[2][0] != "A" else "B") + parts[2][1:],
    }[part]

    assert send(http, ".".join(parts)).status == 401
    assert listed(locked) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": "b64"},
        {"b64": False, "crit": ["b64"]},
        {"kid": "other"},
    ],
)
def test_a_header_that_asks_for_what_we_do_not_know_is_refused(
    http, locked, provider, headers
):
    algorithm, key = provider.keys["RS256"]
    fields = {"alg": algorithm, "kid": "RS256", **headers}
    start = f"{_encoded(fields)}.{_encoded(provider.claims())}"
    signer = jwt.get_algorithm_by_name(algorithm)
    signature = signer.sign(start.encode(), key)

    assert send(http, f"{start}.{_base64(signature)}").status == 401


@pytest.mark.parametrize(
    "token",
    [
        "a.b.c",
        "..",
        ".",
        "a.b",
        "eyJhbGciOiJSUzI1NiJ9.e30.",
        "eyJhbGciOiJSUzI1NiJ9.e30.x.y.z",
        "bnVsbA.bnVsbA.bnVsbA",
        "eyJhbGciOiJSUzI1NiIsImtpZCI6N30.e30.AAAA",
        "=.=.=",
        "x" * 8000 + ".y.z",
        base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.AAAA",
    ],
)
def test_what_is_no_token_is_refused(http, locked, provider, token):
    assert send(http, token).status == 401
    assert provider.asked == []


def test_a_token_without_a_key_id_is_refused(http, locked, provider):
    algorithm, key = provider.keys["RS256"]

    told = send(http, jwt.encode(provider.claims(), key, algorithm))

    assert told.status == 401
    assert "kid" in told.json()["error"]["message"]


def test_keys_are_read_once_and_again_after_ten_minutes(
    http, locked, provider, keys_clock
):
    for _ in range(3):
        assert send(http, provider.token("RS256")).status == 201
    assert len(provider.asked) == 1

    keys_clock.tick(tokens.KEPT_SECONDS)

    assert send(http, provider.token("RS256")).status == 201
    assert len(provider.asked) == 2


def test_a_rotated_key_is_found_and_the_old_one_stops(
    http, locked, provider, keys_clock
):
    old = provider.token("ES256")
    assert send(http, old).status == 201
    del provider.keys["ES256"]
    provider.add("next", "ES256")
    keys_clock.tick(tokens.AGAIN_SECONDS)

    assert send(http, provider.token("next")).status == 201
    assert send(http, old).status == 401
    assert len(provider.asked) == 2


def test_unknown_keys_make_the_provider_be_asked_twice_a_minute(
    http, locked, provider, keys_clock
):
    provider.add("secret", "ES256")
    unknown = provider.token("secret")
    del provider.keys["secret"]

    for _ in range(5):
        assert send(http, unknown).status == 401
    assert len(provider.asked) == 1
    keys_clock.tick(tokens.AGAIN_SECONDS)
    for _ in range(5):
        assert send(http, unknown).status == 401

    assert len(provider.asked) == 2


def test_a_provider_that_is_down_refuses_nobody_whose_key_is_known(
    http, locked, provider, keys_clock
):
    assert send(http, provider.token("RS256")).status == 201
    provider.add("new", "ES256")
    new = provider.token("new")
    provider.instead = (500, b"", {})
    keys_clock.tick(tokens.AGAIN_SECONDS)

    down = send(http, new)

    assert (down.status, down.json()["error"]["code"]) == (503, "unavailable")
    assert send(http, provider.token("RS256")).status == 201
    assert send(http, new).status == 503
    assert len(provider.asked) == 2  # not asked again at once
    provider.instead = None
    keys_clock.tick(3)
    assert send(http, new).status == 201


def test_keys_that_grew_old_let_nobody_in_while_the_provider_is_down(
    http, locked, provider, keys_clock
):
    token = provider.token("RS256")
    assert send(http, token).status == 201
    provider.instead = (503, b"", {})
    keys_clock.tick(tokens.KEPT_SECONDS)

    assert send(http, token).status == 503
    assert len(listed(locked)) == 1


def test_a_provider_that_cannot_be_reached_is_told_as_503(http, locked, provider):
    token = provider.token("RS256")
    provider.shutdown()
    provider.server_close()

    told = send(http, token)

    assert (told.status, told.json()["error"]["code"]) == (503, "unavailable")
    assert listed(locked) == []


@pytest.mark.parametrize(
    "instead",
    [
        (302, b"", {"Location": "/.well-known/jwks.json"}),
        (200, b"", {}),
        (200, b"<html>", {}),
        (200, b"[]", {}),
        (200, b"null", {}),
        (200, b'{"keys": 7}', {}),
        (200, b"[" * 200_000, {}),
        (200, b" " * 1_000_001, {}),
        (200, b"\xff\xfe", {}),
        (200, b"{}", {"Content-Encoding": "gzip"}),
        (404, b'{"keys": []}', {}),
    ],
)
def test_an_answer_that_holds_no_keys_is_503_and_never_an_entry(
    http, locked, provider, instead
):
    provider.instead = instead

    assert send(http, provider.token("RS256")).status == 503
    assert len(provider.asked) == 1  # a redirect is not followed
    assert listed(locked) == []


def test_a_provider_that_drips_is_given_up(http, locked, provider, monkeypatch):
    monkeypatch.setattr(tokens, "_FETCH_SECONDS", 0.3)
    provider.slow = True
    began = time.monotonic()

    assert send(http, provider.token("RS256")).status == 503
    assert time.monotonic() - began < 5


def test_keys_that_are_not_for_signatures_are_left_out(http, locked, provider):
    odd = [
        7,
        {},
        {"kid": "RS256", "kty": "oct", "k": "c2VjcmV0"},
        {**public_jwk("ES512", provider.keys["ES512"][1]), "kid": "ES512"},
        {**public_jwk("RS384", provider.keys["RS384"][1]), "kid": 7},
        {
            **public_jwk("RS512", provider.keys["RS512"][1]),
            "kid": "RS512",
            "use": "enc",
        },
        {"kty": "RSA", "kid": "PS256", "n": "!", "e": 7},
        {"kty": "EC", "crv": "P-256", "kid": "ES384", "x": "AA", "y": "AA"},
    ]
    good = {**public_jwk("ES256", provider.keys["ES256"][1]), "kid": "ES256"}
    provider.instead = (200, json.dumps({"keys": [*odd, good]}).encode(), {})

    for kid in ("RS256", "ES512", "RS512", "PS256", "ES384"):
        assert send(http, provider.token(kid)).status == 401, kid
    assert send(http, provider.token("ES256")).status == 201


def test_a_short_rsa_key_is_refused(http, locked, provider):
    provider.keys["weak"] = ("RS256", rsa.generate_private_key(65537, 1024))
    algorithm, key = provider.keys["weak"]
    start = f"{_encoded({'alg': 'RS256', 'kid': 'weak'})}.{_encoded(provider.claims())}"
    signature = jwt.get_algorithm_by_name(algorithm).sign(start.encode(), key)

    assert send(http, f"{start}.{_base64(signature)}").status == 401


def test_whoever_signs_in_is_never_taken_for_a_key(http, locked, provider):
    bearer(http, "events:publish")
    (key,) = locked.keys.all()
    http.post("/api/v1/events", {"type": "a"}, Idempotency_Key="same")

    token = provider.token("RS256", sub=key["id"])
    told = send(http, token)
    again = http.post("/api/v1/events", {"type": "b"}, Idempotency_Key="same")

    assert told.status == again.status == 201  # a key of its own, no conflict
    assert locked.tokens.read(token).id == f"jwt:{key['id']}"


def test_topics_in_scopes_hold_for_tokens_too(http, locked, provider):
    publish(locked, {"type": "user.created"}, {"type": "order.paid"})
    token = provider.token(
        "EdDSA", scope="events:publish:order.* events:subscribe:user.*"
    )

    assert send(http, token, {"type": "order.paid"}).status == 201
    assert send(http, token, {"type": "user.created"}).status == 403
    seen = http.get("/api/v1/events").json()["events"]
    assert [event["type"] for event in seen] == ["user.created"]


def test_a_token_opens_a_live_connection(locked, pump, provider):
    token = provider.token("RS256", scope="events:subscribe:a events:publish:a")

    (hello,) = greeted(pump, channel="router", token=token)
    (told,) = say(locked, "c1", {"type": "publish", "event": {"type": "a"}})
    (refused,) = say(locked, "c1", {"type": "publish", "event": {"type": "b"}})

    assert hello["type"] == "welcome"
    assert (told["type"], refused["code"]) == ("published", "permission_denied")


def test_a_live_connection_is_told_when_the_provider_is_down(locked, provider):
    provider.instead = (500, b"", {})

    answer = connect(locked, token=provider.token("RS256"))

    assert answer["statusCode"] == 503
    assert list(locked.connections.all()) == []


def test_without_an_issuer_no_token_is_taken(http, locked, provider):
    locked.__dict__["tokens"] = tokens.TokenReader(None, tokens.IssuerKeys(""))

    assert send(http, provider.token("RS256")).status == 401
    assert provider.asked == []


def test_an_api_key_never_loads_what_tokens_need(settings):
    import subprocess

    script = (
        "import sys; sys.path[:0] = ['.', 'sdk']; import app\n"
        "from chalicelib.bootstrap import platform\n"
        "platform().gatekeeper\n"
        "print(sorted({'jwt', 'cryptography', 'urllib3'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def _by_hand(provider, header, secret, digest):
    start = f"{_encoded(header)}.{_encoded(provider.claims())}"
    return f"{start}.{_base64(hmac.new(secret, start.encode(), digest).digest())}"


def _encoded(value):
    return _base64(json.dumps(value).encode())


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
