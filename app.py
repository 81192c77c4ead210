"""
What runs: every trigger of the platform, and nothing else.

HTTP addresses stand in chalicelib/api. Queue, stream, schedule and WebSocket
handlers stand here, because Chalice runs those of a blueprint without this module.
infra/template.py puts the real queue and stream in the place of the names below.
"""

from __future__ import annotations

from typing import Any

from chalice.app import (
    Chalice,
    CloudWatchEvent,
    DynamoDBEvent,
    Rate,
    SQSEvent,
    WebsocketEvent,
)

from chalicelib import telemetry
from chalicelib.api import FAMILIES, _endpoint
from chalicelib.bootstrap import platform

app = Chalice(app_name="eventyard")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.register_middleware(telemetry.each_invocation, "all")
app.register_middleware(_endpoint.one_shape, "http")
for family in FAMILIES:
    app.register_blueprint(family.routes.blueprint)


@app.on_dynamodb_record(stream_arn="log-stream", batch_size=100)
def relay(event: DynamoDBEvent) -> Any:
    """Carry new commits from the log to the topic."""
    return platform().relay.relay_stream(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:routing", batch_size=10)
def route(event: SQSEvent) -> Any:
    """Hand events to whoever wants them."""
    return platform().router.route(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:live", batch_size=10)
def fan_out(event: SQSEvent) -> Any:
    """Greet connections, and do the larger part of large fan-outs."""
    return platform().live.fan_out(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:deliveries", batch_size=10)
def deliver(event: SQSEvent) -> Any:
    """Deliver events to the targets of subscriptions."""
    return platform().subscribed.work.handle(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:urgent", batch_size=10)
def deliver_urgent(event: SQSEvent) -> Any:
    """Deliver what must not wait behind a backlog: priority 8 to 10."""
    return platform().subscribed.work.handle(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:chores", batch_size=1)
def chores(event: SQSEvent) -> Any:
    """Do what other functions left for later."""
    return platform().chores.run(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:pulls", batch_size=10)
def follow(event: SQSEvent) -> Any:
    """Work on what GitHub told of pull requests."""
    return platform().pulls.follower.follow(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:0:insights", batch_size=1)
def analyse(event: SQSEvent) -> Any:
    """Read what changed in a pull request, and say what it means."""
    return platform().pulls.insights.run(event.to_dict())


@app.on_sqs_message(
    queue_arn="arn:aws:sqs:us-east-1:0:jobs", batch_size=1, maximum_concurrency=20
)
def work(event: SQSEvent) -> Any:
    """Do a job that needs nothing special."""
    return platform().jobs.work.run(event.to_dict(), event.context)


@app.on_sqs_message(
    queue_arn="arn:aws:sqs:us-east-1:0:scraping", batch_size=1, maximum_concurrency=20
)
def work_scraping(event: SQSEvent) -> Any:
    """Do a job that scrapes."""
    return platform().jobs.scraping.run(event.to_dict(), event.context)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(_: CloudWatchEvent) -> Any:
    """Repair what a crash or a silent stream left undone."""
    return platform().sweep()


@app.on_ws_connect()
def live_connect(event: WebsocketEvent) -> Any:
    """Admit a live connection."""
    return platform().live.connect(event.to_dict())


@app.on_ws_message()
def live_message(event: WebsocketEvent) -> Any:
    """Answer what a client says."""
    platform().live.receive(event.connection_id, event.to_dict().get("body") or "")


@app.on_ws_disconnect()
def live_disconnect(event: WebsocketEvent) -> Any:
    """Forget a live connection."""
    platform().live.disconnect(event.connection_id)
