"""infra/resources.yaml on moto."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import boto3
import yaml

_ROOT = Path(__file__).parent.parent
_NAME = "eventyard-test"


def create_stack() -> dict[str, str]:
    """Create the stack; what moto's CloudFormation skips is made from the same file."""
    formation = boto3.client("cloudformation")
    formation.create_stack(
        StackName=_NAME,
        TemplateBody=(_ROOT / "infra" / "resources.yaml").read_text(),
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": "test"}],
    )
    stack = formation.describe_stacks(StackName=_NAME)["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    _subscribe(outputs)
    return outputs


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the name they mention."""


_Loader.add_multi_constructor("!", lambda loader, _, node: str(node.value))


def resources() -> dict[str, Any]:
    """Return the resources as written, `!Ref X` and `!GetAtt X.Y` as plain text."""
    text = (_ROOT / "infra" / "resources.yaml").read_text()
    return yaml.load(text, Loader=_Loader)["Resources"]


def _subscribe(outputs: dict[str, str]) -> None:
    sqs = boto3.client("sqs")
    for resource in resources().values():
        if resource["Type"] != "AWS::SNS::Subscription":
            continue
        properties = resource["Properties"]
        queue = properties["Endpoint"].partition(".")[0]
        arn = sqs.get_queue_attributes(
            QueueUrl=outputs[f"{queue}Url"], AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        boto3.client("sns").subscribe(
            TopicArn=outputs[f"{properties['TopicArn']}Arn"],
            Protocol=properties["Protocol"],
            Endpoint=arn,
            Attributes={
                "RawMessageDelivery": str(properties["RawMessageDelivery"]).lower(),
                **(
                    {"FilterPolicy": json.dumps(properties["FilterPolicy"])}
                    if "FilterPolicy" in properties
                    else {}
                ),
            },
        )


def environment_of(outputs: dict[str, str]) -> dict[str, str]:
    """Return what infra/template.py would put into a function's environment."""
    return {
        "EVENTYARD_STAGE": "test",
        "EVENTYARD_TABLE": outputs["TableName"],
        "EVENTYARD_BUCKET": outputs["BucketName"],
        "EVENTYARD_TOPIC_ARN": outputs["TopicArn"],
        "EVENTYARD_ROUTING_QUEUE_URL": outputs["RoutingQueueUrl"],
        "EVENTYARD_ROUTING_DEAD_URL": outputs["RoutingDeadUrl"],
        "EVENTYARD_LIVE_QUEUE_URL": outputs["LiveQueueUrl"],
        "EVENTYARD_LIVE_DEAD_URL": outputs["LiveDeadUrl"],
        "EVENTYARD_RELAY_DEAD_URL": outputs["RelayDeadUrl"],
        "EVENTYARD_DELIVERIES_QUEUE_URL": outputs["DeliveriesQueueUrl"],
        "EVENTYARD_DELIVERIES_DEAD_URL": outputs["DeliveriesDeadUrl"],
        "EVENTYARD_URGENT_QUEUE_URL": outputs["UrgentQueueUrl"],
        "EVENTYARD_URGENT_DEAD_URL": outputs["UrgentDeadUrl"],
        "EVENTYARD_CHORES_QUEUE_URL": outputs["ChoresQueueUrl"],
        "EVENTYARD_CHORES_DEAD_URL": outputs["ChoresDeadUrl"],
        "EVENTYARD_PULLS_QUEUE_URL": outputs["PullsQueueUrl"],
        "EVENTYARD_PULLS_DEAD_URL": outputs["PullsDeadUrl"],
        "EVENTYARD_INSIGHTS_QUEUE_URL": outputs["InsightsQueueUrl"],
        "EVENTYARD_INSIGHTS_DEAD_URL": outputs["InsightsDeadUrl"],
        "EVENTYARD_JOBS_QUEUE_URL": outputs["JobsQueueUrl"],
        "EVENTYARD_JOBS_DEAD_URL": outputs["JobsDeadUrl"],
        "EVENTYARD_SCRAPING_QUEUE_URL": outputs["ScrapingQueueUrl"],
        "EVENTYARD_SCRAPING_DEAD_URL": outputs["ScrapingDeadUrl"],
    }


@functools.cache
def client(name: str) -> Any:
    """Return a client of a service, made once: making one costs 20 ms."""
    return boto3.client(name)
