"""The whole way with the emulator enforcing each function's role."""

from __future__ import annotations

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests import github
from tests.e2e.following import all_done, deliver, deliveries, insight_of, post, pull
from tests.e2e.listener import Listener, Watcher
from tests.e2e.outside import SECRET
from tests.e2e.running import (
    RunningPlatform,
    in_a_loop,
    let_the_lease_end,
    wait_until,
)
from tests.e2e.staged import with_service
from tests.github import NUMBER, REPOSITORY
from tests.site import Site

#: AWS has one action for both calls of SNS, the emulator asks for one by this name.
_BATCH = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sns:PublishBatch", "Resource": "*"}],
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    settings = {
        "AUTH": "true",
        "EVENTYARD_GITHUB_SECRET": SECRET,
        "EVENTYARD_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
    }
    platform = RunningPlatform(folder / "state", **settings)
    # Of our own, no service needs nothing: without another one nobody would do its jobs.
    service = Path(__file__).with_name("paced.py")
    platform.root = with_service(folder / "project", "paced", service, "Paced")
    platform.start()
    iam = platform.aws("iam")
    for role in iam.list_roles()["Roles"]:
        if any(name in role["RoleName"] for name in ("Relay", "Sweep", "APIHandler")):
            iam.put_role_policy(
                RoleName=role["RoleName"],
                PolicyName="batch",
                PolicyDocument=json.dumps(_BATCH),
            )
    yield platform
    platform.stop()


@pytest.fixture(autouse=True)
def nothing_was_denied(guarded):
    log = guarded.state / "emulator.log"
    before = len(log.read_text())
    yield
    told = log.read_text()[before:]
    assert "not authorized" not in told, told[-2000:]


def test_the_emulator_does_enforce_roles(guarded):
    functions = guarded.aws("lambda")
    found = functions.get_function_configuration(FunctionName="eventyard-dev-relay")
    address = f"http://127.0.0.1:{guarded.emulator_port}/_ministack/health"

    with urllib.request.urlopen(address) as answer:
        health = json.load(answer)
    role = found["Role"].rpartition("/")[2]
    policies = guarded.aws("iam").list_role_policies(RoleName=role)["PolicyNames"]

    assert health["auth"] == "enabled"
    assert sorted(policies) == ["batch", "needs"]


def test_publishing_in_every_way_and_reading_back(guarded):
    large = guarded.publish("role.large", {"text": "x" * 210_000})
    keyed = guarded.publish("role.keyed", {}, Idempotency_Key="k")
    again = guarded.publish("role.keyed", {}, Idempotency_Key="k")
    own = {"type": "role.own", "id": "mine", "source": "s"}
    first, second = (guarded.request("POST", "/api/v1/events", own) for _ in range(2))

    assert len(guarded.get(f"/api/v1/events/{large}")["payload"]["text"]) == 210_000
    assert keyed == again
    assert (first[0], second[1]["deduplicated"]) == (201, True)
    assert guarded.get("/api/v1/events/mine")["type"] == "role.own"
    assert len(guarded.logged("role.*")) == 3


def test_events_reach_dashboards(guarded):
    with Listener(guarded.live, "seen.*") as listener:
        small = guarded.publish("seen.small", {})
        large = guarded.publish("seen.large", {"text": "x" * 210_000})
        wait_until(lambda: {small, large} <= set(listener.heard))
    with Listener(guarded.live, "seen.*", cursor=listener.hellos[0]["data"]["cursor"]):
        pass  # resuming reads the log


def test_the_router_channel_talks(guarded):
    async def talk():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{guarded.live}/ws/router") as socket,
        ):
            said = [
                {"type": "subscribe", "subscription": {"topics": ["talk.*"]}},
                {"type": "publish", "event": {"type": "talk.x"}},
                {"type": "get_health"},
                {"type": "unsubscribe", "subscription_id": "none"},
            ]
            for message in said:
                await socket.send_json(message)
            heard: set[str] = set()
            while heard < {"welcome", "subscribed", "published", "event", "error"}:
                message = await socket.receive_json(timeout=20)
                heard.add(message["type"])
                if message["type"] == "health":
                    assert message["health"]["status"] == "healthy", message
            return heard

    assert "health" in in_a_loop(talk)


