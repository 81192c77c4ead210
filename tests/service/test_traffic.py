"""The counted traffic: one write a batch, in minutes and hours, whatever happens."""

from __future__ import annotations

import pytest

from chalicelib.graphs.counting import MOST_EDGES, TrafficCounter
from chalicelib.graphs.flows import Way
from chalicelib.graphs.traffic import Traffic
from tests.steps import (
    connect,
    greeted,
    one_update_at_a_time,
    publish,
    say,
    subscribe,
)

HOUR = 3_600
DAY = 24 * HOUR


def flows(platform, seconds=900):
    return platform.traffic.window(seconds).sheet.flows


def counts(platform, seconds=900):
    return {tuple(w): (f.count, f.errors) for w, f in flows(platform, seconds).items()}


def routed(platform, pump, *events):
    """Publish events and take their messages off the routing queue."""
    publish(platform, *events)
    pump.relay()
    return pump.messages("routing")


def published(n=1, agent="shop", event="order.paid"):
    return {("publishes", agent, event): (n, 0)}


ORDER = {"type": "order.paid", "source": "shop"}


def test_what_is_published_is_counted_by_source_and_type(platform, pump):
    publish(platform, ORDER, ORDER, {"type": "order.paid", "source": "till"})
    publish(platform, {"type": "user.created"})
    pump.run()

    assert counts(platform) == {
        **published(2),
        **published(1, "till"),
        **published(1, "unnamed", "user.created"),
    }


def test_a_message_that_comes_again_is_counted_once(platform, pump):
    (record,) = routed(platform, pump, ORDER)
    pump.handle("routing", [record, {**record, "messageId": "twin"}])
    pump.handle("routing", [{**record, "messageId": "again"}])

    assert counts(platform) == published()


def test_a_batch_costs_one_write_more_and_a_duplicate_none(platform, calls, pump):
    records = routed(platform, pump, *({"type": f"t.{n}"} for n in range(8)))
    calls.clear()

    platform.router.route({"Records": records})

    assert calls.counted["UpdateItem"] == 1
    calls.clear()
    platform.router.route({"Records": records})
    assert "UpdateItem" not in calls.counted


def test_a_delivery_is_counted_with_its_lag(platform, clock, pump, receiver):
    subscribe(platform, receiver.url, name="billing")
    publish(platform, ORDER)
    clock.tick(2)
    pump.run()

    found = flows(platform)[Way("subscribes", "billing", "order.paid")]
    assert (found.count, found.errors, sum(found.lags.values())) == (1, 0, 1)
    assert found.last_ms == int(clock() * 1000)
    (edge,) = lags(platform)
    assert edge == pytest.approx(2_000, rel=0.15)


def lags(platform):
    from chalicelib.graphs.lags import quantile

    return [quantile(f.lags, 0.95) for f in flows(platform).values() if f.lags]


def test_deliveries_of_a_batch_cost_one_write_more(platform, calls, pump, receiver):
    for name in ("a", "b", "c"):
        subscribe(platform, receiver.url, name=name)
    publish(platform, *({"type": f"t.{n}", "group": "g"} for n in range(3)))
    publish(platform, *({"type": f"t.{n}"} for n in range(5)))
    pump.relay()
    while pump.queue("routing"):
        pass
    writes = []
    tally = platform.table.tally
    platform.table.tally = lambda *args: writes.append(args) or tally(*args)

    pump.handle("deliveries", pump.messages("deliveries"))

    assert len(writes) == 1
    delivered = {w: n for w, n in counts(platform).items() if w[0] == "subscribes"}
    assert len(delivered) == 15
    assert sum(count for count, _ in delivered.values()) == 3 * 8


def test_attempts_that_fail_are_counted_and_so_is_the_one_that_does_not(
    platform, pump, receiver
):
    receiver.reaction = lambda number, _: (500 if number < 3 else 204, {})
    subscribe(platform, receiver.url, name="billing", retry={"schedule_s": [0, 0]})
    publish(platform, ORDER)
    pump.run()

    assert counts(platform)["subscribes", "billing", "order.paid"] == (1, 2)


def test_a_subscription_without_a_name_is_told_by_its_id(platform, pump, receiver):
    made = subscribe(platform, receiver.url)
    publish(platform, ORDER)
    pump.run()

    assert counts(platform)["subscribes", made.id, "order.paid"] == (1, 0)


def test_a_replay_is_traffic_but_its_lag_says_nothing(
    platform, clock, pump, receiver, http
):
    made = subscribe(platform, receiver.url, name="billing")
    publish(platform, ORDER)
    pump.run()
    clock.tick(600)
    http.post("/api/v1/replays", {"subscription": made.id})
    pump.run()

    found = flows(platform)[Way("subscribes", "billing", "order.paid")]
    assert (found.count, sum(found.lags.values())) == (2, 1)


