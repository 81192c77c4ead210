"""Reading on: whatever is cut, late or full, each event comes exactly once."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.api.stream import written
from chalicelib.events.feed import ID_LIMIT, Feed, Position, tag_of
from chalicelib.events.log import Commit, Written
from eventyard.core import ulid
from eventyard.core.errors import InvalidRequestError
from eventyard.core.event import Event
from tests.properties import examples

START_MS = 1_800_000_000_000


class Log:
    """A log in which commits become visible later than their keys say."""

    def __init__(self) -> None:
        self.time_ms = START_MS
        self.hidden: list[tuple[int, Commit]] = []
        self.reads = 0

    def now_ms(self) -> int:
        return self.time_ms

    def write(self, key_ms: int, visible_ms: int, types: list[str]) -> Commit:
        key = ulid.new_ulid(key_ms)
        commit = Commit(
            key,
            tuple(
                Event(t, {"text": "a\r\nb\u2028\x85ü\n\ndata: x\n"}, id=f"{key}.{i}")
                for i, t in enumerate(types)
            ),
        )
        self.hidden.append((visible_ms, commit))
        return commit

    def forward(self, after: str, until: str):
        self.reads += 1
        there = [c for at, c in self.hidden if at <= self.time_ms]
        return iter(
            sorted((c for c in there if after < c.key <= until), key=lambda c: c.key)
        )

    def written(self, after: str, until: str):
        # In no order, as several partitions are.
        return [Written(c.key, len(c.events)) for c in self.forward(after, until)][::-1]

    def read_each(self, keys):
        by_key = {commit.key: commit for _, commit in self.hidden}
        return (by_key[key] for key in keys)

    def fetched(self, event: Event) -> Event:
        return event


class Time:
    """A clock that moves while somebody sleeps, and the log's with it."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def clock(self) -> float:
        return self.log.time_ms / 1000

    def sleep(self, seconds: float) -> None:
        self.log.time_ms += max(int(seconds * 1000), 1)


def feed_of(log: Log, **limits: int) -> Feed:
    time = Time(log)
    return Feed(log, time.clock, time.sleep, **limits)


def good(view) -> bool:
    return view["type"] == "good"


class Browser:
    """What an EventSource does with a text: the standard's parser, in short."""

    def __init__(self) -> None:
        self.id = ""
        self.got: list[str] = []

    def take(self, text: str) -> None:
        pending, data = self.id, []
        lines = text.split("\n")
        for line in lines[:-1]:  # what has no end of line was cut
            if line == "":
                self.id = pending
                if data:
                    self.got.append(Event.from_json("\n".join(data)).id)
                data = []
            elif line.startswith("id: "):
                pending = line[4:]
            elif line.startswith("data: "):
                data.append(line[6:])
            else:
                assert line.startswith((": ", "retry: ")), line


def ids(commit: Commit) -> list[str]:
    return [event.id for event in commit.events if event.type == "good"]


def listen(feed: Feed, browser: Browser, wait: float = 0, keep: float = 1.0) -> str:
    """Ask once, as the browser comes back; a part of the answer arrives."""
    position = Position.read(browser.id) if browser.id else feed.now(good)
    answer = feed.read(position, good, wait)
    text = written(answer)
    assert all(len(name) <= ID_LIMIT for name, _ in answer.frames)
    browser.take(text[: int(len(text) * keep)])
    return text


_COMMITS = st.lists(
    st.tuples(
        st.integers(0, 30_000),  # when its key was made
        st.integers(0, 9_900),  # how much later it was visible
        st.lists(st.sampled_from(["good", "good", "bad"]), min_size=1, max_size=4),
    ),
    max_size=25,
)
#: How long until it asks again, how long it waits, and how much of the answer comes.
_READS = st.lists(
    st.tuples(
        st.integers(0, 12_000),
        st.sampled_from([0, 0, 1, 5]),
        st.one_of(st.just(1.0), st.floats(0, 1)),
    ),
    max_size=25,
)