def test_operating_it(guarded):
    topic = guarded.aws("sns").list_topics()["Topics"][0]["TopicArn"]
    guarded.aws("sns").publish(TopicArn=topic, Message="poison")
    path = "/api/v1/queues/routing/dead-letters"
    wait_until(lambda: guarded.get(path)["dead_letters"], what="the dead letter")

    assert guarded.get("/health")["checks"]["persistence"] == "ok"
    # On a busy machine a message comes again before its worker has begun, and is put
    # aside by each that is given it.
    count = guarded.get("/api/v1/stats")["dead_letters"]
    assert count >= 1
    assert guarded.get("/ws/stats")["active_connections"] >= 0
    assert guarded.request("DELETE", path)[1]["purged"] >= count
    made = guarded.request("POST", "/api/v1/keys", {"name": "k", "scopes": ["admin"]})
    assert guarded.get("/api/v1/keys")["keys"]
    assert guarded.request("DELETE", f"/api/v1/keys/{made[1]['id']}")[0] == 200


def test_streams_requests_and_what_is_scheduled(guarded):
    stream = "/api/v1/streams/s"
    assert guarded.request("POST", f"{stream}/events", {"type": "a"})[0] == 201
    state = {"version": 1, "state": 1}
    assert guarded.request("PUT", f"{stream}/snapshot", state)[0] == 200
    asked = guarded.request("POST", "/api/v1/requests", {"type": "a", "timeout_s": 0.1})
    assert asked[0] == 504
    moment = datetime.now(UTC) + timedelta(seconds=2)
    later = {"type": "later.role", "deliver_at": moment.isoformat()}
    far = {**later, "deliver_at": (moment + timedelta(days=9)).isoformat()}
    assert guarded.request("POST", "/api/v1/events", later)[0] == 201
    _, told = guarded.request("POST", "/api/v1/events", far)
    path = f"/api/v1/scheduled/{told['event_id']}"
    assert guarded.request("DELETE", path)[0] == 200
    wait_until(lambda: guarded.logged("later.role"), what="the delivery")


def test_the_sweep_relays_what_the_stream_left(guarded):
    guarded.connect("relay", enabled=False)
    with Listener(guarded.live, "swept.*") as listener:
        swept = guarded.publish("swept.x", {})
        wait_until(lambda: swept in listener.heard, what="the sweep's relaying")
    guarded.connect("relay", enabled=True)


def test_graphs_are_pushed_drawn_and_deleted(guarded):
    push = {"graph_type": "complete", "dot_content": "digraph { a -> b }"}
    assert guarded.request("POST", "/api/graph", push)[0] == 201
    assert guarded.request("POST", "/api/graph", push)[1]["unchanged"] is True
    _, place = guarded.request("POST", "/api/graph/uploads", {})
    body = json.dumps({**push, "dot_content": "digraph { uploaded }"}).encode()
    put = urllib.request.Request(
        place["url"], body, place["headers"], method=place["method"]
    )
    with urllib.request.urlopen(put) as answer:
        assert answer.status == 200
    pushed = guarded.request("POST", "/api/graph", {"upload": place["upload"]})
    assert (pushed[0], pushed[1]["version"]) == (201, 2)

    with urllib.request.urlopen(f"{guarded.address}/graph/complete") as answer:
        svg = answer.read().decode()

    assert ">uploaded</text>" in svg
    assert guarded.get("/api/graph/diff")["empty"] is False
    assert guarded.request("DELETE", "/api/graph/complete")[0] == 200
    assert guarded.get("/api/graph/status")["total_graphs"] == 0


def test_pull_requests_are_followed_read_and_told(guarded):
    opened = github.load("pull_request.opened")
    start = guarded.get("/api/v1/pulls")["live"]
    with Watcher(guarded.live) as watcher:
        deliver(guarded, opened, github.load("push.created"))
        sha = opened.body["pull_request"]["head"]["sha"]
        assert insight_of(guarded, REPOSITORY, sha)["analyst"] == "offline"
        newest = pull(guarded, REPOSITORY)
        wait_until(lambda: watcher.states(REPOSITORY, NUMBER)[-1:] == [newest])

    with Watcher(guarded.live, cursor=start) as watcher:
        wait_until(lambda: watcher.states(REPOSITORY, NUMBER) == [newest])
        # Somebody died while telling: it is told when that one's time is over.
        die_telling(guarded, f"pull#{REPOSITORY}#{NUMBER}", seconds=2)
        deliver(guarded, github.load("pull_request.labeled"))
        labeled = pull(guarded, REPOSITORY)
        wait_until(lambda: watcher.states(REPOSITORY, NUMBER) == [newest, labeled])
    for path in ("", "/metrics", f"/{REPOSITORY}/{NUMBER}/history"):
        assert guarded.request("GET", f"/api/v1/pulls{path}")[0] == 200
    path = f"/api/v1/pulls/{REPOSITORY}/{NUMBER}/analyse"
    assert guarded.request("POST", path)[0] == 202


