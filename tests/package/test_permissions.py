"""What each trigger really calls, against what its role allows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml

from chalicelib.wire import Placed
from eventyard.core.event import Event
from infra.package import ROOT
from tests.github import load

_ALLOWED = yaml.safe_load((ROOT / "infra" / "functions.yaml").read_text())
_CONTEXT = {"domainName": "x.test", "stage": "api"}
_ACTIONS = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    # AWS asks for the action of each member; ours put, and the sweep's also delete.
    "dynamodb:TransactWriteItems": "dynamodb:PutItem",
}


def allowed(function: str) -> set[str]:
    return {a for actions, _ in _ALLOWED[function]["allow"] for a in actions}


@pytest.fixture
def calls(platform):
    """Collects the IAM actions of every AWS call made from now on."""
    made: set[str] = set()

    def note(model, **_):
        action = f"{model.service_model.signing_name}:{model.name}"
        made.add(_ACTIONS.get(action, action))

    platform.aws.session.register("before-call", note)
    return made


def connect(platform, connection_id="c1", **query):
    return platform.live.connect(
        {
            "requestContext": {"connectionId": connection_id, **_CONTEXT},
            "queryStringParameters": {"channel": "dashboard", **query},
        }
    )


def test_the_http_function_is_allowed_all_it_does(platform, http, calls):
    large = {"type": "a.b", "payload": {"text": "x" * 210_000}}
    event_id = http.post("/api/v1/events", large).json()["event_id"]
    http.post("/api/v1/events", {"type": "a.b"}, Idempotency_Key="k")
    http.post("/api/v1/events", {"type": "a.b"}, Idempotency_Key="k")
    http.post("/api/v1/events", {"type": "a.b", "id": "mine", "source": "s"})
    key = http.post("/api/v1/keys", {"name": "k", "scopes": ["admin"]}).json()
    platform._dead.bury("routing", "x", "because")
    for path in (
        f"/api/v1/events/{event_id}",
        "/api/v1/events/mine",
        "/api/v1/events/mine/causality",
        "/api/v1/events",
        "/api/graph/traffic",
        "/api/graph/traffic?window=7d",
        "/api/v1/keys",
        "/api/v1/stats",
        "/api/v1/figures",
        "/api/v1/queues",
        "/api/v1/queues/routing/dead-letters",
        "/health",
        "/metrics",
        "/ws/stats",
    ):
        assert http.get(path).status == 200, path
    schema = {"topics": "x.*", "schema": {"type": "object"}}
    schema = http.post("/api/v1/schemas", schema).json()
    http.post("/api/v1/schemas", {"topics": "x.*", "schema": {}})
    http.post("/api/v1/schemas/infer", {})
    http.get("/api/v1/schemas")
    http.delete(f"/api/v1/schemas/{schema['id']}")
    assert http.post("/api/v1/tickets").status == 201
    assert http.get("/api/v1/me").status == 200
    for cursor in ("1", "2"):
        http.put("/api/v1/positions/mine", {"cursor": cursor})
    assert http.get("/api/v1/positions/mine").json() == {"cursor": "2"}
    wish = {"subscription": "client/handler", "error": "x", "attempts": 1}
    dead = http.post("/api/v1/dead-letters", {"event_id": "mine", **wish}).json()
    assert http.post(f"/api/v1/dead-letters/{dead['id']}/retry").status == 200
    assert http.post(f"/api/v1/keys/{key['id']}/rotate").status == 201
    assert http.post("/api/v1/queues/routing/redrive").json()["redriven"] == 1
    http.delete(f"/api/v1/keys/{key['id']}")
    calls.discard("sqs:SendMessage")  # burying was ours, redriving is granted below

    assert calls <= allowed("APIHandler")
    assert "sqs:SendMessage" in allowed("APIHandler")


def test_the_http_function_is_allowed_graphs(platform, http, calls, monkeypatch):
    from chalicelib.graphs import store

    monkeypatch.setattr(store, "KEPT", 1)
    push = {"graph_type": "complete", "dot_content": "digraph { a -> b }"}
    assert http.post("/api/graph", push).status == 201
    assert http.post("/api/graph", push).json()["unchanged"] is True
    place = http.post("/api/graph/uploads", {}).json()
    key = place["upload"]
    body = b'{"graph_type": "complete", "dot_content": "digraph { c }"}'
    platform.aws.s3.put_object(Bucket=platform.settings.bucket, Key=key, Body=body)
    assert http.post("/api/graph", {"upload": key}).json()["version"] == 2
    for path in (
        "/graph/complete",
        "/graph/complete?hide_failed=1",
        "/api/graph/complete",
        "/api/graph/complete/versions",
        "/api/graph/status",
        "/api/graph/projects",
        "/api/graph/diff",
        "/api/graph/analysis",
    ):
        assert http.get(path).status == 200, path
    assert http.delete("/api/graph").status == 200

    assert {"s3:PutObject", "s3:DeleteObject"} <= calls <= allowed("APIHandler")


def soon(platform, seconds=600):
    from eventyard.core import moments

    moment = datetime.fromtimestamp(platform.log.clock() + seconds, UTC)
    return {"type": "a.b", "deliver_at": moments.write(moment)}


def test_the_http_function_is_allowed_streams_schedules_and_requests(
    platform, http, calls
):
    told = http.post("/api/v1/events", soon(platform)).json()
    own = {**soon(platform), "id": "mine"}
    http.post("/api/v1/events", own, Idempotency_Key="k")
    http.post("/api/v1/events", own, Idempotency_Key="k")
    event, stream = {"type": "a.b"}, "/api/v1/streams/s"
    http.post(f"{stream}/events", event, Idempotency_Key="l")
    http.post(f"{stream}/events", event, Idempotency_Key="l")
    assert http.put(f"{stream}/snapshot", {"version": 1, "state": 1}).status == 200
    assert http.put(f"{stream}/snapshot", {"version": 1, "state": 2}).status == 200
    answer = http.post("/api/v1/requests", {"type": "a.b", "timeout_s": 0.1}).json()
    name = answer["error"]["details"]["request_id"]
    assert http.post(f"/api/v1/requests/{name}/reply", {"payload": {}}).status == 409
    for path in (
        "/api/v1/scheduled",
        f"/api/v1/scheduled/{told['event_id']}",
        stream,
        f"{stream}/events",
        f"{stream}/snapshot",
        "/api/v1/events/stream?wait=0",
        "/api/v1/events/stream?wait=0&since=2026-01-01T00:00:00Z",
    ):
        assert http.get(path).status == 200, path
    assert http.delete(f"/api/v1/scheduled/{told['event_id']}").status == 200

    assert {"sqs:SendMessage", "dynamodb:PutItem"} <= calls <= allowed("APIHandler")


def test_the_http_function_is_allowed_sources(platform, http, calls):
    sample = load("ping.repository")
    scheme = {"type": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256="}
    path, key = "/api/v1/sources", "a secret of some length"
    http.post(path, {"name": "a", "scheme": scheme, "secret": key})
    for way in ({}, {"id_from": "hook_id"}):
        http.patch(f"{path}/a", {"topic": "b", **way})
        for _ in range(2):
            told = http._call("POST", "/webhooks/a", sample.raw, sample.signed(key))
            assert told.status == 202
    http.post(f"{path}/a/rotate-secret", {})
    http.get(path)
    http.delete(f"{path}/a")

    assert calls - allowed("APIHandler") == set()


def test_the_chores_are_allowed_all_they_do(platform, http, pump, calls):
    large = {**soon(platform), "payload": {"text": "x" * 210_000}, "id": "mine"}
    http.post("/api/v1/events", large)
    http.post("/api/v1/events", soon(platform, 3_600))
    (early,) = pump.platform.schedule.page(lambda _: True, 1, None).events
    records = [
        {"messageId": "1", "body": '{"kind": "agenda"}'},
        {
            "messageId": "2",
            "body": f'{{"kind": "scheduled", "key": "{early.commit["sk"]}"}}',
        },
        {"messageId": "3", "body": "{"},
    ]
    platform.agenda.add("unknown", "u", platform.log.now_ms(), {})
    calls.clear()
    platform.chores.run({"Records": records})
    later = platform.log.clock() + 650
    platform.log.clock = platform.agenda.clock = lambda: later

    assert platform.chores.run({"Records": records[:2]}) == {"batchItemFailures": []}

    assert {"s3:PutObject", "sqs:SendMessage"} <= calls <= allowed("Chores")
    assert "dynamodb:DeleteItem" in allowed("Chores")  # moving a row is both


def test_exports_and_purges_are_allowed_all_they_do(platform, http, pump, calls):
    large = {"type": "a.b", "payload": {"text": "x" * 210_000}}
    http.post("/api/v1/events", large)
    later = platform.log.clock() + 2_000
    platform.log.clock = lambda: later
    platform.relay.catch_up()
    calls.clear()
    export = http.post("/api/v1/exports", {"format": "csv"}).json()
    purge = http.post("/api/v1/purge", {"older_than": "20m", "confirm": True}).json()
    http.post("/api/v1/purge", {"older_than": "20m"})
    at_start = set(calls)
    records = pump.messages("chores")
    calls.clear()
    assert platform.chores.run({"Records": records}) == {"batchItemFailures": []}
    at_work = set(calls)
    calls.clear()
    for path in (
        "/api/v1/export",
        "/api/v1/exports",
        f"/api/v1/exports/{export['id']}",
        f"/api/v1/purges/{purge['id']}",
    ):
        assert http.get(path).status == 200, path
    assert http.post(f"/api/v1/exports/{export['id']}/cancel").status == 409

    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= at_start <= allowed("APIHandler")
    assert {"s3:PutObject", "s3:DeleteObject"} <= at_work <= allowed("Chores")
    assert calls <= allowed("APIHandler")


def test_the_relay_is_allowed_all_it_does(platform, http, pump, calls):
    http.post("/api/v1/events", {"type": "a.b"})
    records = pump.records()
    broken = {"pk": {"S": "log#1#0"}, "sk": {"S": "x"}, "events": {"S": "{"}}
    records.append({"dynamodb": {"NewImage": broken, "SequenceNumber": "9"}})
    calls.clear()

    pump.relay(records)

    assert {"sns:Publish", "sqs:SendMessage"} <= calls <= allowed("Relay")


def test_routing_is_allowed_all_it_does(platform, http, pump, gateway, calls):
    connect(platform, events="*")
    connect(platform, "c2", events="*")
    http.post("/api/v1/events", {"type": "a.b", "causation_id": "x"})
    pump.relay()
    records = pump.messages("routing")
    records.append({"messageId": "poison", "body": "{"})
    gateway.gone.add("c2")
    platform._delivery.clock = lambda: platform.connections.clock() + 60
    calls.clear()

    platform.router.route({"Records": records})

    noted = {"dynamodb:BatchGetItem", "dynamodb:PutItem", "sqs:SendMessage"}
    noted |= {"dynamodb:BatchWriteItem", "dynamodb:UpdateItem"}
    assert noted <= calls <= allowed("Route")


def test_the_fan_out_is_allowed_all_it_does(platform, http, pump, gateway, calls):
    first = platform.log.new_key()
    http.post("/api/v1/events", {"type": "a.b"})
    connect(platform, events="*", cursor=first[:10] + "0" * 16)
    connect(platform, "c2", events="*")
    gateway.failing.add("c2")
    (commit,) = platform.log.forward(first, platform.log.new_key())
    platform.live._spread(commit.placed(), ["c1", "c2"])
    records = pump.messages("live")
    calls.clear()

    pump.handle("live", records)
    calls -= {"sqs:DeleteMessage"}

    assert {"dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"} <= calls
    assert calls <= allowed("FanOut")


def test_the_sweep_is_allowed_all_it_does(platform, http, gateway, calls):
    http.post("/api/v1/events", {"type": "a.b"})
    http.post("/api/v1/events", {**soon(platform, 60), "payload": "x" * 210_000})
    http.post("/api/v1/events", soon(platform, 901))
    platform.agenda.add("unknown", "u", platform.log.now_ms(), {})
    connect(platform, events="*")
    gateway.gone.add("c1")
    platform.agenda.tick()
    later = platform.log.clock() + 320
    platform.log.clock = platform.connections.clock = lambda: later
    platform.agenda.clock = lambda: later
    platform.tally.published([Placed("0" * 26, Event("a.b"))])
    platform.tally.flush()
    platform.traffic.clock = lambda: later + 7_200
    calls.clear()

    told = {"relayed": 1, "gone": 1, "done": 2, "taken_up": 0, "died": 0}
    assert platform.sweep() == told

    assert {"sns:Publish", "dynamodb:DeleteItem"} <= calls <= allowed("Sweep")
    assert {"s3:PutObject", "sqs:SendMessage"} <= calls
    # What was counted is put together, too.
    assert platform.traffic.table.get("traffic-hours", "~until")


def test_the_socket_functions_are_allowed_all_they_do(locked, calls):
    platform = locked
    secret, _ = platform.keys.create("k", ["admin"])
    ticket = platform.tickets.issue(platform.keys.read(secret))["ticket"]
    calls.clear()
    connect(platform, "c2", channel="router", token=secret)
    connect(platform, channel="router", ticket=ticket)
    at_connect = set(calls)
    calls.clear()
    scheduled = json.dumps({"type": "publish", "event": soon(platform)})
    for text in (
        scheduled,
        '{"type": "subscribe", "subscription": {"topics": ["a.*"]}}',
        '{"type": "publish", "event": {"type": "a.b"}}',
        '{"type": "get_health"}',
        '{"type": "unsubscribe", "subscription_id": "none"}',
    ):
        platform.live.receive("c1", text)
    at_message = set(calls)
    calls.clear()
    platform.live.disconnect("c1")

    assert "dynamodb:DeleteItem" in at_connect <= allowed("WebsocketConnect")
    assert "dynamodb:PutItem" in at_message
    assert at_message <= allowed("WebsocketMessage")
    assert {"dynamodb:DeleteItem"} <= calls <= allowed("WebsocketDisconnect")


@pytest.fixture
def subscribed(platform, calls, receiver):
    """A webhook and a queue that want everything; returns the webhook."""
    from chalicelib.auth import ANYBODY
    from tests.stack import client
    from tests.steps import subscribe

    name = "eventyard-target-permissions"
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    wish = {"topics": ["**"], "target": {"type": "queue", "queue": name}}
    platform.subscribed.service.create(wish, ANYBODY)
    yield subscribe(platform, receiver.url, rate_limit=10_000, concurrency=2)
    client("sqs").delete_queue(QueueUrl=url)


def test_routing_to_subscriptions_is_allowed(platform, http, pump, subscribed, calls):
    http.post("/api/v1/events", {"type": "a.b", "priority": 9})
    http.post("/api/v1/events", {"type": "a.b", "group": "g"})
    pump.relay()
    records = pump.messages("routing")
    calls.clear()

    platform.router.route({"Records": records})

    assert {"sqs:SendMessage", "dynamodb:UpdateItem"} <= calls <= allowed("Route")


def test_delivering_is_allowed_all_it_does(
    platform, http, pump, receiver, subscribed, calls
):
    answers = iter([500, 410])
    receiver.reaction = lambda *_: (next(answers, 200), {})
    large = {"type": "a.b", "payload": {"text": "x" * 210_000}}
    http.post("/api/v1/events", large)
    http.post("/api/v1/events", {"type": "a.b", "group": "g"})
    http.post("/api/v1/events", {"type": "a.b", "priority": 9})
    pump.relay()
    while pump.queue("routing"):
        pass
    records = [*pump.messages("deliveries"), *pump.messages("urgent")]
    records.append({"messageId": "poison", "body": "{"})
    calls.clear()

    platform.subscribed.work.handle({"Records": records})

    assert {"sqs:GetQueueUrl", "s3:GetObject", "dynamodb:BatchWriteItem"} <= calls
    assert calls <= allowed("Deliver")
    assert allowed("DeliverUrgent") == allowed("Deliver")


def test_the_verbs_of_subscriptions_are_allowed(
    platform, http, pump, receiver, subscribed, calls
):
    receiver.reaction = lambda *_: (500, {})
    path = f"/api/v1/subscriptions/{subscribed.id}"
    http.patch(path, {"retry": {"schedule_s": []}})
    told = http.post("/api/v1/events", {"type": "a.b"}).json()
    pump.run()
    calls.clear()
    target = {"type": "queue", "queue": "eventyard-target-permissions"}
    http.post("/api/v1/subscriptions", {"topics": "**", "target": target})
    for get in (
        "/api/v1/subscriptions",
        path,
        "/api/v1/dead-letters",
        "/api/v1/replays",
        f"/api/v1/events/{told['event_id']}/trace",
    ):
        assert http.get(get).status == 200, get
    letter = http.get("/api/v1/dead-letters").json()["dead_letters"][0]["id"]
    replay = {"subscription": subscribed.id}
    assert http.post("/api/v1/replays", {**replay, "dry_run": True}).status == 200
    assert http.post("/api/v1/replays", replay).status == 202
    for post in (
        f"{path}/test",
        f"{path}/rotate-secret",
        f"{path}/pause",
        f"{path}/resume",
        f"/api/v1/dead-letters/{letter}/retry",
    ):
        assert http.post(post).status == 200, post
    assert http.post("/api/v1/filters/test", {"last": 5}).status == 200
    assert http.delete(path).status == 200

    assert {"sqs:GetQueueUrl", "dynamodb:BatchWriteItem"} <= calls
    assert calls <= allowed("APIHandler")


def test_walks_are_allowed_all_they_do(
    platform, http, pump, receiver, subscribed, calls
):
    http.post("/api/v1/events", {"type": "a.b", "payload": "x" * 210_000})
    http.post("/api/v1/events", {"type": "a.b", "group": "g"})
    pump.run()
    path = f"/api/v1/subscriptions/{subscribed.id}"
    http.post(f"{path}/pause")
    http.post("/api/v1/events", {"type": "a.b", "group": "g"})
    pump.run()
    http.post(f"{path}/resume")
    http.post("/api/v1/replays", {"subscription": subscribed.id})
    records = pump.messages("chores")
    calls.clear()

    assert platform.chores.run({"Records": records}) == {"batchItemFailures": []}

    assert {"sqs:SendMessage", "dynamodb:BatchGetItem"} <= calls <= allowed("Chores")


def test_the_sweep_may_send_on_what_was_put_off(platform, receiver, subscribed, calls):
    from chalicelib.subscriptions.courier import Parcel

    courier = platform.subscribed.courier
    platform.agenda.tick()
    for urgent in (True, False):
        parcel = Parcel(subscribed.id, places=("0" * 26,), tries=1, urgent=urgent)
        courier.send([parcel], 1_000)
    later = platform.log.clock() + 2_000
    platform.agenda.clock = lambda: later
    calls.clear()

    platform.agenda.tick()

    assert "sqs:SendMessage" in calls <= allowed("Sweep")


def test_pull_requests_are_allowed_all_they_do(platform, http, pump, gateway, calls):
    from tests import github

    connect(platform, channel="pulls")
    connect(platform, "c2", channel="pulls")
    pump.run()
    gateway.failing.add("c2")
    calls.clear()
    names = ("push.created", "check_run.created", "pull_request.opened")
    for sample in map(github.load, (*names, names[-1])):
        told = http.post("/webhook", sample.raw, **sample.headers).json()
    place = told["eventId"].removeprefix("evt_")
    http.post(f"/api/v1/webhooks/deliveries/{place}/retry")
    for path in (
        "/api/prs",
        "/api/v1/pulls/metrics",
        "/api/v1/repositories",
        "/api/repository",
        "/api/v1/webhooks/deliveries",
    ):
        http.get(path)
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed("APIHandler")

    pump.relay()
    records = [*pump.messages("pulls"), {"messageId": "poison", "body": "{"}]
    calls.clear()
    platform.pulls.follower.follow({"Records": records})
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed("Follow")

    records = [*pump.messages("insights"), {"messageId": "poison", "body": "{"}]
    calls.clear()
    platform.pulls.insights.run({"Records": records})
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed("Analyse")

    calls.clear()
    opened = github.load("pull_request.opened.fork").body["pull_request"]
    platform.pulls.reconciler.take_pull("octo/shop", opened)
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed("Sweep")

    connect(platform, "c3", channel="pulls", cursor=platform.log.new_key())
    records = pump.messages("live")
    calls.clear()
    pump.handle("live", records)
    assert calls - {"sqs:DeleteMessage"} <= allowed("FanOut")


@pytest.fixture
def jobs(platform, monkeypatch):
    from tests import jobservices

    return jobservices.registered(platform, monkeypatch)


def test_the_http_function_is_allowed_jobs(http, jobs, calls):
    # What is large rests beside.
    job = {"url": "https://example.com/", "steps": 1, "text": "x" * 5_000}
    for more in ({"idempotency_key": "k"}, {"singleton_key": "s", "expires_in_s": 9}):
        for _ in range(2):
            assert http.post("/api/scrapers/submit", {**job, **more}).status < 300
    name = http.get("/api/scrapers/jobs").json()["jobs"][0]["job_id"]
    for path in (
        f"/api/scrapers/jobs/{name}",
        f"/api/scrapers/jobs/{name}/results",
        "/api/scrapers/history",
        "/api/scrapers/stats",
        "/api/v1/jobs",
        "/api/v1/workers",
    ):
        assert http.get(path).status == 200, path
    assert http.delete(f"/api/scrapers/jobs/{name}").status == 200

    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed("APIHandler")


def test_workers_are_allowed_all_they_do(jobs, pump, calls, monkeypatch):
    from tests.jobservices import ANOTHER, NAME, Invocation, Steps, submit

    errors = [RuntimeError("once")]

    def fail_once(*_):
        if errors:
            raise errors.pop()

    monkeypatch.setattr(Steps, "at_step", staticmethod(fail_once))
    for name, queue, function in (
        (NAME, "jobs", "Work"),
        (ANOTHER, "scraping", "WorkScraping"),
    ):
        submit(jobs, name=name, data={"steps": 2, "text": "x" * 190_000})
        records = [*pump.messages(queue), {"messageId": "poison", "body": "{"}]
        calls.clear()
        worker = {"jobs": jobs.work, "scraping": jobs.scraping}[queue]
        # The one fails and the other pauses.
        told = worker.run({"Records": records}, Invocation(9))
        assert told == {"batchItemFailures": []}
        assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed(function)


#: What the queue's mapping calls in the name of a function, and what no call shows: that
#: S3 tells "not found" from "denied", and the members of transactions.
_UNSEEN = {
    *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    *("s3:ListBucket", "dynamodb:DeleteItem"),
}


@pytest.mark.parametrize(
    ("name", "function"), [("scraper", "Work"), ("mender", "WorkScraping")]
)
def test_workers_may_do_nothing_else(jobs, calls, monkeypatch, name, function):
    from tests.jobservices import Steps, current_job, submit

    async def process(self, job_data):
        job = current_job()
        large = "x" * 210_000
        if job.checkpoint is None:
            await job.shared_gap("example.com", 1)
            await job.save(large)
            await job.pause(1)
        await job.progress(0.5)
        await job.results([{"key": "a", "text": large}])
        rows = await job.rows_of(job.id)
        return {"rows": len(rows), "text": large}

    monkeypatch.setattr(Steps, "process_job", process)
    worker = jobs.work if function == "Work" else jobs.scraping
    row = submit(jobs, name=name, data={"text": "x" * 5_000}, repeat_every_s=60)
    poison = {"messageId": "poison", "body": "{"}
    calls.clear()
    worker.run({"Records": [{"messageId": "1", "body": "{}"}, poison]})
    later = jobs.store.clock() + 2
    jobs.store.clock = lambda: later
    body = json.dumps({"job": row.id})
    worker.run({"Records": [{"messageId": "2", "body": body}]})

    assert calls | _UNSEEN == allowed(function)
    assert jobs.store.get(row.id)[0].status == "completed"


def test_what_time_does_to_jobs_is_allowed(platform, jobs, calls, clock):
    from tests.jobservices import submit

    submit(jobs, expires_in_s=3_600)
    submit(jobs)
    jobs.claims.take("jobs", "n")
    platform.agenda.tick()
    clock.tick(70)
    calls.clear()

    assert platform.sweep()["died"] == 1
    assert {"sqs:SendMessage", "sqs:GetQueueAttributes"} <= calls <= allowed("Sweep")

    clock.tick(3_600)
    calls.clear()
    chore = {"messageId": "1", "body": '{"kind": "agenda"}'}
    platform.chores.run({"Records": [chore]})
    assert {"dynamodb:PutItem", "sqs:SendMessage"} <= calls <= allowed("Chores")


def test_memories_are_allowed_all_they_do(platform, http, calls, clock):
    path = "/api/v1/memories"
    new = {"agent_id": 1, "content": "what is known"}
    made, _ = (http.post(path, new, Idempotency_Key="k").json() for _ in "ab")
    known = {"title": "a", "content": "b"}
    kept = http.post(f"{path}/knowledge", known).json()["knowledge"]["id"]
    http.put(f"{path}/knowledge/{kept}", known)
    http.post(f"{path}/batch", {"memories": [new] * 40})
    clock.tick(120)
    api = set(calls)
    calls.clear()
    platform.agenda.tick()
    assert "sqs:SendMessage" in calls <= allowed("Sweep")

    calls.clear()
    for _ in range(2):
        chore = {"kind": "memories", "space": "agent:1"}
        record = {"messageId": "1", "body": json.dumps(chore)}
        assert platform.chores.run({"Records": [record]}) == {"batchItemFailures": []}
        http.delete(f"{path}/{made['memory']['id']}")
        clock.tick(1_000)
    assert {"s3:PutObject", "s3:ListBucket"} <= calls <= allowed("Chores")

    calls.clear()
    asked = {"agent_id": 1, "query": "known", "threshold": 0}
    assert http.post(f"{path}/recall", asked).json()["results"]
    for get in (path + "?agent=1", f"{path}/stats?agent=1", f"{path}/spaces"):
        assert http.get(get).status == 200
    assert http.delete(f"{path}/knowledge/{kept}").status == 200
    assert "s3:GetObject" in calls
    assert calls | api <= allowed("APIHandler")


@pytest.mark.parametrize(
    "function", ["APIHandler", "Work", "WorkScraping", "Sweep", "Chores"]
)
def test_who_changes_jobs_may_do_each_write_of_a_transaction(function):
    # The test above sees transactions alone; AWS asks for the action of each member.
    each = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}

    assert each <= allowed(function)
