"""Deploy the stack by CloudFormation: to AWS, or to anything that speaks like it."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import botocore.exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from infra import template
from infra.package import BUILD, Artefact, Say, package
from infra.settings import DeployError, parameters_from, settings_from

#: What a deployment needs of an emulator, each with a call that changes nothing.
_PROBES: Final = {
    "apigateway": "get_rest_apis",
    "apigatewayv2": "get_apis",
    "cloudformation": "list_stacks",
    "dynamodb": "list_tables",
    "dynamodbstreams": "list_streams",
    "events": "list_rules",
    "iam": "list_roles",
    "lambda": "list_functions",
    "logs": "describe_log_groups",
    "s3": "list_buckets",
    "sns": "list_topics",
    "sqs": "list_queues",
}
_NOT_IMPLEMENTED: Final = 501
_FINGERPRINT: Final = "eventyard:fingerprint"
_POLL_SECONDS: Final = 0.25
_DEPLOY_SECONDS: Final = 900


#: What boto3 raises: the one when AWS says no, the other when it never got there.
AWS_ERRORS: Final = (
    botocore.exceptions.ClientError,
    botocore.exceptions.BotoCoreError,
)


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its name and its outputs."""

    name: str
    outputs: Mapping[str, str]
    #: False when it was as it should be already.
    changed: bool


class Deployer:
    """Puts one artefact into one account of AWS or of an emulator."""

    def __init__(self, emulator: str, say: Say) -> None:
        self.emulator = emulator.rstrip("/")
        self.say = say
        self._session = _session(self.emulator)

    def client(self, service: str, **options: Any) -> Any:
        """Return a client for the target."""
        return self._session.client(service, **options)

    def deploy(
        self,
        artefact: Artefact,
        target: template.Target,
        parameters: Mapping[str, str],
    ) -> Stack:
        """Create or update the stack; does nothing when it is as it should be."""
        name = f"eventyard-{target.stage}"
        bucket = self._bucket(target.stage)
        code = {"Bucket": bucket, "Key": f"{artefact.digest}.zip"}
        finished = template.finish(artefact, target, code)
        mark = template.fingerprint(finished, parameters)
        found = self._describe(name)
        if found and _tags(found).get(_FINGERPRINT) == mark and _is_settled(found):
            return Stack(name, _outputs(found), changed=False)
        url = self._upload(artefact, finished, bucket, code["Key"])
        self._apply(name, url, mark, parameters, exists=found is not None)
        return Stack(name, _outputs(self._describe(name) or {}), changed=True)

    def find(self, stage: str) -> Stack | None:
        """Return the stack as it is deployed now."""
        found = self._describe(f"eventyard-{stage}")
        return Stack(f"eventyard-{stage}", _outputs(found), False) if found else None

    def _bucket(self, stage: str) -> str:
        account = self.client("sts").get_caller_identity()["Account"]
        region = self.client("s3").meta.region_name
        name = f"eventyard-{stage}-code-{account}-{region}"
        s3 = self.client("s3")
        try:
            s3.head_bucket(Bucket=name)
        except botocore.exceptions.ClientError:
            place = {"LocationConstraint": region}
            extra = (
                {} if region == "us-east-1" else {"CreateBucketConfiguration": place}
            )
            s3.create_bucket(Bucket=name, **extra)
            s3.put_public_access_block(
                Bucket=name,
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
            )
        return name

    def _upload(self, artefact: Artefact, finished: Any, bucket: str, key: str) -> str:
        self.say("Uploading the code")
        s3 = self.client("s3")
        s3.upload_file(str(artefact.zip_path), bucket, key)
        for path in artefact.layers.values():
            self._upload_once(path, bucket)
        name = f"{artefact.digest}.json"
        s3.put_object(Bucket=bucket, Key=name, Body=json.dumps(finished).encode())
        url = s3.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": name}
        )
        return str(url).partition("?")[0]

    def _upload_once(self, path: Path, bucket: str) -> None:
        # Named after what it is made of: what is there already is the same.
        s3 = self.client("s3")
        try:
            s3.head_object(Bucket=bucket, Key=path.name)
        except botocore.exceptions.ClientError:
            s3.upload_file(str(path), bucket, path.name)

    def _apply(
        self,
        name: str,
        url: str,
        mark: str,
        parameters: Mapping[str, str],
        *,
        exists: bool,
    ) -> None:
        formation = self.client("cloudformation")
        call = formation.update_stack if exists else formation.create_stack
        self.say("Updating the stack" if exists else "Creating the stack")
        try:
            call(
                StackName=name,
                TemplateURL=url,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                Tags=[{"Key": _FINGERPRINT, "Value": mark}],
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()
                ],
            )
        except botocore.exceptions.ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise DeployError(f"CloudFormation refused the stack: {error}") from error
        self._wait(name)

    def _wait(self, name: str) -> None:
        until = time.monotonic() + _DEPLOY_SECONDS
        told: set[str] = set()
        while time.monotonic() < until:
            found = self._describe(name) or {}
            status = found.get("StackStatus", "")
            self._tell_progress(name, told)
            if status.endswith("_COMPLETE") and "ROLLBACK" not in status:
                return
            if status.endswith(("_FAILED", "ROLLBACK_COMPLETE")):
                raise DeployError(f"The stack is {status}.\n{self._reasons(name)}")
            time.sleep(_POLL_SECONDS if self.emulator else 3)
        raise DeployError(f"The stack was not ready after {_DEPLOY_SECONDS} s.")

    def _tell_progress(self, name: str, told: set[str]) -> None:
        for resource in self._resources(name):
            logical_id = resource["LogicalResourceId"]
            if (
                resource["ResourceStatus"].endswith("_COMPLETE")
                and logical_id not in told
            ):
                told.add(logical_id)
        self.say(f"  {len(told)} resources stand")

    def _resources(self, name: str) -> list[Any]:
        formation = self.client("cloudformation")
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
        return [one for page in pages for one in page["StackResourceSummaries"]]

    def _reasons(self, name: str) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=name)
        failed = [
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '?')}"
            for event in events["StackEvents"]
            if event["ResourceStatus"].endswith("FAILED")
        ]
        return "\n".join(failed)

    def _describe(self, name: str) -> Any:
        try:
            found = self.client("cloudformation").describe_stacks(StackName=name)
        except botocore.exceptions.ClientError:
            return None
        return found["Stacks"][0]


