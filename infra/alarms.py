"""What CloudWatch watches, on AWS: each queue, each function, the way of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chalicelib.telemetry import NAMESPACE

Template = dict[str, Any]

_TELLS: Final = "TellsOfAlarms"
_DEAD: Final = "Dead"
#: How old the oldest message of a queue may be, in seconds; long work may lie longer.
_OLDEST_S: Final = 300
_OLDEST_LONG_S: Final = 3_600
_LONG: Final = frozenset({"ChoresQueue", "InsightsQueue", "JobsQueue", "ScrapingQueue"})
#: How far the relay may be behind.
_LAG_MS: Final = 60_000


def add(template: Template, functions: Mapping[str, Any]) -> None:
    """Add an alarm for everything in a template that somebody should hear of."""
    template.setdefault("Conditions", {})[_TELLS] = {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]
    }
    found = {**_of_events(), **dict(_of_functions(functions))}
    found |= dict(_of_queues(template["Resources"]))
    template["Resources"] |= found


def _of_events() -> Template:
    by_stage = {"Stage": {"Ref": "Stage"}}
    return {
        "EventsDeadLetteredAlarm": _alarm(
            "An event was given up: eventyard dlq list",
            _metric(NAMESPACE, "EventsDeadLettered", by_stage, "Sum"),
        ),
        "RelayLagAlarm": _alarm(
            "Events wait a minute and more before they are on their way",
            _metric(NAMESPACE, "RelayLag", by_stage, "p99"),
            above=_LAG_MS,
            periods=3,
        ),
        "RelayIteratorAlarm": _alarm(
            "The relay is a minute and more behind the log's stream",
            _metric("AWS/Lambda", "IteratorAge", _function("relay"), "Maximum"),
            above=_LAG_MS,
            periods=3,
        ),
    }


def _of_functions(functions: Mapping[str, Any]) -> Iterator[tuple[str, Template]]:
    for logical_id, wish in functions.items():
        name = wish["name"]
        for metric, what in (("Errors", "failed"), ("Throttles", "was held back")):
            yield (
                f"{logical_id}{metric}Alarm",
                _alarm(
                    f"The function {name} {what}",
                    _metric("AWS/Lambda", metric, _function(name), "Sum", 300),
                ),
            )


def _of_queues(resources: Template) -> Iterator[tuple[str, Template]]:
    for logical_id, resource in resources.items():
        if resource["Type"] != "AWS::SQS::Queue":
            continue
        queue = {"QueueName": {"Fn::GetAtt": [logical_id, "QueueName"]}}
        if logical_id.endswith(_DEAD):
            depth = "ApproximateNumberOfMessagesVisible"
            metric = _metric("AWS/SQS", depth, queue, "Maximum")
            yield (
                f"{logical_id}Alarm",
                _alarm("A message between functions was given up", metric),
            )
        else:
            age = "ApproximateAgeOfOldestMessage"
            most = _OLDEST_LONG_S if logical_id in _LONG else _OLDEST_S
            yield (
                f"{logical_id}Alarm",
                _alarm(
                    f"A message has waited for {most} s and more",
                    _metric("AWS/SQS", age, queue, "Maximum"),
                    above=most,
                    periods=3,
                ),
            )


def _function(name: str) -> Template:
    return {"FunctionName": {"Fn::Sub": f"eventyard-${{Stage}}-{name}"}}


def _metric(
    namespace: str,
    name: str,
    dimensions: Mapping[str, Any],
    statistic: str,
    period_s: int = 60,
) -> Template:
    # Percentiles are another property than the other statistics.
    kind = "ExtendedStatistic" if statistic.startswith("p") else "Statistic"
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
        "Period": period_s,
        kind: statistic,
    }


def _alarm(
    what: str, metric: Mapping[str, Any], *, above: float = 0, periods: int = 1
) -> Template:
    told = {"Fn::If": [_TELLS, [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": what,
            **metric,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": above,
            "EvaluationPeriods": periods,
            # Where nothing happens, nothing is wrong.
            "TreatMissingData": "notBreaching",
            "AlarmActions": told,
            "OKActions": told,
        },
    }
