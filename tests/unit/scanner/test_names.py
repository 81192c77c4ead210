"""What a name stands for, in the ways that people write."""

from __future__ import annotations

import pytest

from eventyard.scanner import EventFlowAnalyzer


@pytest.fixture
def published(flow):
    return lambda *args, **files: flow(*args, **files)[0]


def test_of_several_values_the_last_before_the_call_counts(published):
    assert published(
        """
        def go(bus):
            name = "first"
            bus.publish(name)
            name = "second"
            bus.publish(name)
        """
    ) == ["first", "second"]


def test_a_value_that_is_replaced_is_not_published(published):
    assert published(
        """
        def go(bus, flag):
            name = "replaced"
            name = "sure"
            if flag:
                name = "perhaps"
            bus.publish(name)
            name = "later"
            print(name)
        """
    ) == ["perhaps", "sure"]


def test_two_loops_with_one_variable_do_not_mix(write):
    root = write(
        code="""
        def go(bus):
            for name in ("a", "b"):
                bus.publish(name)
            for name in ("c",):
                bus.publish(name)
        """
    )
    model = EventFlowAnalyzer(root).analyze()

    lines = {edge.event: [site.line for site in edge.sites] for edge in model.edges}
    assert lines == {"a": [4], "b": [4], "c": [6]}


def test_a_local_name_hides_that_of_the_module(published):
    source = 'N = "outer"\n\ndef go(bus, N):\n    bus.publish(N)\n'

    assert published(source) == []


def test_a_class_does_not_lend_its_names_to_its_methods(published):
    assert published(
        """
        N = "of.the.module"

        class A:
            N = "of.the.class"

            def go(self, bus):
                bus.publish(N)
        """
    ) == ["of.the.module"]


def test_attributes_are_inherited(published):
    assert published(
        """
        from base import Agent

        class Local(Agent):
            def go(self, bus):
                bus.publish(self.TOPIC)
        """,
        base='class Root:\n    TOPIC = "inherited"\n\nclass Agent(Root): ...\n',
    ) == ["inherited"]


def test_packages_beside_the_scanned_folder_are_followed(write):
    root = write(
        agents__one="from shop.names import PAID\nbus.publish(PAID)\n",
        shop__names="from .more import PAID\n",
        shop__more='PAID = "order.paid"\n',
        shop__agents__two="from ..names import PAID as P\nbus.publish(P)\n",
    )

    for folder in ("agents", "shop/agents"):
        model = EventFlowAnalyzer(root / folder).analyze()
        assert [event.name for event in model.events] == ["order.paid"]


def test_everything_may_be_imported_with_a_star(published):
    assert published(
        "from names import *\nbus.publish(PAID)\nbus.publish(OrderPaid.__name__)\n",
        names='PAID = "order.paid"\nclass OrderPaid: ...\n',
    ) == ["OrderPaid", "order.paid"]


def test_a_module_may_be_imported_within_a_function_or_a_condition(published):
    assert published(
        """
        try:
            from names import ONE
        except ImportError:
            ONE = "otherwise"

        def go(bus):
            import names
            bus.publish(names.TWO)
            bus.publish(ONE)
        """,
        names='ONE = "one"\nTWO = "two"\n',
    ) == ["one", "otherwise", "two"]


def test_a_table_of_names_is_looked_up(published):
    assert published(
        """
        TABLE = {"paid": "order.paid", "sent": "order.sent"}

        class Kind(str, Enum):
            LOST = "order.lost"

        bus.publish(TABLE["paid"])
        bus.publish(Kind["LOST"])
        bus.publish(TABLE[unknown])
        """
    ) == ["order.lost", "order.paid"]


def test_members_are_gone_through(published):
    assert published(
        """
        class Kind(Enum):
            A = "kind.a"
            B = "kind.b"

        for kind in Kind:
            bus.publish(kind.value)
        """
    ) == ["kind.a", "kind.b"]


def test_alternatives_and_defaults_are_all_told(published):
    assert published(
        """
        from typing import Optional, Union

        def go(bus, a: Union["OrderPaid", OrderSent], b: Optional[OrderLost], c):
            bus.publish(type(a).__name__)
            bus.publish(type(b).__name__)
            bus.publish(c or "fallback")
            bus.publish(found := "walrus")
        """
    ) == ["OrderLost", "OrderPaid", "OrderSent", "fallback", "walrus"]


@pytest.mark.parametrize(
    ("annotation", "names"),
    [("str", []), ("Event", []), ("'not python ('", []), ("OrderPaid", ["OrderPaid"])],
)
def test_an_annotation_tells_the_class_if_it_is_an_events(published, annotation, names):
    source = f"def go(bus, event: {annotation}):\n    bus.publish(event)\n"

    assert published(source) == names


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ('f"{kind}"', None),
        ('f"{kind}.{state}"', None),
        ('f"order.{kind!r}"', "order.*"),
        ('f"order.{kind:>3}.x"', "order.*.x"),
        ('"order." + kind + ".x"', "order.*.x"),
        ('"%s.paid" % kind', None),
        ('"order.%(kind)s" % values', "order.*"),
        ('"order.{kind}".format(kind=kind)', "order.*"),
        ('f"order.{kind}{state}"', "order.*"),
        ('f"{PREFIX}.paid"', "shop.paid"),
        ("str(PREFIX)", "shop"),
        ("b'bytes'", None),
        ("3", None),
        ("None", None),
        ("lambda: 'x'", None),
        ("''", None),
    ],
)
def test_texts_that_are_put_together(published, expression, name):
    source = f'PREFIX = "shop"\nbus.publish({expression})\n'

    assert published(source) == ([] if name is None else [name])
