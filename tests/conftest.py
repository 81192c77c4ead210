"""
One chain of fixtures: `aws_account` (session) -> `platform` (clean state) -> `http`.

Everything comes from infra/resources.yaml through CloudFormation on moto, so that
tests cannot drift from what is deployed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator

import pytest

from tests.calls import Calls
from tests.fakes import Clock, FakeGateway
from tests.properties import is_property, prepare
from tests.pump import Pump
from tests.receiver import Receiver

for name in list(os.environ):
    if (
        name.startswith(("EVENTYARD_", "AWS_", "OTEL_", "TELEMETRY_"))
        and name != "AWS_CA_BUNDLE"
    ):
        del os.environ[name]
os.environ |= {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    # Without it moto keeps accounts apart in a way that leaves streams unimplemented.
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "EVENTYARD_AUTH": "open",
}

prepare()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark property tests, which `make soak` tries more often."""
    for item in items:
        if is_property(item):
            item.add_marker("property")


@pytest.fixture(scope="session")
def aws_account() -> Iterator[dict[str, str]]:
    """Stand up the stack's resources on moto once; return the stack's outputs."""
    from moto import mock_aws

    from tests.cheapmoto import answer_with_what_is_there, copy_only_what_changes
    from tests.stack import create_stack

    copy_only_what_changes()
    answer_with_what_is_there()
    with mock_aws():
        yield create_stack()


@pytest.fixture
def settings(aws_account, monkeypatch):
    from chalicelib import config
    from tests.stack import environment_of

    for name, value in environment_of(aws_account).items():
        monkeypatch.setenv(name, value)
    return config.from_environment()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """Where frames go; each is held to the AsyncAPI document."""
    from tests.contract import live_contract

    kept = FakeGateway()
    yield kept
    for text in [text for texts in kept.posted.values() for text in texts]:
        live_contract().check(json.loads(text))


@pytest.fixture(scope="session")
def service_models(aws_account):
    """botocore's descriptions of the services, read once for all tests."""
    from botocore.session import get_session

    return get_session().get_component("data_loader")


@pytest.fixture
def platform(settings, gateway, service_models):
    """The real platform on moto, with nothing in it; frames go to `gateway`."""
    from chalicelib import bootstrap
    from tests.cheapmoto import empty

    empty(settings.table, settings.bucket)
    bootstrap.platform.cache_clear()
    made = bootstrap.platform()
    made.aws.session.register_component("data_loader", service_models)
    made.__dict__["gateway"] = gateway
    yield made
    bootstrap.platform.cache_clear()


@pytest.fixture
def clock(platform) -> Clock:
    """The platform's time, which stands still until a test moves it."""
    stopped = Clock(float(int(time.time())))
    platform.log.clock = stopped
    platform.events.claims.clock = stopped
    platform.connections.clock = stopped
    platform._delivery.clock = stopped
    platform.gatekeeper.clock = stopped
    platform.keys.clock = stopped
    platform.tickets.clock = stopped
    platform.schemas.clock = stopped
    platform._marks.clock = stopped
    platform._stragglers.clock = stopped
    platform._causes.clock = stopped
    platform.reports.clock = stopped
    platform.tally.clock = stopped
    platform.traffic.clock = stopped
    platform.agenda.clock = stopped
    platform.sources.clock = stopped
    platform.circles.clock = stopped
    platform.pulls.deliveries.clock = stopped
    platform.pulls.store.clock = stopped
    jobs = platform.jobs
    for part in (jobs.store, jobs.counts, jobs.rows, jobs.workers, jobs.gaps):
        part.clock = stopped
    memories = platform.memories
    for part in (memories.store, memories.files, memories.compactor):
        part.clock = stopped
    subscribed = platform.subscribed
    for part in (
        subscribed.store,
        subscribed.rows,
        subscribed.courier,
        subscribed.dispatcher,
        subscribed.throttle,
        subscribed.deliverer,
        subscribed.groups,
        subscribed.walks,
        subscribed.service,
        subscribed.targets.webhooks,
    ):
        part.clock = stopped
    return stopped


@pytest.fixture
def calls(platform) -> Calls:
    """Every AWS call that the platform makes from here on."""
    made = Calls(platform.aws)
    # What a process reads every ten seconds is no part of any one call.
    platform.schemas.current()
    made.clear()
    return made


@pytest.fixture
def locked(platform):
    """The same platform where EVENTYARD_AUTH=keys."""
    platform.settings = dataclasses.replace(platform.settings, auth="keys")
    platform.gatekeeper.mode = "keys"
    return platform


@pytest.fixture
def pump(platform) -> Pump:
    """Carries events through stream, relay, topic, queues and handlers, step by step."""
    return Pump(platform)


@pytest.fixture
def receiver(platform) -> Iterator[Receiver]:
    """A webhook receiver on loopback, which is allowed here."""
    platform.subscribed.guard.__init__("127.0.0.1")
    with Receiver() as made:
        yield made


@pytest.fixture
def http(platform):
    """The deployed application's HTTP interface, in process."""
    from chalice.test import Client

    from app import app
    from tests.http import Http

    # A stage that is not in the configuration: another one's environment would win.
    with Client(app, stage_name="test") as client:
        yield Http(client)