def _session(emulator: str) -> Any:
    if not emulator:
        import boto3

        return boto3.session.Session()
    from localstack_client.session import Session  # type: ignore[import-untyped]

    os.environ["AWS_ENDPOINT_URL"] = emulator
    return Session(
        # What emulators take for the account's root.
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    )


def _outputs(found: Any) -> dict[str, str]:
    outputs = found.get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _tags(found: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}


def _is_settled(found: Any) -> bool:
    return found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def check_emulator(deployer: Deployer) -> None:
    """
    Raise DeployError unless the emulator answers and has what a deployment needs.

    Emulators answer 501 for what they do not have; any other answer is one.
    """
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10)
    probes = {
        name: getattr(deployer.client(name, config=once), call)
        for name, call in _PROBES.items()
    }
    with ThreadPoolExecutor(len(probes)) as pool:
        found = pool.map(lambda probe: _answers(probe, deployer), probes.values())
        missing = [name for name, has in zip(probes, found, strict=True) if not has]
    if missing:
        raise DeployError(
            f"The emulator at {deployer.emulator} lacks {', '.join(missing)}: the "
            "stack needs them. `make run` brings an emulator that has them all."
        )


def _answers(probe: Callable[[], Any], deployer: Deployer) -> bool:
    try:
        probe()
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status != _NOT_IMPLEMENTED
    except botocore.exceptions.ConnectionError as error:
        raise DeployError(
            f"No emulator answers at {deployer.emulator}. Start one, or unset "
            "AWS_ENDPOINT_URL to deploy to AWS."
        ) from error
    except (botocore.exceptions.BotoCoreError, ResponseParserError):
        # An answer, if an odd one.
        return True
    return True


def main(arguments: list[str] | None = None) -> None:
    """Deploy from the command line: `make deploy STAGE=...`."""
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("--stage", default=os.environ.get("EVENTYARD_STAGE", "dev"))
    parser.add_argument("--template-only", action="store_true", help="write, stop")
    chosen = parser.parse_args(arguments)
    emulator = os.environ.get("AWS_ENDPOINT_URL", "")
    try:
        if chosen.template_only:
            print(_write_template(chosen.stage))
            return
        stack = _deploy(chosen.stage, emulator)
    except (DeployError, *AWS_ERRORS) as error:
        raise SystemExit(f"Not deployed: {error}") from None
    print(f"{stack.name} is {'deployed' if stack.changed else 'up to date'}:")
    for name, value in _addresses(stack, emulator).items():
        print(f"  {name:10} {value}")


def _write_template(stage: str) -> Path:
    artefact = package(lambda _: None)
    code = {"Bucket": "eventyard-code", "Key": f"{artefact.digest}.zip"}
    finished = template.finish(artefact, template.Target(stage), code)
    return template.write(finished, BUILD / "out" / "stack.yaml")


def _deploy(stage: str, emulator: str) -> Stack:
    environment = dict(os.environ)
    say: Callable[[str], None] = print
    deployer = Deployer(emulator, say)
    if emulator:
        check_emulator(deployer)
        environment.setdefault("EVENTYARD_AUTH", "open")
    elif environment.get("EVENTYARD_AUTH") == "open":
        raise DeployError(
            "EVENTYARD_AUTH=open is for local use: on AWS anybody could publish and "
            "read. Unset it, deploy, then `make key STAGE=...` makes a key."
        )
    target = template.Target(stage, emulator, settings_from(environment))
    return deployer.deploy(package(say), target, parameters_from(environment, stage))


def _addresses(stack: Stack, emulator: str) -> dict[str, str]:
    if not emulator:
        return {
            "HTTP": stack.outputs["EndpointURL"],
            "WebSocket": stack.outputs["WebsocketConnectEndpointURL"],
        }
    base = f"{emulator.rstrip('/')}/_aws/execute-api"
    stage = template.GATEWAY_STAGE
    return {
        "HTTP": f"{base}/{stack.outputs['RestAPIId']}/{stage}/",
        "WebSocket": f"{base}/{stack.outputs['WebsocketAPIId']}/{stage}".replace(
            "http", "ws", 1
        ),
    }


if __name__ == "__main__":
    main()
