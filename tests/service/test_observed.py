"""What the dashboard and the alarms look at is what the platform tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from chalicelib import telemetry
from infra import alarms
from tests.stack import resources
from tests.steps import greeted, publish, say, subscribe

_INFRA = Path(__file__).parents[2] / "infra"
#: What AWS tells by itself of functions and queues.
_OF_AWS = {
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "IteratorAge"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
}


@pytest.fixture
def board():
    return json.loads((_INFRA / "grafana" / "eventyard.json").read_text())


def targets(board):
    return [one for panel in board["panels"] for one in panel.get("targets", ())]


@pytest.fixture
def emitted(platform, pump, receiver, gateway, capsys):
    """The names of metrics in the lines of a day on which everything happens."""
    receiver.reaction = lambda number, _: (204 if number == 1 else 500, {})
    with telemetry.recording("test"):
        greeted(pump, channel="router", client_id="worker")
        say(platform, "c1", {"type": "subscribe", "subscription": {"topics": ["a.b"]}})
        subscribe(platform, receiver.url, topics=["a.b"], retry={"schedule_s": []})
        publish(platform, {"type": "a.b"})
        pump.run()
        gateway.failing.add("c1")
        pump.left.add("live")
        publish(platform, {"type": "a.b"})
        pump.run()
        platform.subscribed.work.handle(
            {"Records": [{"messageId": "1", "body": "nonsense"}]}
        )
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    told = [line["_aws"]["CloudWatchMetrics"][0] for line in lines if "_aws" in line]
    return {
        one["Name"]: (directive["Namespace"], directive["Dimensions"])
        for directive in told
        for one in directive["Metrics"]
    }


def test_every_metric_that_there_is_is_emitted(emitted):
    assert emitted.keys() == telemetry.METRICS.keys()
    assert {repr(one) for one in emitted.values()} == {"('Eventyard', [['Stage']])"}


def test_the_dashboard_shows_all_of_them_and_nothing_that_nobody_tells(board):
    own = [one for one in targets(board) if one["namespace"]]
    assert {one["namespace"] for one in own} == {telemetry.NAMESPACE}
    assert {one["metricName"] for one in own} == telemetry.METRICS.keys()
    assert all(one["dimensions"] == {"Stage": "$stage"} for one in own)
    searched = [
        re.search(r'\{(AWS/\w+),(\w+)\} MetricName="(\w+)"', one["expression"])
        for one in targets(board)
        if not one["namespace"]
    ]
    assert searched
    for found in searched:
        assert found[3] in _OF_AWS[found[1]]
        assert (
            found[2] == {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName"}[found[1]]
        )


def test_the_dashboard_is_whole(board):
    assert {one["name"] for one in board["templating"]["list"]} == {
        "datasource",
        "region",
        "stage",
    }
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
        assert len({one["refId"] for one in panel.get("targets", ())}) == len(
            panel.get("targets", ())
        )
        for one in panel.get("targets", ()):
            assert one["datasource"] == {"type": "cloudwatch", "uid": "${datasource}"}
            # A count is added up, a time is not.
            unit = telemetry.METRICS.get(one["metricName"])
            assert unit is None or (unit == "Count") is (one["statistic"] == "Sum")


@pytest.fixture
def alarmed():
    functions = yaml.safe_load((_INFRA / "functions.yaml").read_text())
    template = {"Resources": resources()}
    alarms.add(template, functions)
    found = {
        name: one["Properties"]
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    return functions, found


def test_alarms_watch_what_is_told(alarmed):
    _, found = alarmed
    for one in found.values():
        names = {telemetry.NAMESPACE: telemetry.METRICS, **_OF_AWS}[one["Namespace"]]
        assert one["MetricName"] in names
        assert one["TreatMissingData"] == "notBreaching"
        assert ("Statistic" in one) is not ("ExtendedStatistic" in one)


def test_every_function_and_every_queue_has_its_alarms(alarmed):
    functions, found = alarmed
    for name in functions:
        assert {f"{name}ErrorsAlarm", f"{name}ThrottlesAlarm"} <= found.keys()
    queues = [n for n, one in resources().items() if one["Type"] == "AWS::SQS::Queue"]
    for name in queues:
        watched = found[f"{name}Alarm"]
        assert watched["Dimensions"][0]["Value"] == {"Fn::GetAtt": [name, "QueueName"]}
        depth = "ApproximateNumberOfMessagesVisible"
        assert (watched["MetricName"] == depth) is name.endswith("Dead")
    assert {"EventsDeadLetteredAlarm", "RelayLagAlarm", "RelayIteratorAlarm"} <= set(
        found
    )
