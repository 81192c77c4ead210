"""`GET /api/graph/traffic`: what flows, beside what the code says."""

from __future__ import annotations

import pytest

from tests.steps import bearer, greeted, publish, say, subscribe

ADDRESS = "/api/graph/traffic"
ORDER = {"type": "order.paid", "source": "order-service"}


def push(http, *edges, **more):
    """Push a graph of edges (agent, event, kind)."""
    model = {
        "events": [],
        "agents": [],
        "edges": [{"agent": a, "event": e, "kind": k} for a, e, k in edges],
    }
    body = {"graph_type": "complete", "dot_content": "digraph {}", "model": model}
    answer = http.post("/api/graph", {**body, **more})
    assert answer.status == 201
    return answer


def edges(http, query=""):
    answer = http.get(ADDRESS + query)
    assert answer.status == 200
    return {(e["agent"], e["event"], e["kind"]): e for e in answer.json()["edges"]}


@pytest.fixture
def code(http):
    """Code that publishes and handles an order, and refunds that never happen."""
    push(
        http,
        ("OrderService", "OrderPaid", "publishes"),
        ("Billing", "order.*", "subscribes"),
        ("Billing", "RefundAsked", "subscribes"),
    )


def test_code_and_traffic_meet_and_what_only_one_has_is_drift(
    http, platform, clock, pump, receiver, code
):
    subscribe(platform, receiver.url, ["order.*", "user.*"], name="billing")
    publish(platform, ORDER, ORDER, {"type": "user.created", "source": "web"})
    clock.tick(1)
    pump.run()

    answer = http.get(ADDRESS)
    told = edges(http)

    assert {key: edge["state"] for key, edge in told.items()} == {
        ("OrderService", "OrderPaid", "publishes"): "both",
        ("Billing", "order.*", "subscribes"): "both",
        ("Billing", "RefundAsked", "subscribes"): "code_only",
        ("web", "user.created", "publishes"): "live_only",
        ("Billing", "user.created", "subscribes"): "live_only",
    }
    body = answer.json()
    assert body["drift"] == {"live_only": 2, "code_only": 1}
    assert (body["totals"]["published"], body["totals"]["delivered"]) == (3, 3)
    assert (body["totals"]["errors"], body["totals"]["left_out"]) == (0, 0)
    assert answer.headers["cache-control"] == "no-store"


def test_an_edge_tells_count_rate_errors_lag_and_when(
    http, platform, clock, pump, receiver, code
):
    clock.now = clock.now // 60 * 60 + 30
    receiver.reaction = lambda number, _: (500 if number == 1 else 204, {})
    subscribe(platform, receiver.url, name="billing", retry={"schedule_s": [0]})
    publish(platform, *[ORDER] * 6)
    clock.tick(0.5)
    pump.run()

    told = edges(http, "?window=5m")

    published = told["OrderService", "OrderPaid", "publishes"]
    delivered = told["Billing", "order.*", "subscribes"]
    silent = told["Billing", "RefundAsked", "subscribes"]
    # The window begins with a whole minute: 330.5 seconds.
    assert (published["count"], published["rate"]) == (6, round(6 / 330.5, 6))
    assert (published["errors"], published["p95_lag_ms"]) == (0, None)
    assert (delivered["count"], delivered["errors"]) == (6, 1)
    assert delivered["p95_lag_ms"] == pytest.approx(500, rel=0.15)
    assert delivered["last_seen"] == http.get(ADDRESS).json()["until"]
    assert (silent["count"], silent["rate"], silent["last_seen"]) == (0, 0, None)


def test_a_live_client_is_a_consumer_by_its_name(http, platform, pump, code):
    greeted(pump, "c1", channel="router", client_id="billing")
    wish = {"topics": ["order.paid"]}
    say(platform, "c1", {"type": "subscribe", "subscription": wish})
    publish(platform, ORDER)
    pump.run()

    assert edges(http)["Billing", "order.*", "subscribes"]["state"] == "both"


def test_without_code_all_that_is_seen_is_live_only(http, platform, pump):
    publish(platform, ORDER)
    pump.run()

    assert {e["state"] for e in edges(http).values()} == {"live_only"}
    assert edges(http, "?project=another&ref=dev&type=full-tree").keys() == {
        ("order-service", "order.paid", "publishes")
    }


def test_nothing_pushed_and_nothing_seen_is_nothing(http):
    body = http.get(ADDRESS).json()

    assert (body["edges"], body["window_s"]) == ([], 900)
    assert body["drift"] == {"live_only": 0, "code_only": 0}


def test_projects_and_branches_have_their_own_code(http, platform, pump):
    push(http, ("order_service", "order.paid", "publishes"), project="shop", ref="dev")
    publish(platform, ORDER)
    pump.run()

    assert [e["state"] for e in edges(http, "?project=shop&ref=dev").values()] == [
        "both"
    ]
    assert [e["state"] for e in edges(http, "?project=shop").values()] == ["live_only"]


def test_a_new_version_of_the_code_counts_at_once(http, platform, pump):
    push(http, ("a", "b", "publishes"))
    assert set(edges(http)) == {("a", "b", "publishes")}
    push(http, ("c", "d", "publishes"))
    assert set(edges(http)) == {("c", "d", "publishes")}
    http.delete("/api/graph/complete")
    assert edges(http) == {}


def test_a_project_more_than_a_process_remembers_is_read_again(http, platform):
    for n in range(6):
        push(http, (f"a{n}", "b", "publishes"), project=f"p{n}")
    for _ in range(2):
        for n in range(6):
            assert set(edges(http, f"?project=p{n}")) == {(f"a{n}", "b", "publishes")}


@pytest.mark.parametrize("window", ["5m", "15m", "1h", "6h", "24h", "7d"])
def test_a_window_is_told_as_it_was_asked_for(http, platform, clock, pump, window):
    platform.traffic.roll_up()
    publish(platform, ORDER)
    pump.run()

    body = http.get(f"{ADDRESS}?window={window}").json()

    assert [edge["count"] for edge in body["edges"]] == [1]
    assert body["window_s"] in (300, 900, 3_600, 21_600, 86_400, 604_800)


@pytest.mark.parametrize(
    "query",
    ["?window=2h", "?window=", "?type=partial", "?project=", "?ref=a%00b"],
)
def test_what_makes_no_sense_is_refused_as_graphs_refuse_it(http, query):
    answer = http.get(ADDRESS + query)

    assert answer.status == 400
    assert isinstance(answer.json()["error"], str)


def test_looking_needs_the_scope_of_graphs(http, locked):
    assert http.get(ADDRESS).status == 401
    bearer(http, "events:subscribe", "graph:write")
    assert http.get(ADDRESS).status == 403
    bearer(http, "graph:read")
    assert http.get(ADDRESS).status == 200
