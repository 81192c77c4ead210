"""Which addresses may be called, and that a call ends when its time is over."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from chalicelib import outbound
from chalicelib.outbound import CallFailedError, Guard, Outbound
from eventyard.core.addresses import AddressRefusedError
from tests.loopback import Loopback, Reply, reply
from tests.receiver import Receiver

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2002:0a00:0001::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"]


def url(address):
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address):
    with pytest.raises(AddressRefusedError):
        Guard().check_url(url(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_let_through(address):
    assert Guard().check_url(url(address)).scheme == "http"


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.9.9.9"),
        ("8.8.8.8, 10.0.0.0/8", "::ffff:10.1.1.1"),
        ("fc00::/7", "fc00::1"),
    ],
)
def test_what_is_allowed_is_let_through(allowed, address):
    assert Guard(allowed).check_url(url(address))
    with pytest.raises(AddressRefusedError):
        Guard(allowed).check_url("http://192.168.7.7/")


def test_a_host_is_allowed_by_its_name_alone():
    assert Guard("LOCALHOST").check_url("http://localhost:8000/x")
    with pytest.raises(AddressRefusedError):
        Guard("LOCALHOST").check_url("http://127.0.0.1:8000/x")


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "169.254.170.2"],
)
def test_metadata_is_refused_whatever_is_allowed(address):
    with pytest.raises(AddressRefusedError, match="metadata"):
        Guard("0.0.0.0/0,::/0").check_url(url(address))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://ex\u00e4mple.com/",
        "http://example.com/" + "x" * 2100,
        "http://[::1/",
    ],
)
def test_what_is_no_url_of_the_web_is_refused(text):
    with pytest.raises(AddressRefusedError):
        Guard("0.0.0.0/0").check_url(text)


def test_a_name_with_one_private_address_is_refused_whole(monkeypatch):
    def both(host, port, **_):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("8.8.8.8", "10.0.0.1")
        ]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", both)
    with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.1"):
        Guard().check_url("http://rebinding.test/")


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    with Receiver() as receiver:
        asked = []

        def once(host, port, **_):
            # A second question would be answered with another address.
            asked.append(host)
            assert len(asked) == 1
            address = ("127.0.0.1", port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]

        real = socket.getaddrinfo
        monkeypatch.setattr(
            outbound.socket,
            "getaddrinfo",
            lambda host, port, *rest, **more: (
                once(host, port)
                if host == "moving.test"
                else real(host, port, *rest, **more)
            ),
        )
        moved = receiver.url.replace("127.0.0.1", "moving.test")
        answer = Outbound(Guard("127.0.0.1")).post(moved, b"{}", {}, 2)

    assert answer.status == 204
    assert asked == ["moving.test"]
    assert receiver.received[0].headers["host"].startswith("moving.test:")


def _dripping(answer: bytes, drop: bytes):
    """A server that answers, then sends a drop now and then, for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def run() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            try:
                connection.sendall(answer)
                while not stop.wait(0.05):
                    connection.sendall(drop)
            except OSError:
                return

    threading.Thread(target=run, daemon=True).start()
    return server, stop


@pytest.mark.parametrize(
    ("answer", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    ],
    ids=["nothing", "headers", "body"],
)
def test_a_server_that_drips_is_cut_off_in_time(answer, drop):
    server, stop = _dripping(answer, drop)
    started = time.monotonic()
    with pytest.raises(CallFailedError, match=r"no answer within 0\.4 s"):
        Outbound(Guard("127.0.0.1")).post(
            f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, 0.4
        )
    stop.set()
    server.close()
    assert time.monotonic() - started < 5


def test_a_port_where_nobody_listens_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CallFailedError, match="refused"):
        Outbound(Guard("127.0.0.1")).post(f"http://127.0.0.1:{port}/", b"", {}, 1)


def test_a_name_that_is_none_is_told():
    with pytest.raises(CallFailedError, match="does not resolve"):
        Outbound(Guard()).post("http://nobody.invalid/", b"", {}, 1)


def test_a_connection_is_used_again():
    with Receiver() as receiver:
        caller = Outbound(Guard("127.0.0.1"))
        for _ in range(5):
            caller.post(receiver.url, b"{}", {}, 2)
        (pool,) = caller._pools.values()

        assert pool.num_connections == 1
        pool.close()


class Mirror(Loopback):
    """Answers what it was told to; without that, what it was asked."""

    told: Reply | None = None

    def answer(self, request):
        return self.told or reply(
            200,
            {
                "method": request.method,
                "query": request.query,
                "body": request.body.decode(),
            },
            X_Seen=request.headers.get("x-mark", ""),
        )


@pytest.fixture
def mirror():
    with Mirror() as made:
        yield made


