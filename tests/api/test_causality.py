"""`GET /api/v1/events/{id}/causality`: what led to an event, and what it led to."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.events import causality
from tests.steps import bearer, ids, listed, publish


@pytest.fixture
def led(platform, pump):
    """Publish events, each led to by the one it names; returns their ids."""

    def publish_and_route(*events, **more):
        told = ids(publish(platform, *events, **more))
        pump.run()
        return told

    return publish_and_route


def because(cause, topic="a.b", **more):
    return {"type": topic, "causation_id": cause, **more}


def path(http, event_id, query=""):
    answer = http.get(f"/api/v1/events/{event_id}/causality{query}")
    assert answer.status == 200
    return answer.json()


def depths(told):
    return {node["id"]: node["depth"] for node in told["nodes"]}


def links(told):
    return {(edge["from"], edge["to"]) for edge in told["edges"]}


def test_a_chain_is_told_from_any_of_its_events(http, led):
    (first,) = led({"type": "order.placed", "source": "shop"})
    (second,) = led(because(first, "order.paid", source="bank"))
    (third,) = led(because(second, "order.sent"))

    for focus in (first, second, third):
        told = path(http, focus)
        assert (told["root"], told["focus"]) == (first, focus)
        assert depths(told) == {first: 0, second: 1, third: 2}
        assert links(told) == {(first, second), (second, third)}
        assert len(told["edges"]) == 2
        assert told["truncated"] is False
    node = next(one for one in told["nodes"] if one["id"] == second)
    event = http.get(f"/api/v1/events/{second}").json()
    assert node == {
        "id": second,
        "type": "order.paid",
        "source": "bank",
        "time": event["timestamp"],
        "depth": 1,
        "missing": False,
    }


def test_an_event_of_its_own_is_a_path_of_one(http, led):
    (alone,) = led({"type": "a.b"})

    told = path(http, alone)
    assert (told["root"], told["edges"]) == (alone, [])
    assert depths(told) == {alone: 0}


def test_a_tree_is_told_below_an_event_and_only_a_line_above_it(http, led):
    (root,) = led({"type": "a.b"})
    left, right = led(because(root), because(root))
    leaves = led(because(left), because(left), because(right))

    assert depths(path(http, root)) == {
        root: 0,
        left: 1,
        right: 1,
        **dict.fromkeys(leaves, 2),
    }
    # What else its cause led to is not on its path.
    assert depths(path(http, left)) == {root: 0, left: 1, leaves[0]: 2, leaves[1]: 2}


def test_ids_that_senders_chose_are_followed(http, led):
    led({"type": "a.b", "id": "order/7", "source": "shop"})
    led(because("order/7", id="paid 7".replace(" ", "-"), source="bank"))

    told = path(http, "paid-7")
    assert links(told) == {("order/7", "paid-7")}
    assert depths(told) == {"order/7": 0, "paid-7": 1}


def test_an_id_that_two_senders_chose_is_told_apart_by_source(http, led):
    (first,) = led({"type": "a.b"})
    led(because(first, id="1", source="a"))
    led({"type": "a.b", "id": "1", "source": "b"})

    assert depths(path(http, "1", "?source=a")) == {first: 0, "1": 1}
    assert depths(path(http, "1", "?source=b")) == {"1": 0}


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_circle_of_causes_is_told_once_around(http, led, length):
    names = [f"e{n}" for n in range(length)]
    for n, name in enumerate(names):
        led(because(names[n - 1], id=name, source="s"))

    for focus in names:
        told = path(http, focus)
        assert len(told["nodes"]) == len(told["edges"]) == length
        assert links(told) == {(names[n - 1], name) for n, name in enumerate(names)}
        assert told["truncated"] is False


def test_an_effect_that_comes_before_its_cause_is_found(http, led):
    led(because("cause", id="effect", source="s"))

    early = path(http, "effect")
    assert (early["root"], links(early)) == ("cause", {("cause", "effect")})
    assert early["nodes"][1] == {
        "id": "cause",
        "type": None,
        "source": None,
        "time": None,
        "depth": 0,
        "missing": True,
    }
    led({"type": "a.b", "id": "cause", "source": "s"})
    assert depths(path(http, "cause")) == {"cause": 0, "effect": 1}
    assert not any(node["missing"] for node in path(http, "effect")["nodes"])


def test_a_message_routed_twice_makes_one_edge(http, platform, pump, led):
    (first,) = led({"type": "a.b"})
    (second,) = ids(publish(platform, because(first)))
    pump.relay()
    (record,) = pump.messages("routing")
    pump.handle("routing", [record, {**record, "messageId": "twin"}])
    platform.table.delete(f"routed#{second.removeprefix('evt_')}", "mark")
    pump.handle("routing", [{**record, "messageId": "again"}])

    told = path(http, first)
    assert [(e["from"], e["to"]) for e in told["edges"]] == [(first, second)]


def test_a_retried_publish_and_a_replay_make_one_edge(
    http, platform, pump, receiver, led
):
    from tests.steps import subscribe

    made = subscribe(platform, receiver.url)
    (first,) = led({"type": "a.b"})
    effect = because(first, id="paid", source="bank")
    led(effect)
    led(effect)
    http.post("/api/v1/replays", {"subscription": made.id})
    pump.run()

    assert [(e["from"], e["to"]) for e in path(http, first)["edges"]] == [
        (first, "paid")
    ]


def test_an_index_costs_no_call_of_its_own(platform, calls, pump, led):
    (first,) = led({"type": "a.b"})
    publish(platform, because(first), because(first), {"type": "c.d"})
    pump.relay()
    records = pump.messages("routing")
    calls.clear()

    platform.router.route({"Records": records})

    assert calls.counted["BatchWriteItem"] == 1


def test_an_event_that_was_purged_is_missing_and_its_effects_are_not(
    http, platform, led
):
    (first,) = led({"type": "a.b"})
    (second,) = led(because(first))
    (third,) = led(because(second))
    place = second.removeprefix("evt_")
    platform.table.delete(platform.log.partition(place), place)

    up = path(http, third)
    assert (up["root"], links(up)) == (second, {(second, third)})
    assert [node["missing"] for node in up["nodes"]] == [False, True]
    # Who asks for the first finds no way past what is gone.
    assert depths(path(http, first)) == {first: 0}


def test_fifty_steps_are_shown_each_way(http, led):
    names = [f"e{n}" for n in range(110)]
    for start in range(0, 110, 100):
        led(
            *(
                because(names[n - 1] if n else "", id=names[n], source="s")
                for n in range(start, min(start + 100, 110))
            )
        )

    told = path(http, "e55")
    assert told["truncated"] is True
    assert told["root"] == "e5"
    assert depths(told) == {f"e{n}": n - 5 for n in range(5, 106)}
    assert path(http, "e109")["truncated"] is True
    assert path(http, "e50")["root"] == "e0"


def test_exactly_fifty_steps_are_not_cut_short(http, led):
    led(*(because(f"e{n - 1}" if n else "", id=f"e{n}", source="s") for n in range(51)))

    assert path(http, "e0")["truncated"] is False
    assert path(http, "e50")["truncated"] is False


def test_more_events_than_are_shown_are_said_to_be_there(http, led, monkeypatch):
    monkeypatch.setattr(causality, "MOST_NODES", 40)
    (root,) = led({"type": "a.b"})
    effects = led(*[because(root)] * 60)
    led(*(because(effect) for effect in effects))

    told = path(http, root)
    assert (len(told["nodes"]), len(told["edges"])) == (40, 39)
    assert told["truncated"] is True


def test_as_many_events_as_are_shown_are_all(http, led, monkeypatch):
    monkeypatch.setattr(causality, "MOST_NODES", 40)
    (root,) = led({"type": "a.b"})
    led(*[because(root)] * 39)

    told = path(http, root)
    assert (len(told["nodes"]), told["truncated"]) == (40, False)


def test_what_the_caller_may_not_read_is_missing_or_not_there(http, locked, led):
    (first,) = led({"type": "secret.plan"})
    (second,) = led(because(first, "order.placed"))
    (hidden, third) = led(because(second, "secret.note"), because(second, "order.paid"))
    led(because(hidden, "order.behind"))
    bearer(http, "events:subscribe:order.*")

    told = path(http, second)
    assert links(told) == {(first, second), (second, third)}
    assert "secret" not in str(told)
    assert [n["id"] for n in told["nodes"] if n["missing"]] == [first]
    assert http.get(f"/api/v1/events/{first}/causality").status == 404


def test_an_event_that_nobody_published_is_not_found(http):
    assert http.get("/api/v1/events/evt_none/causality").status == 404


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    causes=st.lists(st.integers(0, 11), min_size=1, max_size=12), focus=st.integers(0)
)
def test_whatever_causes_are_named_the_path_is_a_finite_graph(
    http, platform, led, causes, focus
):
    # Each run has names of its own: the log keeps those of the runs before.
    run = len(listed(platform))
    names = [f"r{run}n{n}" for n in range(12)]
    for n, cause in enumerate(causes):
        led(because(names[cause], id=names[n], source="s"))
    asked = names[focus % len(causes)]

    told = path(http, asked)

    known = depths(told)
    assert len(known) == len(told["nodes"])
    assert {told["root"], asked} <= known.keys()
    assert links(told) <= {(names[c], names[n]) for n, c in enumerate(causes)}
    assert all(cause in known and effect in known for cause, effect in links(told))
    effects = {names[n] for n, c in enumerate(causes) if names[c] == asked}
    assert effects <= known.keys()
