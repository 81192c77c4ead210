"""The recorded webhooks hold together, so that tests may rely on them."""

from __future__ import annotations

import json
import re

import pytest

from tests.github import (
    BOTS_NUMBER,
    FOLDER,
    FORKS_NUMBER,
    NUMBER,
    SAMPLES,
    STORY,
    Sample,
    load,
    sign,
)

OPENED = "pull_request.opened"


def test_every_file_is_listed_once():
    assert sorted(SAMPLES) == sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_says_what_its_name_says(name):
    sample = load(name)

    event, action, *_ = name.split(".")
    assert sample.event == event
    assert sample.body.get("action", action) == action
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", sample.delivery)
    assert (FOLDER / f"{name}.json").stat().st_size < 6_000


def test_each_delivery_has_an_id_of_its_own():
    assert len({load(name).delivery for name in SAMPLES}) == len(SAMPLES)


def test_the_story_of_a_pull_request_is_told_in_order():
    times = [
        load(name).body["pull_request"]["updated_at"]
        for name in STORY
        if name.startswith("pull_request")
    ]

    assert times == sorted(times)
    assert len(times) > 15


def test_checks_name_their_pull_request_unless_it_comes_from_a_fork():
    named = {
        name: [pull["number"] for pull in load(name).body["check_run"]["pull_requests"]]
        for name in SAMPLES
        if name.startswith("check_run")
    }

    assert named["check_run.completed.fork"] == []
    assert named["check_run.completed.bot"] == [BOTS_NUMBER]
    assert named["check_run.completed.success"] == [NUMBER]


def test_a_sample_is_signed_over_its_own_bytes():
    sample = load(OPENED)

    headers = sample.signed("s")

    assert headers["X-Hub-Signature-256"] == sign("s", sample.raw)
    assert json.loads(sample.raw) == sample.body


def test_githubs_own_example_is_signed_alike():
    expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    assert sign("It's a Secret to Everybody", b"Hello, World!") == f"sha256={expected}"


def test_a_variation_leaves_the_sample_alone_and_has_an_id_of_its_own():
    sample = load(OPENED)
    before = json.dumps(sample.body)

    other = sample.having(pull_request__draft=True).without("pull_request__user")

    assert other.body["pull_request"]["draft"] is True
    assert "user" not in other.body["pull_request"]
    assert other.delivery != sample.delivery
    assert json.dumps(sample.body) == before == json.dumps(load(OPENED).body)


def test_a_sample_moves_to_another_repository():
    other = load(OPENED).in_repository("acme/till")

    repository = other.body["repository"]
    assert repository["full_name"] == "acme/till"
    assert (repository["owner"]["login"], repository["name"]) == ("acme", "till")
    assert "octo/shop" not in other.raw.decode()
    assert repository["id"] == other.body["pull_request"]["base"]["repo"]["id"]


@pytest.mark.parametrize(
    "name", [OPENED, "check_run.created", "pull_request.opened.fork"]
)
def test_a_sample_moves_to_another_number(name):
    text = load(name).of_number(7).raw.decode()

    assert not re.search(r'/pulls?/10\d|"number":10\d', text)


def test_a_sample_moves_to_another_commit():
    sample = load("check_run.created")
    old = sample.body["check_run"]["head_sha"]

    other = sample.at_commit(old, "a" * 40)

    assert other.body["check_run"]["head_sha"] == "a" * 40
    assert old not in other.raw.decode()


def test_a_sample_moves_in_time_whichever_way_it_is_written():
    push, status = load("push.created"), load("status.pending")

    later = push.later(3_600)

    assert later.body["repository"]["pushed_at"] == (
        push.body["repository"]["pushed_at"] + 3_600
    )
    assert later.body["head_commit"]["timestamp"] == "2026-03-02T10:04:40+00:00"
    assert status.later(-7).body["updated_at"] == "2026-03-02T09:06:00+00:00"
    assert load(OPENED).later(60).body["pull_request"]["updated_at"] == (
        "2026-03-02T09:07:00Z"
    )


def test_the_forks_pull_request_comes_from_elsewhere():
    pull = load("pull_request.opened.fork").body["pull_request"]

    assert pull["number"] == FORKS_NUMBER
    assert pull["head"]["repo"]["full_name"] != pull["base"]["repo"]["full_name"]
    assert isinstance(load(OPENED), Sample)
