"""docs/howto/observe.md, run from top to bottom."""

from __future__ import annotations

import asyncio
import re

import pytest

from chalicelib import telemetry
from eventyard import Event
from eventyard.cache import CacheConfig
from eventyard.telemetry import shutdown_telemetry
from eventyard.testing import memory_router
from eventyard.transports.memory import Broker
from infra.settings import parameters_from, settings_from
from tests import howto
from tests.awaiting import until
from tests.otlp import Collector
from tests.steps import publish

_PAGE = "observe"


@pytest.fixture
def collector(monkeypatch):
    monkeypatch.delenv("EVENTYARD_URL", raising=False)
    Broker.forget()
    with Collector() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made
        shutdown_telemetry()
    Broker.forget()


def test_the_program_of_the_page_is_traced_and_counted(collector):
    scope = {}
    for block in howto.blocks(_PAGE, "python"):
        exec(block, scope)

    async def use():
        await scope["place"]()
        counting = asyncio.create_task(scope["count"](2))
        async with scope["client"] as client:
            await until(lambda: len(client._subscribing._desks) == 2)
            await client.publish_batch([("order.placed", {}), ("order.placed", {})])
            return await counting

    assert asyncio.run(scope["price"](None)) == 6
    assert asyncio.run(use()) == 2
    assert len(scope["shipped"]) == 3
    shutdown_telemetry()

    (checkout,) = collector.named("checkout")
    handled = collector.named("handle order.placed")
    assert checkout.span_id in {span.parent_id for span in handled}
    assert collector.named("order.price")[0].attributes["currency"] == "EUR"
    assert collector.total("order.discount.time") == 1
    assert collector.total("agent.run.duration", agent_id="1") == 1
    assert collector.total("llm.tokens.prompt", model="nova-lite") == 900


def test_the_program_of_the_page_reports_what_the_platform_shows(
    collector, http, platform, pump
):
    scope = {}
    for block in howto.blocks(_PAGE, "python"):
        exec(block, scope)

    async def use():
        async with memory_router() as router, router.client() as client:
            with scope["CacheManager"](CacheConfig(enabled=False)) as cache:
                await scope["work"](client, cache)
            await client.flush()
            return router.events

    publish(platform, *[one.to_dict() for one in asyncio.run(use())])
    pump.run()

    (told,) = http.get("/api/v1/figures").json()["processes"]
    assert (told["process"], told["ended"]) == ("pricing", True)
    assert (told["telemetry"]["traces"], told["cache"]["enabled"]) == (True, False)


def test_the_requests_of_the_page_are_answered_as_it_says(http):
    install, figures, publishing = howto.blocks(_PAGE, "console")
    assert "otel" in install
    first, second = publishing.split("\n$ ", 1)
    command, answer = first.removeprefix("$ ").split("\n", 1)
    header = re.search(r"-H 'traceparent: (\S+)'", command)[1]
    body = re.search(r"--json '(.*)'", command)[1]
    made = http.post("/api/v1/events", body, traceparent=header)
    assert made.status == 201
    assert howto.fits(answer, made.json())
    howto.run(http, "$ " + second)
    howto.run(http, figures)


def test_the_settings_of_the_page_reach_the_functions_and_the_stack():
    text = "\n".join(howto.blocks(_PAGE, "sh"))
    named = dict(re.findall(r"export (\w+)=(\S+)", text))
    told = telemetry.from_environment(settings_from(named))
    assert (told.endpoint, told.rate) == ("http://localhost:4318", 0.05)
    assert parameters_from(named, "prod")["AlarmTopic"].startswith("arn:aws:sns:")


def test_the_page_names_every_metric():
    page = (howto.FOLDER / f"{_PAGE}.md").read_text()
    assert all(f"`{name}`" in page for name in telemetry.METRICS)


#: The blocks of Phase 5.3 of the document that this was made after.
_SEED = """
from eventyard.telemetry import setup_telemetry, trace_async_method
from eventyard.telemetry.metrics import agent_metrics

# Setup (app start)
setup_telemetry()  # Auto from env

class Agent:
    # Tracing
    @trace_async_method(name="agent.chat")
    async def chat(self, message):
        response = message.upper()
        return response

# Metrics
agent_metrics.record_run_duration(150.5, agent_id=1, success=True)
"""


def test_the_use_that_the_document_shows_is_traced_and_counted(collector):
    scope = {}
    exec(_SEED, scope)
    assert asyncio.run(scope["Agent"]().chat("hi")) == "HI"
    shutdown_telemetry()
    (span,) = collector.named("agent.chat")
    assert (span.service, span.attributes["class"]) == ("gathering", "Agent")
    assert collector.total("agent.run.duration", agent_id="1", success="True") == 1


def test_it_runs_without_anything_set_up_as_well(monkeypatch):
    monkeypatch.setenv("TELEMETRY_ENABLED", "false")
    scope = {}
    exec(_SEED, scope)
    assert asyncio.run(scope["Agent"]().chat("hi")) == "HI"
    assert Event("a.b").headers == {}
