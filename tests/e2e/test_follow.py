"""Server-sent events on the running platform: a real browser, and the howto's program."""

from __future__ import annotations

import http.client
import re
import threading
from uuid import uuid4

import pytest

from chalicelib.events.feed import Position
from tests.e2e.running import ROOT, wait_until

_HOWTO = (ROOT / "docs" / "howto" / "follow-events.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", _HOWTO, re.DOTALL | re.MULTILINE
    )
    return found


def order(running, total=60):
    return running.publish("order.placed", {"total": total, "text": "a\nb\u2028ü"})


@pytest.mark.browser
def test_a_browser_that_comes_back_again_and_again_gets_each_event_once(page, running):
    """Each answer ends, so the browser reconnects after each of them."""
    program = block("js").replace(
        "console.log(event.type, event.id);",
        "window.got.push([event.id, event.payload.text]);",
    )
    page.goto(running.address)
    page.evaluate(f"() => {{ window.got = []; {program} }}")
    wanted = []
    # It begins at the moment at which it is first answered, which nobody else sees.
    first = wait_until(lambda: order(running) and page.evaluate("window.got[0]"))[0]

    for _ in range(3):
        order(running, total=1)
        wanted.append(order(running))
        seen = wanted[-1]
        wait_until(
            lambda seen=seen: seen in [g[0] for g in page.evaluate("window.got")]
        )
    page.wait_for_timeout(2_500)  # what would come twice would come by now

    got = page.evaluate("window.got")
    names = [name for name, _ in got]
    assert len(set(names)) == len(names)
    assert names[names.index(first) :][-3:] == wanted
    assert {text for _, text in got} == {"a\nb\u2028ü"}


def test_the_howtos_program_follows(running):
    namespace: dict = {}
    exec(block("python"), namespace)
    got: list[str] = []

    def follow():
        for event in namespace["follow"](running.address):
            got.append(event["id"])
            if event["payload"]["total"] == -1:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    wait_until(lambda: order(running) and got)
    sent = [order(running, total) for total in (1, 2, 3, -1)]
    thread.join(60)

    assert len(set(got)) == len(got)
    assert got[-4:] == sent


def test_the_type_and_the_longest_id_pass_through_the_gateway(running):
    running.publish("warm.up", {})
    place = Position.read("01" + "0" * 24)
    most = 655
    sent = {n.to_bytes(6): 255 for n in range(most)}
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=35)
    topic = f"t{uuid4().hex}"
    connection.request(
        "GET",
        f"/api/v1/events/stream?wait=0&topics={topic}",
        headers={
            "Last-Event-ID": Position(place.place, sent).write(),
            "Accept": "text/event-stream",
        },
    )
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert text.startswith("retry: 1000\n\n: nothing new\nid: ")


def test_while_some_wait_others_are_answered(running):
    waiting = [
        threading.Thread(
            target=running.request,
            args=("POST", "/api/v1/requests", {"type": "nobody.asks", "timeout_s": 3}),
        )
        for _ in range(4)
    ]
    for thread in waiting:
        thread.start()

    running.publish("others.go", {})

    assert any(thread.is_alive() for thread in waiting)
    for thread in waiting:
        thread.join()
