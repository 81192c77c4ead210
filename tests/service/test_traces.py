"""Traces and counts of an event's way through the server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import telemetry
from eventyard.core import traces
from eventyard.core.event import Event
from tests.otlp import Collector
from tests.stack import client
from tests.steps import greeted, publish, say, subscribe

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE, SPAN = HEADER.split("-")[1:3]
UNSAMPLED = HEADER[:-1] + "0"


@pytest.fixture
def told(monkeypatch):
    """Set what telemetry is told; it is read anew then, and after the test."""

    def tell(**settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        telemetry.forget_settings()

    for name in ("EVENTYARD_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    tell()
    yield tell
    monkeypatch.undo()
    telemetry.forget_settings()


@pytest.fixture
def recorder(told, platform):
    with telemetry.recording("test") as made:
        yield made


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def of(recorder, name):
    return [span for span in recorder.spans if span.name == f"eventyard.{name}"]


def test_one_trace_goes_from_the_request_to_the_receiver(
    http, platform, pump, receiver, recorder, told
):
    subscribe(platform, receiver.url, topics=["a.b"])
    with telemetry.recording("accepting") as accepting:
        body = {"type": "a.b", "payload": {}}
        made = http.post("/api/v1/events", body, traceparent=HEADER, tracestate="x=y")
    assert made.status == 201
    pump.run()

    # The call had a recorder of its own, as every invocation has.
    assert accepting.spans == []
    (request,) = receiver.received
    (relay,), (route,) = of(recorder, "relay"), of(recorder, "route")
    (deliver,) = of(recorder, "deliver")
    assert {s.context.trace_id for s in (relay, route, deliver)} == {TRACE}
    assert route.parent_id == relay.context.span_id
    assert deliver.parent_id == route.context.span_id
    assert relay.parent_id != SPAN
    assert request.headers["traceparent"] == deliver.context.parent
    assert request.headers["tracestate"] == "x=y"
    assert deliver.attributes["http.response.status_code"] == 204
    event = Event.from_dict(
        http.get(f"/api/v1/events/{made.json()['event_id']}").json()
    )
    assert event.headers["traceparent"].split("-")[2] == relay.parent_id


def test_a_retry_under_another_span_is_the_same_call(http, platform):
    body = {"type": "a.b", "payload": {}, "headers": {"traceparent": HEADER}}
    first = http.post("/api/v1/events", body, Idempotency_Key="once")
    body["headers"]["traceparent"] = traces.root(1).parent
    again = http.post("/api/v1/events", body, Idempotency_Key="once")
    third = http.post(
        "/api/v1/events",
        {"type": "a.b", "payload": {}},
        Idempotency_Key="once",
        traceparent=HEADER,
    )
    assert first.json()["event_id"] == again.json()["event_id"]
    assert third.json()["deduplicated"]


@pytest.mark.parametrize(
    "wrong", ["nonsense", HEADER.upper(), f"{HEADER},{HEADER}", ""]
)
def test_what_is_no_trace_context_is_dropped_and_never_an_error(http, platform, wrong):
    body = {"type": "a.b", "headers": {"traceparent": wrong, "x": "y"}}
    made = http.post("/api/v1/events", body, traceparent=wrong)
    event = http.get(f"/api/v1/events/{made.json()['event_id']}").json()
    assert event["headers"] == {"x": "y"}


def test_an_events_own_trace_is_kept_where_the_request_has_another(
    http, platform, monkeypatch, told
):
    told(TELEMETRY_ENABLED="false")
    own = traces.root(1).parent
    events = [{"type": "a.b", "headers": {"traceparent": own}}, {"type": "a.b"}]
    made = http.post("/api/v1/events", events, traceparent=HEADER).json()["events"]
    headers = [
        http.get(f"/api/v1/events/{one['event_id']}").json()["headers"] for one in made
    ]
    assert headers == [{"traceparent": own}, {"traceparent": HEADER}]


def test_a_trace_that_comes_as_a_cloudevents_attribute_is_one(http, platform):
    cloud = {
        "specversion": "1.0",
        "id": "1",
        "source": "/x",
        "type": "a.b",
        "traceparent": UNSAMPLED,
    }
    media = {"content_type": "application/cloudevents+json"}
    made = http.post("/api/v1/events", json.dumps(cloud), **media)
    event = http.get(f"/api/v1/events/{made.json()['event_id']}").json()
    assert event["headers"] == {"traceparent": UNSAMPLED}


def test_what_a_request_leads_to_belongs_to_its_trace(http, platform):
    body = {"name": "a", "scopes": ["events:publish"]}
    assert http.post("/api/v1/keys", body, traceparent=UNSAMPLED).status == 201
    (told,) = http.get("/api/v1/events?topics=eventyard.*.*").json()["events"]
    assert told["headers"] == {"traceparent": UNSAMPLED}


def test_without_a_trace_nothing_is_added_and_nothing_recorded(
    platform, pump, receiver, recorder
):
    subscribe(platform, receiver.url, topics=["a.b"])
    publish(platform, {"type": "a.b", "payload": {}})
    publish(platform, {"type": "a.b", "headers": {"traceparent": UNSAMPLED}})
    pump.run()

    assert recorder.spans == []
    headers = [one.headers.get("traceparent") for one in receiver.received]
    assert sorted(headers, key=str) == [UNSAMPLED, None]


def test_events_without_a_trace_begin_one_as_often_as_is_said(
    platform, pump, receiver, told
):
    told(TELEMETRY_TRACE_SAMPLE_RATE="1")
    with telemetry.recording("test") as recorder:
        subscribe(platform, receiver.url, topics=["a.b"])
        publish(platform, {"type": "a.b"}, {"type": "a.c"})
        pump.run()

    accepts = of(recorder, "accept")
    accept = next(one for one in accepts if one.attributes["event.type"] == "a.b")
    assert accept.parent_id == ""
    assert accept.attributes["messaging.batch.message_count"] == 2
    (deliver,) = of(recorder, "deliver")
    assert deliver.context.trace_id == accept.context.trace_id
    relays = [
        one for one in of(recorder, "relay") if one.parent_id == accept.context.span_id
    ]
    assert len(relays) == 1


def test_a_batch_goes_out_in_one_span_with_links_and_its_events_keep_their_traces(
    platform, pump, receiver, recorder
):
    subscribe(platform, receiver.url, topics=["a.b"], batch_size=3)
    begun = [traces.root(1) for _ in range(3)]
    publish(platform, *[{"type": "a.b", "headers": one.headers()} for one in begun])
    pump.run()

    (request,) = receiver.received
    (deliver,) = of(recorder, "deliver")
    routed = {span.context.trace_id: span.context for span in of(recorder, "route")}
    assert set(routed) == {one.trace_id for one in begun}
    assert deliver.parent_id == routed[deliver.context.trace_id].span_id
    assert {one.trace_id for one in deliver.links} == set(routed) - {
        deliver.context.trace_id
    }
    assert request.headers["traceparent"] == deliver.context.parent
    sent = [
        json.loads(one["eventyardextra"])["headers"]["traceparent"]
        for one in request.event
    ]
    assert {one.split("-")[1] for one in sent} == set(routed)


def test_a_batch_of_several_traces_says_none_while_telemetry_is_off(
    platform, pump, receiver, told
):
    told(TELEMETRY_ENABLED="false")
    with telemetry.recording("test") as recorder:
        subscribe(platform, receiver.url, topics=["a.b"], batch_size=2)
        publish(
            platform,
            {"type": "a.b", "headers": {"traceparent": HEADER}},
            {"type": "a.b", "headers": traces.root(1).headers()},
        )
        publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
        pump.run()
    assert recorder.spans == []
    headers = [one.headers.get("traceparent") for one in receiver.received]
    assert sorted(headers, key=str) == [HEADER, None]


def test_a_delivery_that_fails_fails_its_span_and_the_next_try_is_of_the_same_trace(
    platform, pump, receiver, recorder
):
    receiver.reaction = lambda number, _: (500 if number == 1 else 204, {})
    subscribe(platform, receiver.url, topics=["a.b"], retry={"schedule_s": [0]})
    publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
    pump.run()

    first, second = of(recorder, "deliver")
    assert first.error == "the receiver answered 500"
    assert (second.error, second.attributes["eventyard.attempt"]) == (None, 2)
    assert second.context.trace_id == TRACE


def test_a_queue_gets_the_trace_of_each_message(platform, pump, recorder):
    url = client("sqs").create_queue(QueueName="eventyard-target-traced")["QueueUrl"]
    target = {"type": "queue", "queue": "eventyard-target-traced"}
    subscribe(platform, None, topics=["a.b"], target=target)
    publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
    pump.run()

    (message,) = client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"]
    )["Messages"]
    client("sqs").delete_queue(QueueUrl=url)
    (deliver,) = of(recorder, "deliver")
    told = message["MessageAttributes"]["traceparent"]["StringValue"]
    assert told == deliver.context.parent


def test_a_live_frame_carries_the_span_that_sent_it(platform, pump, gateway, recorder):
    greeted(pump, channel="router", client_id="worker")
    say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["a.b"]}})
    publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
    pump.run()

    (frame,) = [f for f in gateway.frames("c1") if f["type"] == "event"]
    (fan_out,) = of(recorder, "fan_out")
    (route,) = of(recorder, "route")
    assert fan_out.parent_id == route.context.span_id
    assert frame["event"]["headers"]["traceparent"] == fan_out.context.parent
    assert recorder.counts["FramesSent"] == 1


def test_one_invocation_keeps_so_many_spans_and_says_how_many_it_left_out(
    platform, told, capsys
):
    with telemetry.recording("test"):
        for _ in range(6):
            events = [
                Event("a.b", headers=traces.root(1).headers()) for _ in range(100)
            ]
            with telemetry.accepting(events):
                pass
    *spans, invoked = lines(capsys)
    assert len([line for line in spans if line["message"] == "span"]) == 500
    assert invoked["spans_left_out"] == 100


def test_metrics_are_in_the_line_that_ends_an_invocation(
    platform, pump, receiver, told, capsys
):
    receiver.reaction = lambda *_: (500, {})
    with telemetry.recording("test"):
        subscribe(platform, receiver.url, topics=["a.b"], retry={"schedule_s": []})
        publish(platform, {"type": "a.b"}, {"type": "a.c"})
        pump.run()
    invoked = lines(capsys)[-1]
    directive = invoked["_aws"]["CloudWatchMetrics"][0]
    names = {one["Name"] for one in directive["Metrics"]}
    assert directive["Namespace"] == "Eventyard"
    assert directive["Dimensions"] == [["Stage"]]
    assert invoked["Stage"] == "test"
    assert names <= invoked.keys()
    assert names <= telemetry.METRICS.keys()
    assert invoked["DeliveriesFailed"] == invoked["EventsDeadLettered"] == 1
    # The subscription's own audit event went the same way.
    assert invoked["EventsAccepted"] == invoked["EventsRelayed"] == 3
    assert invoked["RelayLag"][0] >= 0


def test_more_values_than_a_line_takes_go_into_more_lines(told, capsys):
    with telemetry.recording("test"):
        telemetry.count("EventsRelayed", 250)
        for n in range(250):
            telemetry.observe("RelayLag", n)
    found = lines(capsys)
    assert [len(line["RelayLag"]) for line in found] == [100, 100, 50]
    assert [line.get("EventsRelayed") for line in found] == [250, None, None]


def test_lines_of_the_log_tell_the_trace_that_they_belong_to(told, capsys):
    with telemetry.recording("test"):
        telemetry.incoming({"traceparent": HEADER})
        telemetry.log("in the request")
        other = Event("a.b", headers=traces.root(1).headers())
        with telemetry.stage("route", 5, [other]):
            telemetry.log("in the stage")
    telemetry.log("outside")
    inside, stage, *_, invoked, outside = lines(capsys)
    assert inside["trace_id"] == invoked["trace_id"] == TRACE
    assert stage["trace_id"] == other.headers["traceparent"].split("-")[1]
    assert "trace_id" not in outside


def test_a_collector_gets_the_spans_and_the_log_does_not(platform, told, capsys):
    with Collector() as collector:
        told(
            EVENTYARD_OTLP_ENDPOINT=collector.url + "/",
            OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b",
        )
        with telemetry.recording("test"):
            publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
        (path, headers), (metrics, _) = collector.requests
        (span,) = collector.spans
    assert (path, headers["x-key"]) == ("/v1/traces", "a b")
    assert metrics == "/v1/metrics"
    assert collector.total("eventyard.events_accepted") == 1
    assert collector.total("eventyard.accept_duration") == 1
    assert (span.service, span.name) == ("eventyard", "eventyard.accept")
    assert (span.trace_id, span.parent_id) == (TRACE, SPAN)
    assert span.attributes["event.type"] == "a.b"
    assert [line["message"] for line in lines(capsys)] == ["invoked"]


def test_a_collector_that_fails_costs_no_work_and_is_left_alone_for_a_while(
    platform, told, capsys
):
    with Collector() as collector:
        collector.status = 503
        told(EVENTYARD_OTLP_ENDPOINT=collector.url)
        for _ in range(3):
            with telemetry.recording("test"):
                publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
        assert len(collector.requests) == 1
    messages = [line["message"] for line in lines(capsys)]
    assert messages.count("span") == 3
    assert messages.count("the collector took nothing") == 1


def test_a_collector_that_hangs_is_given_up_after_a_second(platform, told, capsys):
    import threading
    import time

    released = threading.Event()
    with Collector() as collector:
        collector.before = lambda: released.wait(20)
        told(EVENTYARD_OTLP_ENDPOINT=collector.url)
        began = time.monotonic()
        with telemetry.recording("test"):
            publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
        took = time.monotonic() - began
        released.set()
    assert took < 5
    assert "the collector took nothing" in [line["message"] for line in lines(capsys)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"TELEMETRY_TRACE_SAMPLE_RATE": "2"},
        {"TELEMETRY_ENABLED": "perhaps"},
        {"EVENTYARD_OTLP_ENDPOINT": "collector:4318"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "key"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0aHost: x"},
    ],
)
def test_settings_that_make_no_sense_stop_a_deployment_and_no_function(
    told, platform, wrong, capsys
):
    from infra.settings import DeployError, settings_from

    with pytest.raises(DeployError, match=next(iter(wrong))):
        settings_from(wrong)
    told(**wrong)
    with telemetry.recording("test") as recorder:
        publish(platform, {"type": "a.b", "headers": {"traceparent": HEADER}})
    assert recorder.spans == []
    assert "there is no telemetry" in [line["message"] for line in lines(capsys)]


def test_the_usual_variables_name_the_collector_and_its_port_for_http():
    read = telemetry.from_environment
    usual = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318/"}
    assert read(usual).endpoint == "http://a:4318"
    assert read({**usual, "EVENTYARD_OTLP_ENDPOINT": "http://b"}).endpoint == "http://b"
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert read({**usual, **grpc}).endpoint == ""
    by_grpc = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4317"}
    assert read(by_grpc).endpoint == "http://a:4318"
    assert read({**by_grpc, **grpc}).endpoint == "http://a:4318"
    by_http = {**by_grpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    assert read(by_http).endpoint == "http://a:4317"
    assert (read(usual).rate, read({}).rate) == (1.0, 0.0)
    assert "key" not in repr(read({"OTEL_EXPORTER_OTLP_HEADERS": "a=key"}))


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=60), max_size=4))
def test_whatever_headers_say_adopting_them_is_no_error(headers):
    event = Event("a.b", headers=headers)
    telemetry.adopt([event])
    assert traces.without(event.headers) == traces.without(headers)


def test_a_collector_is_told_of_counts_where_nothing_is_traced(platform, told):
    with Collector() as collector:
        told(EVENTYARD_OTLP_ENDPOINT=collector.url, TELEMETRY_TRACE_SAMPLE_RATE="0")
        with telemetry.recording("test"):
            pass
        with telemetry.recording("test"):
            publish(platform, {"type": "a.b"}, {"type": "a.c"})
            for value in (1, 5, 5.1, 70_000):
                telemetry.observe("RelayLag", value)
        assert [path for path, _ in collector.requests] == ["/v1/metrics"]
    assert collector.total("eventyard.events_accepted") == 2
    assert collector.total("eventyard.relay_lag") == 4
