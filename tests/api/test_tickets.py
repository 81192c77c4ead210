"""Tickets: one live connection each, for a minute, with the scopes of who asked."""

from __future__ import annotations

import boto3
import pytest

from chalicelib.auth import Principal
from tests.steps import bearer, connect, greeted, publish, say


def ticket_for(http, *scopes):
    bearer(http, *scopes)
    told = http.post("/api/v1/tickets")
    assert told.status == 201
    return told.json()["ticket"]


def test_a_ticket_opens_one_connection(http, locked, pump):
    ticket = ticket_for(http, "events:subscribe")

    (hello,) = greeted(pump, events="*", ticket=ticket)
    again = connect(locked, "c2", events="*", ticket=ticket)

    assert hello["type"] == "connection.established"
    assert again["statusCode"] == 401
    assert [c.id for c in locked.connections.all()] == ["c1"]


def test_what_is_told_of_a_ticket(http, locked, clock):
    bearer(http, "events:subscribe")

    told = http.post("/api/v1/tickets")

    assert told.headers["cache-control"] == "no-store"
    assert told.json().keys() == {"ticket", "expires_at"}
    assert told.json()["ticket"].startswith("tkt_")
    assert len(told.json()["ticket"]) > 40
    assert told.json()["expires_at"].endswith("Z")


def test_a_ticket_has_the_scopes_of_who_asked_for_it(http, locked, pump, gateway):
    ticket = ticket_for(http, "events:subscribe:user.*", "events:publish:user.created")
    greeted(pump, channel="router", ticket=ticket)
    say(locked, "c1", {"type": "subscribe", "subscription": {"topics": ["*"]}})

    (sent,) = say(locked, "c1", {"type": "publish", "event": {"type": "user.created"}})
    (refused,) = say(
        locked, "c1", {"type": "publish", "event": {"type": "user.deleted"}}
    )
    publish(locked, {"type": "order.paid"})
    pump.run()

    assert (sent["type"], refused["code"]) == ("published", "permission_denied")
    events = [f["event"]["type"] for f in gateway.frames("c1") if f["type"] == "event"]
    assert events == ["user.created"]


def test_a_ticket_is_refused_after_a_minute(http, locked, clock):
    first = ticket_for(http, "events:subscribe")
    second = ticket_for(http, "events:subscribe")
    clock.tick(59)
    assert connect(locked, "c1", ticket=first)["statusCode"] == 200

    clock.tick(1)

    assert connect(locked, "c2", ticket=second)["statusCode"] == 401


def test_a_ticket_never_outlives_the_key_that_it_was_made_with(http, locked, clock):
    who = Principal("page", frozenset({"events:subscribe"}), "k", clock() + 5)
    ticket = locked.tickets.issue(who)["ticket"]

    clock.tick(5)

    assert connect(locked, ticket=ticket)["statusCode"] == 401


@pytest.mark.parametrize("ticket", ["", "tkt_unknown", "tkt_" + "x" * 5000, "\ud83d"])
def test_what_is_no_ticket_opens_nothing(locked, ticket):
    assert connect(locked, ticket=ticket)["statusCode"] == 401
    assert list(locked.connections.all()) == []


def test_a_ticket_is_no_key(http, locked):
    ticket = ticket_for(http, "admin")
    http.headers["Authorization"] = f"Bearer {ticket}"

    assert http.get("/api/v1/events").status == 401
    assert http.get(f"/api/v1/events?ticket={ticket}").status == 401
    assert connect(locked, token=ticket)["statusCode"] == 401


def test_a_key_is_no_ticket(http, locked):
    assert connect(locked, ticket=bearer(http, "admin"))["statusCode"] == 401


@pytest.mark.parametrize("scopes", [["events:publish"], ["events:publish:*"]])
def test_who_may_not_listen_gets_no_ticket(http, locked, scopes):
    bearer(http, *scopes)

    assert http.post("/api/v1/tickets").status == 403


def test_a_ticket_is_stored_hashed_and_leaves_by_itself(http, locked, clock):
    ticket = ticket_for(http, "events:subscribe")

    rows = boto3.client("dynamodb").scan(TableName=locked.settings.table)["Items"]
    (row,) = [row for row in rows if row["pk"]["S"] == "ticket"]

    assert ticket not in str(rows)
    assert ticket.removeprefix("tkt_") not in str(rows)
    assert clock() + 60 < int(row["ttl"]["N"]) <= clock() + 600


def test_a_ticket_is_in_no_line_of_the_log(http, locked, capsys):
    ticket = ticket_for(http, "events:subscribe")
    for connection in ("c1", "c2"):
        connect(locked, connection, ticket=ticket)

    written = capsys.readouterr()

    assert "a connection was refused" in written.err
    assert ticket not in written.err + written.out


def test_an_open_platform_gives_tickets_and_asks_for_none(http, platform):
    ticket = http.post("/api/v1/tickets").json()["ticket"]

    assert connect(platform, "c1", ticket=ticket)["statusCode"] == 200
    assert connect(platform, "c2")["statusCode"] == 200
