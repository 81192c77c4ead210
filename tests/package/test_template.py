"""The finished template: wired, least privileged, agreeing with the code."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from chalicelib import config
from infra import template
from infra.package import ROOT, package
from infra.settings import DeployError, parameters_from, settings_from


@pytest.fixture(scope="session")
def artefact(tmp_path_factory):
    return package(lambda _: None, tmp_path_factory.mktemp("template") / "out")


def finish(artefact, **target: Any) -> Any:
    code = {"Bucket": "b", "Key": "k"}
    return template.finish(artefact, template.Target("test", **target), code)


@pytest.fixture
def aws(artefact):
    return finish(artefact)["Resources"]


def functions(resources: Any) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def test_each_function_has_a_role_of_its_own(aws):
    roles = [props["Role"]["Fn::GetAtt"][0] for props in functions(aws).values()]

    assert len(set(roles)) == len(roles) == 15
    assert all(aws[role]["Type"] == "AWS::IAM::Role" for role in roles)


def test_no_permission_is_a_wildcard_save_the_one_aws_cannot_scope(aws):
    found = [
        (action, statement["Resource"])
        for resource in aws.values()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    ]

    assert [action for action, _ in found if "*" in action] == []
    assert [action for action, resource in found if resource == "*"] == [
        "dynamodb:ListStreams"
    ]


def test_every_trigger_is_connected_to_what_resources_yaml_declares(aws):
    sources = {
        name: next(iter(props["Events"].values()))["Properties"]
        for name, props in functions(aws).items()
        if "Events" in props
    }

    assert sources["Relay"]["Stream"] == {"Fn::GetAtt": ["Table", "StreamArn"]}
    assert sources["Relay"]["BisectBatchOnFunctionError"] is True
    assert sources["Relay"]["MaximumRetryAttempts"] == 5
    assert sources["Relay"]["DestinationConfig"]["OnFailure"]
    assert sources["Route"]["Queue"] == {"Fn::GetAtt": ["RoutingQueue", "Arn"]}
    assert sources["FanOut"]["Queue"] == {"Fn::GetAtt": ["LiveQueue", "Arn"]}
    assert sources["Deliver"]["Queue"] == {"Fn::GetAtt": ["DeliveriesQueue", "Arn"]}
    assert sources["DeliverUrgent"]["Queue"] == {"Fn::GetAtt": ["UrgentQueue", "Arn"]}
    assert sources["Chores"]["Queue"] == {"Fn::GetAtt": ["ChoresQueue", "Arn"]}
    for name, queue in (("Work", "JobsQueue"), ("WorkScraping", "ScrapingQueue")):
        assert sources[name]["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}
        # One message is one job, which has the whole invocation.
        assert sources[name]["BatchSize"] == 1
        assert sources[name]["ScalingConfig"]["MaximumConcurrency"] > 1
    for name in ("Relay", "Route", "FanOut", "Chores", "Work", "WorkScraping"):
        assert sources[name]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert sources["Sweep"]["Schedule"] == "rate(1 minute)"


def test_functions_have_memory_and_time_of_their_own_choosing(aws):
    wishes = yaml.safe_load((ROOT / "infra" / "functions.yaml").read_text())

    for name, props in functions(aws).items():
        assert props["MemorySize"] == wishes[name]["memory"] >= 512
        assert props["Timeout"] == wishes[name]["timeout"]


def test_only_what_needs_a_layer_has_it(artefact, aws):
    layers = {name: props.get("Layers") for name, props in functions(aws).items()}

    assert {name: found for name, found in layers.items() if found} == {
        "APIHandler": [{"Ref": "DrawingLayer"}, {"Ref": "SearchingLayer"}],
        "WorkScraping": [{"Ref": "ScrapingLayer"}],
    }
    for name in ("drawing", "scraping", "searching"):
        content = aws[f"{name.title()}Layer"]["Properties"]["Content"]
        assert content == {"S3Bucket": "b", "S3Key": artefact.layers[name].name}


def test_what_can_be_made_again_expires_and_graphs_do_not(aws):
    rules = aws["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules}

    assert (days["rendered/"], days["uploads/"]) == (30, 1)
    assert "graphs/" not in days


def test_queues_have_dead_letters_and_wait_longer_than_their_functions_run(aws):
    wishes = yaml.safe_load((ROOT / "infra" / "functions.yaml").read_text())
    default = finish_parameters()["QueueVisibility"]["Default"]

    for name in (
        "RoutingQueue",
        "LiveQueue",
        "DeliveriesQueue",
        "UrgentQueue",
        "ChoresQueue",
    ):
        properties = aws[name]["Properties"]
        assert properties["RedrivePolicy"]["maxReceiveCount"] == 5
        assert properties["VisibilityTimeout"] == {"Ref": "QueueVisibility"}
    for name in ("JobsQueue", "ScrapingQueue"):
        properties = aws[name]["Properties"]
        assert properties["RedrivePolicy"]["maxReceiveCount"] == 5
        assert properties["VisibilityTimeout"] == {"Ref": "JobsVisibility"}
    # AWS refuses a queue whose messages come back while they are worked on; no function
    # may take longer than this.
    hidden = finish_parameters()["JobsVisibility"]["Default"]
    assert (
        hidden > wishes["Work"]["timeout"] == wishes["WorkScraping"]["timeout"] == 900
    )
    assert default >= 6 * max(
        wishes[name]["timeout"] for name in ("Route", "FanOut", "Chores")
    )


def finish_parameters() -> Any:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _, node: node.value)
    text = (ROOT / "infra" / "resources.yaml").read_text()
    return yaml.load(text, Loader=Loader)["Parameters"]


def test_state_is_private_encrypted_and_recoverable(aws):
    table, bucket = aws["Table"]["Properties"], aws["Bucket"]["Properties"]

    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    assert {r["DeletionPolicy"] for r in (aws["Table"], aws["Bucket"])} == {"Retain"}


def test_the_environment_is_all_that_the_settings_ask_for(aws):
    (environment,) = {
        repr(sorted(props["Environment"]["Variables"].items())): props
        for props in functions(aws).values()
    }.values()
    variables = environment["Environment"]["Variables"]

    settings = config.from_environment(dict.fromkeys(variables, "7"))

    assert settings.table == "7"


def test_a_secret_reaches_only_functions_that_name_it(artefact):
    settings = {**dict.fromkeys(template.SECRETS, "hunter2"), "EVENTYARD_X": "y"}
    wishes = yaml.safe_load((ROOT / "infra" / "functions.yaml").read_text())

    made = functions(finish(artefact, settings=settings)["Resources"])

    for name, properties in made.items():
        variables = properties["Environment"]["Variables"]
        assert variables["EVENTYARD_X"] == "y"
        wanted = set(wishes[name].get("secrets", ())) - {"EmbeddingKey"}
        assert template.SECRETS & variables.keys() == wanted, name
    assert template.told(settings, {"secrets": ["GEMINI_API_KEY"]}) == {
        "EVENTYARD_X": "y",
        "GEMINI_API_KEY": "hunter2",
    }


@pytest.mark.parametrize(
    ("vendor", "key"),
    [("gemini", {"GEMINI_API_KEY"}), ("openai", {"OPENAI_API_KEY"}), ("local", set())],
)
def test_who_makes_vectors_is_given_its_vendors_key_alone(vendor, key):
    settings = dict.fromkeys(template.SECRETS, "hunter2")
    settings["EVENTYARD_EMBEDDINGS"] = vendor
    wish = yaml.safe_load((ROOT / "infra" / "functions.yaml").read_text())["APIHandler"]

    given = template.told(settings, wish).keys() & template.SECRETS

    assert given - {"EVENTYARD_GITHUB_SECRET", "EVENTYARD_REDACTION_KEY"} == key


@pytest.mark.parametrize(
    ("chosen", "resources"),
    [
        (None, ["::foundation-model/amazon.nova-lite-v1:0"]),
        ("mistral.x-v1", ["::foundation-model/mistral.x-v1"]),
        (
            "us.amazon.nova-pro-v1:0",
            [
                ":${AWS::AccountId}:inference-profile/us.amazon.nova-pro-v1:0",
                ":*::foundation-model/amazon.nova-pro-v1:0",
            ],
        ),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/x", ["provisioned-model/x"]),
    ],
)
def test_a_model_of_bedrock_is_the_one_that_is_configured(chosen, resources):
    settings = {"EVENTYARD_BEDROCK_MODEL": chosen} if chosen else {}

    found = template._resource("Model", settings)
    found = found if isinstance(found, list) else [found]

    texts = [one if isinstance(one, str) else one["Fn::Sub"] for one in found]
    assert len(texts) == len(resources)
    for text, end in zip(texts, resources, strict=True):
        assert text.startswith("arn:")
        assert text.endswith(end)


def test_aws_gets_regional_gateways_and_is_closed_unless_told_otherwise(aws):
    variables = functions(aws)["APIHandler"]["Environment"]["Variables"]

    assert aws["RestAPI"]["Properties"]["EndpointConfiguration"]["Type"] == "REGIONAL"
    assert "WebsocketAPIDeployment" in aws
    assert "EVENTYARD_AUTH" not in variables
    assert config.from_environment(dict.fromkeys(variables, "7")).auth == "keys"


def test_an_emulator_gets_no_deployment_resource_and_its_own_live_endpoint(artefact):
    resources = finish(artefact, emulator="http://127.0.0.1:1")["Resources"]

    assert "WebsocketAPIDeployment" not in resources
    assert resources["WebsocketAPIStage"]["Properties"]["AutoDeploy"] is True
    variables = functions(resources)["Route"]["Environment"]["Variables"]
    endpoint = variables["EVENTYARD_LIVE_ENDPOINT"]["Fn::Sub"]
    assert endpoint.startswith("http://127.0.0.1:1/_aws/execute-api/")


def test_settings_of_the_local_run_alone_do_not_reach_functions():
    environment = {
        "EVENTYARD_AUTH": "keys",
        "EVENTYARD_JWT_ISSUER": "https://id.test",
        "EVENTYARD_PORT": "1",
        "EVENTYARD_LOG_SHARDS": "4",
        "EVENTYARD_RETENTION_DAYS": "9",
        "HOME": "/root",
    }

    assert settings_from(environment) == {
        "EVENTYARD_AUTH": "keys",
        "EVENTYARD_JWT_ISSUER": "https://id.test",
        "EVENTYARD_LOG_SHARDS": "4",
    }
    assert parameters_from(environment, "prod") == {
        "Stage": "prod",
        "RetentionDays": "9",
    }


def test_gemini_reaches_functions_and_is_not_deployed_without_its_key():
    key = {"GEMINI_API_KEY": "k", "GEMINI_AI_MODEL": "m", "GEMINI_OTHER": "o"}

    assert settings_from({**key, "EVENTYARD_ANALYST": "gemini"}) == {
        "EVENTYARD_ANALYST": "gemini",
        "GEMINI_API_KEY": "k",
        "GEMINI_AI_MODEL": "m",
    }
    with pytest.raises(DeployError, match="GEMINI_API_KEY"):
        settings_from({"EVENTYARD_ANALYST": "gemini"})


def test_vectors_of_a_vendor_are_not_deployed_without_its_key():
    told = {"EVENTYARD_EMBEDDINGS": "openai", "OPENAI_API_KEY": "k"}

    assert settings_from(told) == told
    assert settings_from({"EVENTYARD_EMBEDDINGS": "local"})
    for name in ("openai", "gemini"):
        with pytest.raises(DeployError, match="_API_KEY"):
            settings_from({"EVENTYARD_EMBEDDINGS": name})


def test_every_setting_is_in_the_example_with_its_default():
    example = (ROOT / ".env.example").read_text()

    for name in (
        "EVENTYARD_AI_PRICES",
        "EVENTYARD_AI_TOKENS",
        "EVENTYARD_ANALYST",
        "EVENTYARD_AUTH",
        "EVENTYARD_BEDROCK_MODEL",
        "EVENTYARD_BEDROCK_URL",
        "EVENTYARD_EMULATOR_LOG",
        "EVENTYARD_EMULATOR_PORT",
        "EVENTYARD_GEMINI_URL",
        "EVENTYARD_GITHUB_API",
        "EVENTYARD_GITHUB_TOKEN",
        "EVENTYARD_JWT_AUDIENCE",
        "EVENTYARD_JWT_ISSUER",
        "EVENTYARD_JWT_JWKS_URL",
        "EVENTYARD_LOG_SHARDS",
        "EVENTYARD_MAX_CLIENTS",
        "EVENTYARD_PORT",
        "EVENTYARD_QUEUE_VISIBILITY_S",
        "EVENTYARD_RENDERER",
        "EVENTYARD_RETENTION_DAYS",
        "EVENTYARD_STAGE",
        "EVENTYARD_STATE",
        "EVENTYARD_SWEEP_SECONDS",
        "EVENTYARD_URL",
        "EVENTYARD_API_KEY",
        "GEMINI_AI_MODEL",
        "GEMINI_API_KEY",
    ):
        assert f"{name}=" in example, name


def test_alarms_are_told_to_the_topic_that_is_named_and_on_aws_alone(artefact, aws):
    def alarms(resources):
        return [one for one in resources.values() if "Alarm" in one["Type"]]

    told = {
        "Fn::If": ["TellsOfAlarms", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]
    }
    assert len(alarms(aws)) > 40
    assert all(one["Properties"]["AlarmActions"] == told for one in alarms(aws))
    assert alarms(finish(artefact, emulator="http://a:1")["Resources"]) == []
    named = parameters_from({"EVENTYARD_ALARM_TOPIC": "arn:a"}, "test")
    assert named["AlarmTopic"] == "arn:a"
    assert settings_from({"EVENTYARD_ALARM_TOPIC": "arn:a"}) == {}


def test_functions_are_told_where_the_collector_is():
    told = {
        "EVENTYARD_OTLP_ENDPOINT": "http://a:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=b",
        "TELEMETRY_TRACE_SAMPLE_RATE": "0.5",
    }
    assert settings_from({**told, "OTEL_LOG_LEVEL": "debug"}) == told
