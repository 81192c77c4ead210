"""Finish Chalice's template: what it cannot say, and one role for each function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from eventyard.rag.vendors import TITAN
from infra import alarms
from infra.package import ROOT, Artefact, architecture
from infra.settings import EMBEDDING_KEYS

Template = dict[str, Any]

#: The same as yaml.SafeLoader, seven times as fast where libyaml is there.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: API Gateway's stage, as .chalice/config.json names it.
GATEWAY_STAGE: Final = "api"
_LOG_DAYS: Final = 30
_RESOURCES: Final[dict[str, Any]] = {
    "Any": "*",
    "Bucket": {"Fn::GetAtt": ["Bucket", "Arn"]},
    "Connections": {
        "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}"
        f":${{WebsocketAPI}}/{GATEWAY_STAGE}/*/@connections/*"
    },
    "Exports": {"Fn::Sub": "${Bucket.Arn}/exports/*"},
    "Graphs": {"Fn::Sub": "${Bucket.Arn}/graphs/*"},
    "Memories": {"Fn::Sub": "${Bucket.Arn}/memories/*"},
    "Objects": {"Fn::Sub": "${Bucket.Arn}/payloads/*"},
    "Rendered": {"Fn::Sub": "${Bucket.Arn}/rendered/*"},
    "Uploads": {"Fn::Sub": "${Bucket.Arn}/uploads/*"},
    "Stream": {"Fn::GetAtt": ["Table", "StreamArn"]},
    "TargetQueues": {
        "Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}"
        ":${TargetQueues}*"
    },
    "Topic": {"Ref": "Topic"},
}
#: Variables that only functions are given that name them under `secrets`.
SECRETS: Final = frozenset(
    {
        "EVENTYARD_GITHUB_SECRET",
        "EVENTYARD_GITHUB_TOKEN",
        "EVENTYARD_REDACTION_KEY",
        "GEMINI_API_KEY",
        "OPENAI_API_KEY",
    }
)
_EMBEDDING_KEY: Final = "EmbeddingKey"
_NOT_FOUND: Final = (
    '{"error": {"code": "not_found", "message": "There is nothing at this address.", '
    '"details": {}}}'
)


@dataclass(frozen=True)
class Target:
    """
    Where the stack goes, as far as the template must know.

    `emulator` is the base address of an AWS emulator, empty for AWS itself.
    """

    stage: str
    emulator: str = ""
    #: Settings that functions are given: all, save secrets they do not need.
    settings: Mapping[str, str] = field(default_factory=dict)


def finish(artefact: Artefact, target: Target, code: Mapping[str, str]) -> Template:
    """
    Return the template to deploy.

    `code` says where the zip was put: `Bucket` and `Key`.
    """
    template: Template = yaml.load(artefact.template_path.read_text(), _LOADER)  # noqa: S506 - it is safe
    functions = yaml.safe_load((ROOT / "infra" / "functions.yaml").read_text())
    environment = _environment(target)
    for name, path in artefact.layers.items():
        layer = _layer(name, path, code["Bucket"])
        template["Resources"][f"{name.title()}Layer"] = layer
    for logical_id, wish in functions.items():
        _finish_function(template, logical_id, wish, environment, code)
    _check_complete(template, functions)
    _connect_stream(template)
    _connect_queue(template, "Route", "RoutingQueue")
    _connect_queue(template, "FanOut", "LiveQueue")
    _connect_queue(template, "Deliver", "DeliveriesQueue")
    _connect_queue(template, "DeliverUrgent", "UrgentQueue")
    _connect_queue(template, "Chores", "ChoresQueue")
    _connect_queue(template, "Follow", "PullsQueue")
    _connect_queue(template, "Analyse", "InsightsQueue")
    _connect_queue(template, "Work", "JobsQueue")
    _connect_queue(template, "WorkScraping", "ScrapingQueue")
    _finish_gateways(template, target)
    if not target.emulator:
        # On a laptop nobody is called at night, and the stack stands a second sooner.
        alarms.add(template, functions)
    return template


def fingerprint(template: Template, parameters: Mapping[str, str]) -> str:
    """Return a name for everything that a deployment depends on."""
    text = json.dumps([template, dict(parameters)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def write(template: Template, path: Path) -> Path:
    """Write the finished template beside the artefact."""
    path.write_text(yaml.safe_dump(template, sort_keys=True))
    return path


#: Each with its dead letters.
_QUEUES: Final = (
    *("Routing", "Live", "Deliveries", "Urgent", "Chores"),
    *("Pulls", "Insights", "Jobs", "Scraping"),
)


def _environment(target: Target) -> dict[str, Any]:
    live = f"${{WebsocketAPI}}/{GATEWAY_STAGE}"
    local = {
        "EVENTYARD_LIVE_ENDPOINT": {
            "Fn::Sub": f"{target.emulator}/_aws/execute-api/{live}"
        }
    }
    remote = {
        "EVENTYARD_LIVE_URL": {
            "Fn::Sub": "wss://${WebsocketAPI}.execute-api.${AWS::Region}."
            f"${{AWS::URLSuffix}}/{GATEWAY_STAGE}"
        }
    }
    return {
        **target.settings,
        **(local if target.emulator else remote),
        "EVENTYARD_STAGE": {"Ref": "Stage"},
        "EVENTYARD_RETENTION_DAYS": {"Ref": "RetentionDays"},
        "EVENTYARD_TARGET_QUEUES": {"Ref": "TargetQueues"},
        "EVENTYARD_TABLE": {"Ref": "Table"},
        "EVENTYARD_BUCKET": {"Ref": "Bucket"},
        "EVENTYARD_TOPIC_ARN": {"Ref": "Topic"},
        "EVENTYARD_RELAY_DEAD_URL": {"Ref": "RelayDead"},
        **{
            f"EVENTYARD_{name.upper()}_{kind.upper()}": {"Ref": f"{name}{suffix}"}
            for name in _QUEUES
            for kind, suffix in (("queue_url", "Queue"), ("dead_url", "Dead"))
        },
    }


def _finish_function(
    template: Template,
    logical_id: str,
    wish: Mapping[str, Any],
    environment: Mapping[str, Any],
    code: Mapping[str, str],
) -> None:
    name = {"Fn::Sub": f"eventyard-${{Stage}}-{wish['name']}"}
    resources = template["Resources"]
    properties = resources[logical_id]["Properties"]
    properties.update(
        FunctionName=name,
        MemorySize=wish["memory"],
        Timeout=wish["timeout"],
        CodeUri=dict(code),
        Layers=[{"Ref": name} for name in wish.get("layers", ())],
        Environment={"Variables": told(environment, wish)},
        Role={"Fn::GetAtt": [f"{logical_id}Role", "Arn"]},
    )
    resources[logical_id]["DependsOn"] = [f"{logical_id}Logs"]
    resources[f"{logical_id}Logs"] = {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "LogGroupName": {
                "Fn::Sub": f"/aws/lambda/eventyard-${{Stage}}-{wish['name']}"
            },
            "RetentionInDays": _LOG_DAYS,
        },
    }
    resources[f"{logical_id}Role"] = _role(logical_id, wish["allow"], environment)


def told(environment: Mapping[str, Any], wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function is told: no secret that it does not name."""
    named = {*wish.get("secrets", ())}
    if _EMBEDDING_KEY in named:
        # Whose it is depends on who makes the vectors; without a vendor there is none.
        named.add(EMBEDDING_KEYS.get(environment.get("EVENTYARD_EMBEDDINGS", ""), ""))
    kept = SECRETS - named
    return {name: value for name, value in environment.items() if name not in kept}


