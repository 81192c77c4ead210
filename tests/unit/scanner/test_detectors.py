"""Libraries as they are used, each with what the scanner makes of it."""

from __future__ import annotations

import pytest

from eventyard.core.errors import InvalidRequestError
from eventyard.scanner import EventFlowAnalyzer
from eventyard.scanner.detectors import Use, detectors


def test_faststream(flow):
    assert flow(
        """
        from faststream import FastStream
        from faststream.kafka import KafkaBroker, KafkaRouter
        from faststream.rabbit import RabbitBroker, RabbitExchange, RabbitQueue

        broker = KafkaBroker("localhost:9092")
        rabbit = RabbitBroker()
        routes = KafkaRouter(prefix="x")
        app = FastStream(broker)

        @broker.subscriber("orders.in", "orders.late", group_id="g")
        @broker.publisher("orders.checked")
        async def check(msg: dict) -> dict:
            await broker.publish(msg, "audit.log")
            await broker.publish(msg, topic="audit.copy")
            return msg

        @routes.subscriber("routed")
        async def routed(msg): ...

        @rabbit.subscriber(RabbitQueue("jobs", durable=True), RabbitExchange("ex"))
        async def job(msg):
            await rabbit.publish(msg, queue="jobs.done")
        """
    ) == (
        ["audit.copy", "audit.log", "jobs.done", "orders.checked"],
        ["jobs", "orders.in", "orders.late", "routed"],
    )


def test_celery_tasks_are_events_that_their_functions_listen_to(flow):
    assert flow(
        """
        from celery import Celery, shared_task
        from mail.tasks import send_mail

        app = Celery("shop")

        @app.task(bind=True, name="shop.pay")
        def pay(self, order):
            send_mail.delay(order)
            notify.apply_async((order,), countdown=3)
            app.send_task("stock.reserve", args=[order])

        @shared_task
        def notify(order):
            pay.delay(order)

        def unrelated(timer):
            timer.delay(5)
        """
    ) == (
        ["code.notify", "mail.tasks.send_mail", "shop.pay", "stock.reserve"],
        ["code.notify", "shop.pay"],
    )


def test_a_task_of_another_file_is_the_event_of_its_definition(flow):
    published, heard = flow(
        "from work import clean\n\nclean.delay()\n",
        work="from celery import shared_task\n\n@shared_task(name='w.clean')\n"
        "def clean(): ...\n",
    )

    assert (published, heard) == (["w.clean"], ["w.clean"])


def test_the_decorator_task_of_others_is_not_celerys(flow):
    assert flow(
        """
        from invoke import task

        @task
        def build(context): ...
        """
    ) == ([], [])


def test_signals_of_celery(flow):
    assert flow(
        """
        from celery.signals import task_failure, worker_ready
        from celery import signals

        @task_failure.connect
        def failed(sender=None, **kwargs): ...

        @signals.task_success.connect(weak=False)
        def done(**kwargs): ...

        worker_ready.connect(done)
        """
    ) == ([], ["task_failure", "task_success", "worker_ready"])


def test_blinker(flow):
    assert flow(
        """
        from blinker import Namespace, signal

        ns = Namespace()
        paid = ns.signal("order-paid")

        @paid.connect
        def ship(sender, **extra): ...

        @signal("round").connect_via(object())
        def each(sender): ...

        class Shop:
            def pay(self):
                paid.send(self, amount=3)
                signal("round").send(self)
        """
    ) == (["order-paid", "round"], ["order-paid", "round"])


def test_a_signal_that_another_file_defines_and_django(flow):
    assert flow(
        """
        from django.db.models.signals import post_save
        from django.dispatch import Signal, receiver
        from signs import shipped

        refunded = Signal()

        @receiver([post_save, refunded], sender=object)
        def told(sender, **kwargs):
            shipped.send(None)
            refunded.send_robust(sender=None)
        """,
        signs='from blinker import signal\n\nshipped = signal("shipped")\n',
    ) == (["refunded", "shipped"], ["post_save", "refunded"])


def test_sockets_and_databases_are_no_signals(flow):
    assert flow(
        """
        import socket, sqlite3

        sqlite3.connect("x.db")
        s = socket.socket()
        s.connect(("localhost", 1))
        s.send(b"x")
        """
    ) == ([], [])


def test_pyee(flow):
    assert flow(
        """
        from pyee.asyncio import AsyncIOEventEmitter
        from pyee.base import EventEmitter

        hub = AsyncIOEventEmitter()

        @hub.on("data")
        async def data(x): ...

        hub.once("end", data)
        hub.add_listener("late", data)
        hub.emit("data", 1)

        class Robot(EventEmitter):
            def go(self):
                self.emit("moved", 1)

        def use(ee):
            ee.emit("by.name")
        """
    ) == (["by.name", "data", "moved"], ["data", "end", "late"])


