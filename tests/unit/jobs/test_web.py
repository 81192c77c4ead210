"""Asking from a program of one's own keeps to the same limits and checks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventyard.core.addresses import Allowances
from eventyard.jobs.scraping.fetching import Fetched, FetchError, Limits, Wanted
from eventyard.jobs.web import AiohttpWeb
from tests.loopback import Reply
from tests.site import Site

LIMITS = Limits(2, 10_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def ask(
    *urls: str, wanted: Wanted = lambda *_: True, allowed: str = "127.0.0.1"
) -> list[Fetched]:
    async def main() -> list[Fetched]:
        web = AiohttpWeb(Allowances(allowed))
        try:
            return [await web.get(url, {"x-mark": "m"}, LIMITS, wanted) for url in urls]
        finally:
            await web.close()

    return asyncio.run(main())


def answered(site: Site, *replies: Reply) -> Site:
    left = [*replies]
    site.answer = lambda _: left.pop(0)  # type: ignore[method-assign]
    return site


def test_an_answer_has_status_headers_and_the_body_as_it_came(site: Site) -> None:
    packed = Reply(200, b"\x1f\x8b no", {"Content-Encoding": "gzip", "X-A": "b"})

    (got,) = ask(f"{answered(site, packed).origin}/%7Ea?b=%2F&c")

    assert (got.status, got.headers["x-a"], got.body) == (200, "b", b"\x1f\x8b no")
    assert site.requests[0].path == "/%7Ea"
    assert site.requests[0].headers["x-mark"] == "m"


def test_redirects_are_answers_like_all_others(site: Site) -> None:
    (got,) = ask(f"{answered(site, Reply(302, b'', {'Location': '/b'})).origin}/a")

    assert got.headers["location"] == "/b"
    assert site.asked == ["/a"]


def test_cookies_are_forgotten(site: Site) -> None:
    told = answered(site, Reply(200, b"", {"Set-Cookie": "a=b"}), Reply(200))

    ask(f"{told.origin}/", f"{told.origin}/")

    assert "cookie" not in site.requests[1].headers


def test_what_nobody_wants_is_not_read(site: Site) -> None:
    large = Reply(200, b"x" * 200_000)

    one, two = ask(
        *[f"{answered(site, large, Reply(404, b'no')).origin}/"] * 2,
        wanted=lambda *_: False,
    )

    assert (one.status, one.body, two.status) == (200, b"", 404)


@pytest.mark.parametrize("length", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_body_may_have_so_many_bytes_and_no_more(
    site: Site, length: dict[str, str]
) -> None:
    def told(size: int) -> Reply:
        body = b"x" * size
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
        return Reply(200, chunked if length else body, length)

    answered(site, told(10_000), told(10_001))

    assert len(ask(f"{site.origin}/")[0].body) == 10_000
    with pytest.raises(FetchError, match="more than 10000 bytes"):
        ask(f"{site.origin}/")


def test_a_server_that_hangs_is_left_in_time(site: Site) -> None:
    with pytest.raises(FetchError, match="no answer within 2 s") as told:
        ask(f"{site.origin}/slow")
    assert not told.value.retryable


def test_an_answer_that_makes_no_sense_is_told() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    async def nonsense() -> None:
        async def answer(reader: Any, writer: Any) -> None:
            await reader.read(100)
            writer.write(b"220 mail.example ESMTP\r\n")
            writer.close()

        listening = await asyncio.start_server(answer, sock=server)
        web = AiohttpWeb(Allowances("127.0.0.1"))
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        try:
            with pytest.raises(FetchError, match="makes no sense"):
                await web.get(url, {}, LIMITS, lambda *_: True)
        finally:
            await web.close()
            listening.close()

    asyncio.run(nonsense())


def test_a_name_with_one_private_address_is_refused_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve(monkeypatch, "rebinding.test", "8.8.8.8", "10.0.0.1")

    with pytest.raises(FetchError, match=r"10\.0\.0\.1"):
        ask("http://rebinding.test/")


def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    times = resolve(monkeypatch, "moving.test", "127.0.0.1")

    (got,) = ask(f"{site.origin.replace('127.0.0.1', 'moving.test')}/p/1")

    assert got.status == 200
    assert times() == 1
    assert site.requests[0].headers["host"].startswith("moving.test:")


def resolve(
    monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str
) -> Callable[[], int]:
    """Let a name resolve to these; return what counts how often it was asked for."""
    real, asked = socket.getaddrinfo, []

    def resolved(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != name:
            return real(host, port, *rest, **more)
        asked.append(host)
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return lambda: len(asked)