def _layer(name: str, path: Path, bucket: str) -> Template:
    return {
        "Type": "AWS::Lambda::LayerVersion",
        "Properties": {
            "LayerName": {"Fn::Sub": f"eventyard-${{Stage}}-{name}"},
            "Content": {"S3Bucket": bucket, "S3Key": path.name},
            "CompatibleArchitectures": [architecture()],
        },
    }


def _role(
    logical_id: str, allow: list[Any], environment: Mapping[str, Any]
) -> Template:
    logs = {"Fn::GetAtt": [f"{logical_id}Logs", "Arn"]}
    statements = [_allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs)]
    statements += [
        _allow(actions, _resource(name, environment)) for actions, name in allow
    ]
    principal = {"Service": "lambda.amazonaws.com"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": principal,
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "needs",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": statements,
                    },
                }
            ],
        },
    }


def _allow(actions: list[str], resource: Any) -> Template:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def _resource(name: str, environment: Mapping[str, Any]) -> Any:
    if name == "Model":
        chosen = environment.get("EVENTYARD_BEDROCK_MODEL")
        return _model(chosen or "amazon.nova-lite-v1:0")
    if name == "EmbeddingModel":
        return _model(environment.get("EVENTYARD_EMBEDDING_MODEL") or TITAN)
    return _RESOURCES.get(name, {"Fn::GetAtt": [name, "Arn"]})