def test_boto3_and_chalice(flow):
    assert flow(
        """
        import boto3, json, os

        ARN = "arn:aws:sns:eu-west-1:123456789012:orders"
        sns, sqs, bus = (boto3.client(n) for n in ("sns", "sqs", "events"))
        ENTRIES = [{"Source": "s", "DetailType": "OrderShipped", "Detail": "{}"}]

        @app.on_sqs_message(queue="incoming", batch_size=1)
        def handle(event):
            sns.publish(TopicArn=ARN, Message="{}")
            sns.publish(TopicArn=f"arn:aws:sns:{region}:{account}:audit", Message="")
            sqs.send_message(QueueUrl="https://sqs.x/1234/jobs", MessageBody="")
            events.put_events(Entries=[{"DetailType": "OrderPaid", "Detail": "{}"}])
            events.put_events(Entries=ENTRIES)

        @app.on_sns_message(topic="told")
        def told(event):
            sqs.receive_message(QueueUrl="https://sqs.x/1234/polled")
        """
    ) == (
        ["OrderPaid", "OrderShipped", "audit", "jobs", "orders"],
        ["incoming", "polled", "told"],
    )


def test_an_address_from_the_environment_is_told_as_unknown(write):
    root = write(
        code="import os\nsns.publish(TopicArn=os.environ['TOPIC'], Message='x')\n"
    )
    (unclear,) = EventFlowAnalyzer(root).analyze().diagnostics

    assert (unclear.kind, str(unclear.at)) == ("dynamic", "code.py:2")


def test_a_bus_is_known_by_its_class_as_well(flow):
    assert flow(
        """
        from shop.messaging import EventBus, ServiceBus

        hub = EventBus()

        class Shop:
            def __init__(self, messaging: ServiceBus):
                self.messaging = messaging
                self.talk = EventBus("x")

            def go(self):
                hub.publish("from.hub")
                self.messaging.publish("from.messaging")
                self.talk.publish("from.talk")
        """
    ) == (["from.hub", "from.messaging", "from.talk"], [])


def test_requests_of_http_clients_are_no_events(flow):
    assert flow(
        """
        import httpx

        client = httpx.Client()
        client.request("POST", "https://x.test/")
        client.stream("GET", url)
        router.on("/path", print)
        """
    ) == ([], [])


def test_receivers_may_be_named(write):
    root = write(code='kernel.publish("a.b")\nbus.publish("c.d")\n')
    read_by = detectors(["bus"], receivers=["ker*"])

    model = EventFlowAnalyzer(root, read_by=read_by).analyze()

    assert [event.name for event in model.events] == ["a.b"]


def test_wrappers_publish_on_behalf_of_their_callers(write):
    root = write(code='self.note("made")\nself.hear("x.y", print)\nself.tick()\n')
    wrappers = {
        "note": "publishes audit.{}",
        "hear": "subscribes",
        "tick": "publishes clock.tick",
    }

    model = EventFlowAnalyzer(root, read_by=detectors((), (), wrappers)).analyze()

    assert [(edge.kind, edge.event) for edge in model.edges] == [
        ("publishes", "audit.made"),
        ("publishes", "clock.tick"),
        ("subscribes", "x.y"),
    ]


class Shouts:
    """A detector of one's own, as a configuration names it."""

    methods = frozenset({"shout"})
    decorators = frozenset()

    def detect(self, call):
        return [Use("publishes", call.names(*call.first()))]


def test_a_detector_of_ones_own_is_named_in_the_configuration(write):
    root = write(code='crowd.shout("goal")\n')
    own = detectors([f"{__name__}:Shouts"])

    model = EventFlowAnalyzer(root, read_by=own).analyze()

    assert [event.name for event in model.events] == ["goal"]


@pytest.mark.parametrize("name", ["nothing", "no.such.module:Name", "json:Nothing"])
def test_an_unknown_detector_is_refused_by_name(name):
    with pytest.raises(InvalidRequestError, match=name.partition(":")[0]):
        detectors([name])


@pytest.mark.parametrize(
    "wrappers", [{"audit": "shouts"}, {"not a name": "publishes"}, {"x": ""}]
)
def test_a_wrapper_that_does_neither_is_refused(wrappers):
    with pytest.raises(InvalidRequestError, match="publishes"):
        detectors((), (), wrappers)