@pytest.fixture
def clients(platform, pump):
    """A router client with a name, one without, and a dashboard; all want orders."""
    greeted(pump, "c1", channel="router", client_id="billing")
    greeted(pump, "c2", channel="router")
    greeted(pump, "c3", events="order.*")
    for name in ("c1", "c2"):
        wish = {"topics": ["order.*"]}
        say(platform, name, {"type": "subscribe", "subscription": wish})


def test_live_clients_are_consumers_and_dashboards_are_not(platform, pump, clients):
    publish(platform, ORDER)
    pump.run()

    assert counts(platform) == {
        **published(),
        ("subscribes", "billing", "order.paid"): (1, 0),
        ("subscribes", "unnamed", "order.paid"): (1, 0),
    }


def test_a_client_that_wants_an_event_twice_gets_one(platform, pump, clients):
    wish = {"topics": ["order.paid"]}
    say(platform, "c1", {"type": "subscribe", "subscription": wish})
    publish(platform, ORDER)
    pump.run()

    assert counts(platform)["subscribes", "billing", "order.paid"] == (1, 0)


def test_what_a_client_did_not_take_is_counted_as_failed(
    platform, pump, gateway, clients
):
    gateway.failing.add("c1")
    records = routed(platform, pump, ORDER)
    pump.handle("routing", records)

    assert counts(platform)["subscribes", "billing", "order.paid"] == (0, 1)


def test_a_large_fan_out_is_counted_where_it_is_sent(
    platform, pump, monkeypatch, clients
):
    from chalicelib.live import service

    monkeypatch.setattr(service, "DIRECT", 2)
    publish(platform, ORDER)
    pump.run()

    assert counts(platform)["subscribes", "billing", "order.paid"] == (1, 0)


def test_counting_that_fails_fails_nothing_and_rests_a_while(
    platform, clock, pump, receiver, capsys
):
    subscribe(platform, receiver.url, name="billing")
    tally, tried = platform.table.tally, []

    def broken(*args):
        tried.append(args)
        raise ConnectionError("the table is away")

    platform.table.tally = broken
    publish(platform, ORDER)
    pump.run()

    assert len(receiver.received) == 1
    assert len(tried) == 1
    assert "traffic was not counted" in capsys.readouterr().err
    # What is counted meanwhile is written once it may work again.
    platform.table.tally = tally
    clock.tick(11)
    publish(platform, {"type": "user.created"})
    pump.run()
    assert counts(platform) == {
        **published(1, "unnamed", "user.created"),
        ("subscribes", "billing", "order.paid"): (1, 0),
        ("subscribes", "billing", "user.created"): (1, 0),
    }


def test_a_batch_that_is_not_routed_is_counted_when_it_is(platform, pump):
    (record,) = routed(platform, pump, ORDER)
    offer = platform.router.offer

    def broken(*_):
        raise ConnectionError

    platform.router.offer = broken
    pump.handle("routing", [record])
    assert counts(platform) == {}
    platform.router.offer = offer
    pump.handle("routing", [record])

    assert counts(platform) == published()


def test_many_edges_of_one_minute_are_counted_as_left_out(platform, clock):
    counter = platform.tally
    for n in range(MOST_EDGES + 7):
        counter.delivered(f"s{n}", "a.b", None)
    counter.delivered("s0", "a.b", None)
    counter.flush()

    sheet = platform.traffic.window(300).sheet
    assert (len(sheet.flows), sheet.left_out) == (MOST_EDGES, 7)
    assert sheet.flows[Way("subscribes", "s0", "a.b")].count == 2
    # The next minute has room again.
    clock.tick(60)
    counter.delivered("new", "a.b", None)
    counter.flush()
    assert counts(platform)["subscribes", "new", "a.b"] == (1, 0)


def test_an_item_that_is_full_tells_how_much_it_did_not_take(platform, clock):
    for writer in range(2):
        counter = TrafficCounter(platform.table, clock, shard=0)
        for n in range(MOST_EDGES):
            # The longest names that there are.
            counter.delivered(f"{writer}{n:03d}" + "\U0001f600" * 252, "e" * 256, None)
        counter.flush()

    sheet = platform.traffic.window(300).sheet
    assert 0 < len(sheet.flows) < 2 * MOST_EDGES
    # moto keeps some of an update that it refuses; DynamoDB keeps none.
    told = len(sheet.flows) + sheet.left_out
    assert 2 * MOST_EDGES <= told < 2 * MOST_EDGES + 30


def test_functions_that_count_side_by_side_lose_nothing(platform, clock):
    from concurrent.futures import ThreadPoolExecutor

    one_update_at_a_time(platform)

    def count(n):
        counter = TrafficCounter(platform.table, clock, shard=n % 2)
        for _ in range(5):
            counter.delivered("billing", "order.paid", None)
            counter.flush()

    platform.table.get("warm", "up")  # the client is made once
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(8)))

    assert counts(platform)["subscribes", "billing", "order.paid"] == (40, 0)