@settings(max_examples=examples(300), deadline=None)
@given(
    commits=_COMMITS,
    reads=_READS,
    most_events=st.sampled_from([1, 2, 3, 500]),
    most_bytes=st.sampled_from([1, 1_000, 4_000_000]),
    most_tags=st.sampled_from([1, 2, 3, 655]),
)
def test_each_event_comes_exactly_once(
    commits, reads, most_events, most_bytes, most_tags
):
    log = Log()
    limits = {
        "most_events": most_events,
        "most_bytes": most_bytes,
        "most_tags": most_tags,
    }
    feed, browser = feed_of(log, **limits), Browser()
    browser.id = feed.since(START_MS).write()
    made = [
        log.write(START_MS + at, START_MS + at + late, types)
        for at, late, types in commits
    ]
    for pause, wait, keep in reads:
        log.time_ms += pause
        listen(feed, browser, wait, keep)
    log.time_ms = max(log.time_ms, START_MS + 60_000)
    for _ in range(200):
        listen(feed, browser)

    expected = [name for commit in made for name in ids(commit)]
    assert sorted(browser.got) == sorted(expected)


@settings(max_examples=examples(60), deadline=None)
@given(commits=_COMMITS, cut=st.integers(0, 60))
def test_a_connection_that_begins_now_gets_all_that_appears_after(commits, cut):
    log = Log()
    feed, browser = feed_of(log), Browser()
    made = [
        (log.write(START_MS + at, START_MS + at + late, types), at + late)
        for at, late, types in commits
    ]
    log.time_ms = START_MS + cut * 500
    listen(feed, browser)
    seen_before = cut * 500
    for _ in range(60):
        log.time_ms += 1_000
        listen(feed, browser)

    expected = [n for commit, at in made if at > seen_before for n in ids(commit)]
    assert sorted(browser.got) == sorted(expected)


def test_every_cut_of_an_answer_is_followed_by_exactly_the_rest():
    log = Log()
    for number in range(4):
        log.write(START_MS + number * 6_000, 0, ["good", "bad", "good"])
    log.time_ms = START_MS + 20_000  # the first two are settled, the others are not
    feed = feed_of(log)
    first = feed.since(START_MS - 1).write()
    whole = Browser()
    whole.id = first
    text = listen(feed, whole)
    assert len(whole.got) == 8

    for cut in range(len(text)):
        browser = Browser()
        browser.id = first
        browser.take(text[:cut])
        late = log.write(START_MS + 11_000, 0, ["good"])  # appears now, below others
        listen(feed, browser)
        log.hidden.pop()

        assert sorted(browser.got) == sorted([*whole.got, *ids(late)]), cut


def test_what_is_new_comes_at_once_and_in_order():
    log = Log()
    feed, browser = feed_of(log), Browser()
    listen(feed, browser)
    made = [log.write(START_MS + n, 0, ["good"] * 2) for n in range(5)]

    listen(feed, browser)

    assert browser.got == [name for commit in made for name in ids(commit)]


def test_it_waits_for_the_first_event_and_no_longer():
    log = Log()
    feed, browser = feed_of(log), Browser()
    log.write(START_MS + 3_000, START_MS + 3_000, ["good"])
    log.write(START_MS + 8_000, START_MS + 8_000, ["good"])

    listen(feed, browser, wait=10)

    assert len(browser.got) == 1
    assert 3_000 <= log.time_ms - START_MS <= 3_600


def test_an_idle_answer_moves_on_all_the_same():
    log = Log()
    feed, browser = feed_of(log), Browser()
    first = listen(feed, browser)
    before = browser.id
    log.time_ms += 60_000

    text = listen(feed, browser, wait=2)

    assert text.startswith(": nothing new\n")
    assert first.count("data:") == 0
    assert browser.id > before
    assert Position.read(browser.id).sent == {}


def test_an_answer_that_waits_reads_keys_alone_after_its_first_look():
    log = Log()
    fetched = []
    log.read_each = lambda keys: fetched.extend(keys) or iter(())
    for number in range(20):
        log.write(START_MS - number, 0, ["bad"])
    feed = feed_of(log)

    feed.read(feed.since(START_MS - 500), good, 5)

    assert fetched == []


def test_so_much_that_no_id_can_hold_it_comes_when_it_is_settled():
    log = Log()
    feed, browser = feed_of(log), Browser()
    listen(feed, browser)
    made = [log.write(START_MS + n, 0, ["good"]) for n in range(900)]
    log.time_ms = START_MS + 1_000
    for _ in range(3):
        listen(feed, browser)
    assert len(browser.got) == feed.most_tags < 900

    log.time_ms = START_MS + 15_000
    for _ in range(3):
        listen(feed, browser)

    assert browser.got == [name for commit in made for name in ids(commit)]
    assert len(browser.id) < 100


