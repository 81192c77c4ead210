from __future__ import annotations

import pytest

from eventyard.scanner import EventFlowAnalyzer
from eventyard.scanner._outcomes import node_of


@pytest.mark.parametrize(
    ("name", "failed", "rejected"),
    [
        ("PaymentFailed", True, False),
        ("PaymentError", True, False),
        ("payment.failed", True, False),
        ("payment_failed", True, False),
        ("FailedPayment", False, False),
        ("payment.unfailed", False, False),
        ("OrderRejected", False, True),
        ("order.rejected", False, True),
        ("order.paid", False, False),
    ],
)
def test_the_end_of_a_name_tells_how_things_went(name, failed, rejected):
    node = node_of(name, None)

    assert (node.failed, node.rejected) == (failed, rejected)


@pytest.fixture
def events(write):
    """The nodes of the events that a source defines in the folder `events/shop`."""

    def read(source, *names):
        code = "".join(f"bus.publish('{name}')\n" for name in names)
        root = write(events__shop__e=source, agents__a=code)
        model = EventFlowAnalyzer(root / "agents", root / "events").analyze()
        return {event.name: event for event in model.events}

    return read


def test_annotations_and_decorators_tell_it_too(events):
    found = events(
        """
        @failed
        class A: ...

        @marks.rejection("why")
        class B: ...

        class C:
            __event_annotation__: str = "rejected"

        class D:
            __event_annotation__ = "something else"
        """,
        *"ABCD",
    )

    assert [found[name].failed for name in "ABCD"] == [True, False, False, False]
    assert [found[name].rejected for name in "ABCD"] == [False, True, True, False]
    assert {node.namespace for node in found.values()} == {"shop"}
    assert (found["A"].at.file, found["A"].at.line) == ("../events/shop/e.py", 3)


def test_a_class_that_only_seems_to_be_one_is_none(events):
    found = events('TEXT = """\nclass Seeming:\n"""\n# class Seeming:\n', "Seeming")

    assert found["Seeming"].namespace == "unknown"


def test_the_nearest_folder_to_the_top_is_the_namespace(write):
    root = write(
        events__stock__deep__er__e="class Low: ...",
        events__top="class Top: ...",
        a="bus.publish('Low')\nbus.publish('Top')\n",
    )
    model = EventFlowAnalyzer(root, root / "events").analyze()

    assert {event.name: event.namespace for event in model.events} == {
        "Low": "stock",
        "Top": "unknown",
    }


def test_a_file_of_events_that_cannot_be_read_is_told(write, tmp_path):
    root = write(agents__a="bus.publish('A')\n", events__x__bad="class A(:\n")
    model = EventFlowAnalyzer(root / "agents", root / "events").analyze()

    (problem,) = model.diagnostics
    assert (problem.kind, str(problem.at)) == ("syntax", "../events/x/bad.py:1")


def test_an_agent_goes_where_most_that_it_publishes_goes(write):
    root = write(
        events__a__e="class A1: ...\nclass A2: ...\n",
        events__b__e="class B1: ...\n",
        agents__most="".join(f"bus.publish('{n}')\n" for n in ("A1", "A2", "B1", "x")),
        agents__equal="bus.publish('B1')\nbus.publish('A1')\n",
        agents__hears="bus.subscribe('A1', print)\n",
    )
    model = EventFlowAnalyzer(root / "agents", root / "events").analyze()

    assert {agent.id: agent.namespace for agent in model.agents} == {
        "equal": "a",
        "hears": "unknown",
        "most": "a",
    }


def test_events_are_read_again_when_their_file_changed(write):
    root = write(agents__a="bus.publish('A')\n", events__one__e="class A: ...\n")
    one = EventFlowAnalyzer(root / "agents", root / "events", remember=True)
    before = one.analyze()
    (root / "events" / "one" / "e.py").write_text("@failed\nclass A: ...\n")

    assert [before.events[0].failed, one.analyze().events[0].failed] == [False, True]