def test_a_window_holds_what_came_within_it(platform, clock, pump):
    for _ in range(3):
        publish(platform, ORDER)
        pump.run()
        clock.tick(300)

    # Ten and five minutes ago; a window begins with a whole minute.
    assert counts(platform, 300) == published(1)
    assert counts(platform, 900) == published(3)
    clock.tick(HOUR)
    assert counts(platform, 900) == {}


def test_traffic_is_told_at_once_although_what_is_over_is_remembered(
    platform, clock, pump
):
    for n in range(1, 6):
        publish(platform, ORDER)
        pump.run()
        assert counts(platform) == published(n)
        clock.tick(45)


def test_a_window_is_read_in_few_calls(platform, calls, clock, pump):
    clock.now = clock.now // HOUR * HOUR + 1_800
    platform.traffic.roll_up()
    publish(platform, ORDER)
    pump.run()
    clock.tick(180)
    calls.clear()
    assert counts(platform) == published()
    assert calls.counted == {"Query": 1}
    calls.clear()
    assert counts(platform, 7 * DAY) == published()
    assert calls.counted["Query"] <= 4


def hourly(platform, clock, pump, hours):
    """Publish one event an hour, and let the sweep put each hour together."""
    clock.now = clock.now // HOUR * HOUR + 600
    platform.traffic.roll_up()
    for _ in range(hours):
        publish(platform, ORDER)
        pump.run()
        clock.tick(HOUR)
        platform.traffic.roll_up()


def test_hours_that_are_over_are_put_together_and_read_instead(
    platform, calls, clock, pump
):
    hourly(platform, clock, pump, 30)

    assert counts(platform, 7 * DAY) == published(30)
    calls.clear()
    fresh = Traffic(platform.table, clock)
    found = fresh.window(DAY).sheet.flows
    assert {tuple(w): (f.count, f.errors) for w, f in found.items()} == published(24)
    assert calls.counted["Query"] <= 4
    for seconds, n in ((6 * HOUR, 6), (HOUR, 1), (900, 0)):
        assert sum(f.count for f in flows(platform, seconds).values()) == n


def test_hours_that_nobody_put_together_are_read_by_the_minute(platform, clock, pump):
    clock.now = clock.now // HOUR * HOUR + 600
    for _ in range(4):
        publish(platform, ORDER)
        pump.run()
        clock.tick(HOUR)

    assert counts(platform, 6 * HOUR) == published(4)


def test_what_is_counted_is_kept_for_eight_days(platform, clock, pump):
    hourly(platform, clock, pump, 1)
    hour = int(clock()) // HOUR - 1

    (minute,) = platform.table.query(f"traffic#{hour}")
    (whole,) = platform.table.query("traffic-hours", until=f"{hour:08d}")
    assert minute["ttl"] == int(clock()) - HOUR + 8 * DAY
    assert whole["ttl"] == hour * HOUR + 8 * DAY


def test_an_hour_put_together_twice_counts_once(platform, clock, pump):
    hourly(platform, clock, pump, 3)
    # Another process, and one whose checkpoint was lost after its hours were written.
    Traffic(platform.table, clock).roll_up()
    platform.table.put({"pk": "traffic-hours", "sk": "~until", "hour": 0})
    assert counts(platform, 6 * HOUR) == published(3)
    for _ in range(20):
        Traffic(platform.table, clock).roll_up()

    assert counts(platform, 6 * HOUR) == published(3)


def test_an_hour_is_not_put_together_before_everybody_is_done_with_it(
    platform, clock, pump
):
    clock.now = clock.now // HOUR * HOUR + HOUR - 10
    platform.traffic.roll_up()
    publish(platform, ORDER)
    pump.run()
    clock.tick(20)
    platform.traffic.roll_up()
    # A function whose clock is behind by a little still counts the hour before.
    late = TrafficCounter(platform.table, lambda: clock() - 15)
    late.delivered("billing", "order.paid", None)
    late.flush()
    clock.tick(600)
    platform.traffic.roll_up()

    assert counts(platform, 6 * HOUR) == {
        **published(),
        ("subscribes", "billing", "order.paid"): (1, 0),
    }


def test_the_sweep_puts_hours_together_and_survives_when_it_cannot(
    platform, clock, pump, capsys
):
    platform.sweep()
    clock.tick(HOUR)
    put = platform.table.put

    def broken(item):
        if item["pk"] == "traffic-hours":
            raise ConnectionError("the table is away")
        put(item)

    publish(platform, ORDER)
    pump.run()
    clock.tick(HOUR)
    platform.table.put = broken
    platform.sweep()

    assert "the traffic of an hour was not put together" in capsys.readouterr().err
    platform.table.put = put
    Traffic(platform.table, clock).roll_up()
    assert counts(platform, 6 * HOUR) == published()


def test_a_connection_that_only_publishes_is_counted_by_the_source_it_names(
    platform, pump
):
    connect(platform, "c1", channel="router", client_id="shop")
    say(platform, "c1", {"type": "publish", "event": ORDER})
    pump.run()

    assert counts(platform) == published()