def die_telling(guarded, pk, seconds):
    until = str(time.time() + seconds)
    item = {"pk": {"S": pk}, "sk": {"S": "teller"}, "owner": {"S": "dead"}}
    guarded.aws("dynamodb").put_item(
        TableName="eventyard-dev", Item={**item, "until": {"N": until}}
    )


def test_a_delivery_that_was_given_up_is_tried_again(guarded):
    guarded.connect("follow", enabled=False)
    told = post(guarded, github.load("pull_request.opened.fork"))
    place = told["eventId"].removeprefix("evt_")
    give_up(guarded, place)
    (dead,) = deliveries(guarded, "dead")
    assert (dead["id"], dead["reason"]) == (place, "told to fail")

    path = f"/api/v1/webhooks/deliveries/{place}/retry"
    assert guarded.request("POST", path)[0] == 202
    guarded.connect("follow", enabled=True)
    all_done(guarded)

    assert deliveries(guarded, "dead") == []
    assert guarded.request("POST", path)[0] == 409
    assert pull(guarded, REPOSITORY, github.FORKS_NUMBER)["fork"] is True


def give_up(guarded, place):
    """Let it be as if it had been tried too often."""
    dynamodb, table = guarded.aws("dynamodb"), "eventyard-dev"
    key = {"pk": {"S": "deliveries#open"}, "sk": {"S": place}}
    row = dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")
    dead = {"pk": {"S": "deliveries#dead"}, "reason": {"S": "told to fail"}}
    dynamodb.put_item(TableName=table, Item={**row["Attributes"], **dead})


def submitted(guarded, service, **job):
    status, told = guarded.request("POST", f"/api/{service}s/submit", job)
    assert status == 202, told
    return f"/api/{service}s/jobs/{told['job_id']}"


def ended(guarded, address, status="completed"):
    told = wait_until(lambda: over(guarded.get(address)), what="the end of a job")
    assert told["status"] == status, told["error"]
    return told


def over(told):
    return told if told["status"] not in ("pending", "running") else None


def test_jobs_are_done_told_repeated_and_cancelled(guarded):
    # What is large rests beside; a pause is over when the schedule or a message says so.
    job = {"steps": 3, "pause_at": 1, "text": "x" * 10_000, "expires_in_s": 3_600}
    done = ended(guarded, submitted(guarded, "paced", **job, repeat_every_s=60))
    waits = f"/api/paceds/jobs/{done['next_job_id']}"

    assert guarded.get(waits)["data"] == done["data"]
    assert guarded.request("DELETE", waits)[1]["status"] == "cancelled"
    assert (
        guarded.get(f"/api/paceds/jobs/{done['job_id']}/results")["total_results"] == 3
    )
    expired = submitted(guarded, "paced", steps=0, expires_in_s=0.001)
    assert "expired" in ended(guarded, expired, "failed")["error"]
    for path in ("paceds/history", "paceds/stats", "v1/jobs", "v1/workers"):
        assert guarded.request("GET", f"/api/{path}")[0] == 200
    long = submitted(guarded, "paced", steps=200, step_s=0.1)
    wait_until(lambda: guarded.get(long)["status"] == "running")
    assert guarded.request("DELETE", long)[0] == 200
    ended(guarded, long, "cancelled")


def test_a_job_whose_worker_died_is_taken_back(guarded):
    address = submitted(guarded, "paced", steps=40, step_s=0.1)
    wait_until(lambda: guarded.get(address)["progress"] > 0)
    guarded.kill_worker("work")
    let_the_lease_end(guarded, address.rpartition("/")[2])

    assert ended(guarded, address)["attempts"] == 2


def test_a_site_is_scraped(guarded):
    with Site() as site:
        site.odd = False
        job = {"url": f"{site.origin}/", "max_pages": 5, "singleton_key": "s"}
        done = ended(guarded, submitted(guarded, "scraper", **job))

        results = guarded.get(f"/api/scrapers/jobs/{done['job_id']}/results")
        assert (done["result"]["pages"], results["total_urls_crawled"]) == (5, 5)