def call(mirror, method="GET", path="/a?b=c", most_bytes=1_000, **more):
    caller = Outbound(Guard("127.0.0.1"))
    named = {
        "headers": {"X-Mark": "m"},
        "timeout_s": 2,
        "most_bytes": most_bytes,
        **more,
    }
    return caller.call(method, f"{mirror.origin}{path}", **named)


def test_a_call_brings_status_headers_and_body(mirror):
    got = call(mirror)
    put = call(mirror, "PUT", body=b"text")

    assert (got.status, got.headers["x-seen"]) == (200, "m")
    assert b'"method": "GET", "query": {"b": "c"}, "body": ""' in got.body
    assert b'"method": "PUT"' in put.body
    assert b'"body": "text"' in put.body


def test_a_call_asks_for_nothing_packed_and_unpacks_nothing(mirror):
    mirror.told = Reply(200, b"\x1f\x8b not", {"Content-Encoding": "gzip"})

    assert call(mirror).body == b"\x1f\x8b not"
    assert mirror.requests[0].headers.get("accept-encoding") in (None, "identity")


def test_a_call_follows_no_redirect(mirror):
    mirror.told = Reply(302, b"", {"Location": f"{mirror.origin}/elsewhere"})

    assert call(mirror).status == 302
    assert len(mirror.requests) == 1


@pytest.mark.parametrize("length", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_body_may_have_so_many_bytes_and_no_more(mirror, length):
    def told(size):
        body = b"x" * size
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
        return Reply(200, chunked if length else body, length)

    mirror.told = told(100_000)
    assert len(call(mirror, most_bytes=100_000).body) == 100_000
    mirror.told = told(100_001)
    with pytest.raises(CallFailedError, match="more than 100000 bytes"):
        call(mirror, most_bytes=100_000)


def test_a_body_that_ends_too_early_is_no_answer(mirror):
    mirror.told = Reply(200, b"half", {"Content-Length": "8", "Connection": "close"})

    with pytest.raises(CallFailedError, match="broke"):
        call(mirror)


def test_a_call_is_cut_off_in_time_as_well():
    server, stop = _dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")
    started = time.monotonic()
    with pytest.raises(CallFailedError, match=r"no answer within 0\.4 s"):
        Outbound(Guard("127.0.0.1")).call(
            "GET",
            f"http://127.0.0.1:{server.getsockname()[1]}/",
            headers={},
            timeout_s=0.4,
            most_bytes=1_000_000,
        )
    stop.set()
    server.close()
    assert time.monotonic() - started < 5


def test_a_call_is_guarded_and_its_connection_used_again(mirror):
    caller = Outbound(Guard("127.0.0.1"))
    for _ in range(3):
        caller.call("GET", mirror.origin, headers={}, timeout_s=2, most_bytes=1_000)
    (pool,) = caller._pools.values()

    assert pool.num_connections == 1
    pool.close()
    with pytest.raises(AddressRefusedError):
        Outbound(Guard()).call(
            "GET", mirror.origin, headers={}, timeout_s=2, most_bytes=1
        )


def get(origin, wanted, most_bytes=1_000, **more):
    caller = Outbound(Guard("127.0.0.1"))
    told = {"headers": {}, "timeout_s": 5, "most_bytes": most_bytes, **more}
    return caller, lambda: caller.get(origin, wanted=wanted, **told)


def test_a_body_that_nobody_wants_is_not_kept_and_the_connection_is(mirror):
    caller, ask = get(mirror.origin, lambda status, headers: status != 200)

    answers = [ask() for _ in range(3)]

    assert {(one.status, one.body) for one in answers} == {(200, b"")}
    (pool,) = caller._pools.values()
    assert pool.num_connections == 1
    caller.close()
    assert not caller._pools


def test_a_body_is_wanted_by_its_status_and_its_headers(mirror):
    seen = []
    _, ask = get(mirror.origin, lambda *told: seen.append(told) or True)

    assert b'"method": "GET"' in ask().body
    ((status, headers),) = seen
    assert (status, headers["content-type"][:16]) == (200, "application/json")


def test_a_body_too_large_by_its_own_word_is_not_begun(mirror):
    mirror.told = Reply(200, b"", {"Content-Length": "9" * 30, "Connection": "close"})
    _, ask = get(mirror.origin, lambda *_: True)

    with pytest.raises(outbound.TooLargeError, match="more than 1000 bytes") as told:
        ask()
    assert not told.value.retryable


def test_calls_that_are_under_way_can_be_cut():
    server, stop = _dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")
    address = f"http://127.0.0.1:{server.getsockname()[1]}/"
    reading = threading.Event()
    caller, ask = get(
        address, lambda *_: reading.set() or True, most_bytes=10**6, timeout_s=60
    )
    failed = []

    def run() -> None:
        with pytest.raises(CallFailedError, match="broke"):
            ask()
        failed.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    assert reading.wait(10)
    caller.cut()
    thread.join(10)
    stop.set()
    server.close()
    assert failed == [True]