def _model(name: str) -> Any:
    if name.startswith("arn:"):
        return name
    # A profile spreads calls over regions, and both it and the model are asked for.
    area, _, rest = name.partition(".")
    arn = "arn:${AWS::Partition}:bedrock"
    if area not in ("us", "eu", "apac", "global"):
        return {"Fn::Sub": f"{arn}:${{AWS::Region}}::foundation-model/{name}"}
    profile = f"{arn}:${{AWS::Region}}:${{AWS::AccountId}}:inference-profile/{name}"
    every = f"{arn}:*::foundation-model/{rest}"
    return [{"Fn::Sub": profile}, {"Fn::Sub": every}]


def _check_complete(template: Template, functions: Mapping[str, Any]) -> None:
    found = {
        logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    if found != set(functions):
        odd = ", ".join(sorted(found ^ set(functions)))
        raise SystemExit(f"app.py and infra/functions.yaml differ in: {odd}")


def _event(template: Template, logical_id: str) -> Template:
    events = template["Resources"][logical_id]["Properties"]["Events"]
    (source,) = events.values()
    properties: Template = source["Properties"]
    return properties


def _connect_stream(template: Template) -> None:
    pattern = {
        "eventName": ["INSERT"],
        "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "log#"}]}}},
    }
    _event(template, "Relay").update(
        Stream={"Fn::GetAtt": ["Table", "StreamArn"]},
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
        DestinationConfig={
            "OnFailure": {"Destination": {"Fn::GetAtt": ["RelayDead", "Arn"]}}
        },
    )


def _connect_queue(template: Template, logical_id: str, queue: str) -> None:
    _event(template, logical_id).update(
        Queue={"Fn::GetAtt": [queue, "Arn"]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )


def _finish_gateways(template: Template, target: Target) -> None:
    resources = template["Resources"]
    resources["RestAPI"]["Properties"].update(
        Name={"Fn::Sub": "eventyard-${Stage}"},
        EndpointConfiguration={"Type": "REGIONAL"},
        GatewayResponses={
            "MISSING_AUTHENTICATION_TOKEN": {
                "StatusCode": 404,
                "ResponseTemplates": {"application/json": _NOT_FOUND},
            }
        },
    )
    resources["WebsocketAPI"]["Properties"]["Name"] = {
        "Fn::Sub": "eventyard-${Stage}-live"
    }
    if target.emulator:
        # Emulators know no deployments of WebSocket APIs; they serve what is there.
        del resources["WebsocketAPIDeployment"]
        stage = resources["WebsocketAPIStage"]["Properties"]
        del stage["DeploymentId"]
        stage["AutoDeploy"] = True
