"""A platform that asks for keys: its page, and pull requests that Bedrock reads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from eventyard.core.errors import AuthenticationError, PermissionDeniedError
from tests import bedrockserver, behaviours, github
from tests.bedrockserver import Bedrock
from tests.behaviours import Place
from tests.e2e.following import deliver, insight_of, pull
from tests.e2e.listener import Watcher
from tests.e2e.outside import SECRET, USUAL
from tests.e2e.running import ROOT, RunningPlatform, in_a_loop, wait_until
from tests.github import NUMBER, REPOSITORY
from tests.githubserver import TOKEN, GitHub
from tests.pulls import added, file

_ARRIVES_MS = 20_000
#: Who the emulator's functions are.
_ACCOUNT, _ACCOUNTS_SECRET = "000000000000", "test"


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Bedrock]:
    with Bedrock(USUAL) as made:
        made.access_key, made.secret_key = _ACCOUNT, _ACCOUNTS_SECRET
        yield made


@pytest.fixture(scope="module")
def hub() -> Iterator[GitHub]:
    with GitHub() as made:
        yield made


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, bedrock: Bedrock, hub: GitHub
) -> Iterator[RunningPlatform]:
    """A platform that asks for keys, with one that may listen, publish and read."""
    platform = RunningPlatform(
        tmp_path_factory.mktemp("closed"),
        EVENTYARD_AUTH="keys",
        EVENTYARD_GITHUB_SECRET=SECRET,
        EVENTYARD_GITHUB_TOKEN=TOKEN,
        EVENTYARD_GITHUB_API=hub.url,
        EVENTYARD_ANALYST="bedrock",
        EVENTYARD_BEDROCK_URL=bedrock.origin,
    )
    platform.start()
    scopes = ("events:subscribe", "events:publish", "pulls:read")
    platform.key = _key(platform, *scopes)
    yield platform
    platform.stop()


def _key(platform: RunningPlatform, *scopes: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "infra.keys", *scopes],
        cwd=ROOT,
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()[0]


@pytest.mark.browser
def test_the_program_of_the_howto_opens_a_connection(closed, page):
    key = closed.key
    howto = (ROOT / "docs" / "howto" / "control-access.md").read_text()
    (program,) = re.findall(r"^```js\n(.*?)^```$", howto, re.MULTILINE | re.DOTALL)
    page.add_init_script(f"sessionStorage.setItem('eventyard.key', {key!r})")
    page.goto(closed.address)

    hello = page.evaluate(
        f"""async ([address, key]) => {{
          {program}
          const socket = await openLive(address, key);
          const message = await new Promise((done) => (socket.onmessage = done));
          socket.close();
          return JSON.parse(message.data);
        }}""",
        [f"{closed.live}/ws/router", key],
    )

    assert hello["type"] == "welcome"


@pytest.mark.browser
def test_the_page_comes_live_with_a_ticket_and_again_with_another(closed, page):
    from playwright.sync_api import expect

    platform, key = closed, closed.key
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script(f"sessionStorage.setItem('eventyard.key', {key!r})")

    with page.expect_websocket() as first:
        page.goto(platform.address)
    live = page.get_by_role("navigation", name="Pages").get_by_text("Live")
    expect(live).to_be_visible(timeout=_ARRIVES_MS)
    platform.publish("closed.sent", {"n": 1})
    row = page.get_by_role("table", name="Events, newest first").locator("tbody tr")
    expect(row.filter(has_text="closed.sent")).to_have_count(1, timeout=_ARRIVES_MS)

    with page.expect_websocket() as second:
        page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(live).to_be_visible(timeout=_ARRIVES_MS)

    opened = [first.value.url, second.value.url]
    tickets = {re.search(r"ticket=(tkt_[\w-]+)", url)[1] for url in opened}
    assert len(tickets) == 2
    assert not [url for url in [*asked, *opened] if key in url]


def test_bedrock_reads_pull_requests_and_the_rules_do_where_it_fails(
    closed: RunningPlatform, bedrock: Bedrock, hub: GitHub
) -> None:
    files = [file("retry.py", added("try again"))]
    hub.add(REPOSITORY, files={NUMBER: files})
    opened = github.load("pull_request.opened")
    pushed = github.load("pull_request.synchronize")
    with Watcher(closed.live, token=closed.key) as watcher:
        deliver(closed, opened)
        first = insight_of(
            closed, REPOSITORY, opened.body["pull_request"]["head"]["sha"]
        )
        files.append(file("limit.py", added("most = 3")))
        nothing = bedrockserver.answer({"text": "Looks fine to me!"}, stop="end_turn")
        bedrock.told = [nothing, nothing]
        deliver(closed, pushed)
        second = insight_of(closed, REPOSITORY, pushed.body["after"])
        newest = pull(closed, REPOSITORY)
        wait_until(lambda: watcher.states(REPOSITORY, NUMBER)[-1:] == [newest])

    assert (first["analyst"], first["model"]) == ("bedrock", "amazon.nova-lite-v1:0")
    assert (first["summary"], first["basis"]["files"]) == (USUAL["summary"], 1)
    assert (second["analyst"], second["basis"]["files"]) == ("offline", 2)
    assert second["fallback_reason"].startswith("The answer was none, twice")
    assert len(bedrock.requests) == 3
    assert closed.send("/api/v1/pulls", None, {}, "GET")[0] == 401


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_a_client_is_who_its_key_says_and_may_do_no_more(closed, transport):
    in_a_loop(lambda: a_client_with_a_key(closed, transport))


async def a_client_with_a_key(closed: RunningPlatform, transport: str) -> None:
    settings = {"transport": transport, "url": closed.address}
    key = {"type": "api_key", "key": closed.key}
    place = Place({**settings, "auth": key})
    async with place.client() as client:
        who = await client.whoami()
        assert who.scopes == {"events:subscribe", "events:publish", "pulls:read"}
        assert who.has_permission("events:publish")
        assert not who.has_permission("admin")
        with pytest.raises(PermissionDeniedError, match="admin"):
            await client.transport.retry(["x"])
    await behaviours.an_event_arrives_as_it_was_published(place)
    narrow = {"type": "jwt", "token": lambda: _key(closed, "events:publish:other.*")}
    async with Place({**settings, "transport": "http", "auth": narrow}).client() as one:
        with pytest.raises(PermissionDeniedError):
            await one.publish(place.topic("a"), {})


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize("secret", ["ey_" + "u" * 43, "a.b.c"])
def test_a_wrong_key_is_told_as_that(closed, transport, secret):
    async def come_in() -> None:
        auth = {"type": "api_key", "key": secret}
        place = Place({"transport": transport, "url": closed.address, "auth": auth})
        with pytest.raises(AuthenticationError, match="Give the client a key"):
            async with place.client() as client:
                await client.publish(place.topic("a"), {})

    in_a_loop(come_in)