def test_beginning_now_under_a_flood_begins_now():
    log = Log()
    for number in range(900):
        log.write(START_MS - number, 0, ["good"])
    feed, browser = feed_of(log), Browser()
    listen(feed, browser)
    log.time_ms += 1_000
    late = log.write(START_MS + 500, 0, ["good"])

    listen(feed, browser)

    assert browser.got == ids(late)


def test_a_long_look_without_a_find_ends_and_goes_on():
    log = Log()
    for number in range(50):
        log.write(START_MS - 100_000 + number, 0, ["bad"])
    log.write(START_MS - 50_000, 0, ["good"])
    feed, browser = feed_of(log), Browser()
    fetched = log.fetched

    def slowly(event):
        log.time_ms += 300
        return fetched(event)

    log.fetched = slowly
    browser.id = feed.since(START_MS - 200_000).write()
    answers = 0
    while not browser.got:
        listen(feed, browser)
        answers += 1

    assert 2 <= answers <= 4


def test_what_expired_is_left_out():
    log = Log()
    gone = log.write(START_MS, 0, ["good"])
    gone.events[0].expires_at = "2020-01-01T00:00:00Z"
    stays = log.write(START_MS + 1, 0, ["good"])
    feed, browser = feed_of(log), Browser()
    browser.id = feed.since(START_MS - 1).write()

    listen(feed, browser)

    assert browser.got == ids(stays)


def test_a_payload_too_large_for_an_answer_stays_where_it_is():
    log = Log()
    commit = log.write(START_MS, 0, ["good"])
    whole = commit.events[0].copy(payload="ü" * 5_000)
    log.fetched = lambda _: whole
    feed = feed_of(log, most_bytes=20_000)

    answer = feed.read(feed.since(START_MS - 1), good, 0)

    ((_, text),) = answer.frames
    assert Event.from_json(text) == commit.events[0]


def test_an_answer_is_bounded_as_lambda_writes_it():
    """Every quote and every letter beyond ASCII becomes two to six characters."""
    import json

    log = Log()
    for number in range(50):
        log.write(START_MS + number, 0, ["good"] * 10)
    feed = feed_of(log, most_bytes=30_000)

    answer = feed.read(feed.since(START_MS - 1), good, 0)

    assert 20_000 < len(json.dumps(written(answer))) < 33_000


def test_a_position_survives_its_text():
    sent = {tag_of(ulid.new_ulid()): count for count in (1, 100, 255)}
    position = Position(ulid.new_ulid(), sent)

    assert Position.read(position.write()) == position
    assert Position.read(position.place) == Position(position.place)


PLACE = ulid.new_ulid(START_MS, bytes(10))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        PLACE[:-1],
        PLACE.lower(),
        PLACE + ".!",
        PLACE + ".AAAAA",
        PLACE + ".AAAAAAAA",
        PLACE + "." + base64.urlsafe_b64encode(b"x" * 7 * 1_000).decode(),
        f"{PLACE} ",
        f"{PLACE}.\n",
        "é" * 26,
    ],
)
def test_what_is_no_position_is_refused(text):
    with pytest.raises(InvalidRequestError):
        Position.read(text)


def test_a_position_that_nobody_can_have_reached_is_refused():
    log = Log()
    feed = feed_of(log)

    with pytest.raises(InvalidRequestError):
        feed.read(Position(ulid.new_ulid(START_MS + 100_000)), good, 0)
    with pytest.raises(InvalidRequestError, match="since"):
        feed.since(START_MS + 100_000)


@given(st.text(alphabet=st.sampled_from("0123456789ABCDEFGHJK._-aZ"), max_size=60))
def test_any_text_is_a_position_or_refused(text):
    try:
        position = Position.read(text)
    except InvalidRequestError:
        return
    assert ulid.is_ulid(position.place)


def test_ids_of_what_is_settled_are_places_alone():
    log = Log()
    made = [log.write(START_MS + n, 0, ["good"]) for n in range(3)]
    log.time_ms = START_MS + 5_000
    feed = feed_of(log)
    young = feed.read(feed.since(START_MS - 1), good, 0).frames
    log.time_ms = START_MS + 11_000

    (first, *_), old = young[0], feed.read(feed.since(START_MS - 1), good, 0).frames
    rest = feed.read(Position.read(first), good, 0).frames

    assert all("." in name for name, _ in young)
    assert [name for name, _ in old] == [commit.key for commit in made]
    assert [name for name, _ in rest] == [commit.key for commit in made[1:]]
