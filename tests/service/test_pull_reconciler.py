"""Repairing what was lost on the way from GitHub: bounded, and one never blocks others."""

from __future__ import annotations

import pytest

from chalicelib.outbound import Guard, Outbound
from chalicelib.pulls.github_api import GitHubApi
from chalicelib.pulls.reconcile import Reconciler
from eventyard.core import moments
from tests.fakes import Clock
from tests.githubserver import TOKEN, GitHub, refusal

NOW = 1_800_000_000.0
HOOK = {"id": 5, "config": {"url": "https://yard.test/webhook"}}


def told(number, state="open", **more):
    return {"number": number, "state": state, "additions": 3, **more}


def delivery(number, guid, status=200, age_s=60.0):
    word = "OK" if status == 200 else f"Invalid HTTP Response: {status}"
    at = moments.at(NOW - age_s)
    return {
        "id": number,
        "guid": guid,
        "status": word,
        "status_code": status,
        "delivered_at": at,
    }


class World:
    def __init__(self, table, github):
        self.table, self.github = table, github
        self.clock = Clock(NOW)
        self.repositories = ["octo/shop"]
        self.open = {"octo/shop": []}
        self.taken = []

    def made(self, *, token=True, take=None, **more):
        caller = Outbound(Guard("127.0.0.1"))
        api = GitHubApi(caller, self.github.url, TOKEN, clock=self.clock)
        api.sleep = lambda _: None
        return Reconciler(
            api if token else None,
            self.table,
            lambda: self.repositories,
            lambda repository: self.open.get(repository, []),
            take or (lambda *told: self.taken.append(told)),
            clock=self.clock,
            **more,
        )

    def tick(self, **more):
        done = self.made(**more).tick()
        return done["redelivered"], done["compared"]

    def numbers(self):
        return [pull["number"] for _, pull in self.taken]


@pytest.fixture
def github():
    with GitHub() as made:
        yield made


@pytest.fixture
def world(platform, github):
    return World(platform.table, github)


def test_without_a_token_nothing_is_done(world, github):
    github.add("octo/shop", pulls={1: told(1)})

    assert world.tick(token=False) == (0, 0)
    assert github.requests == []


def test_open_pull_requests_are_compared_once_an_hour(world, github):
    github.add("octo/shop", pulls={1: told(1), 2: told(2, "closed")})
    world.open["octo/shop"] = [1]

    assert world.tick() == (0, 1)
    assert world.tick() == (0, 0)
    world.clock.tick(3_599)
    assert world.tick() == (0, 0)
    world.clock.tick(2)
    assert world.tick() == (0, 1)

    # One of a list tells no sizes; what is taken from it must not say that it has none.
    assert world.taken == [("octo/shop", {"number": 1, "state": "open"})] * 2


def test_one_that_is_not_known_here_is_asked_for_whole(world, github):
    github.add("octo/shop", pulls={1: told(1), 2: told(2)})
    world.open["octo/shop"] = [2]

    world.tick()

    assert {pull["number"]: pull.get("additions") for _, pull in world.taken} == {
        2: None,
        1: 3,
    }


def test_one_that_is_open_no_more_is_asked_for_and_handed_on(world, github):
    github.add("octo/shop", pulls={1: told(1, "closed", merged=True)})
    world.open["octo/shop"] = [1, 9]

    assert world.tick() == (0, 1)

    assert world.taken == [("octo/shop", told(1, "closed", merged=True))]


def test_what_was_never_delivered_is_asked_for_again_oldest_first(world, github):
    github.add(
        "octo/shop",
        hooks=[HOOK],
        deliveries={
            5: [
                delivery(1, "old", 502, age_s=4 * 86_400),
                delivery(2, "a", 502, age_s=900),
                delivery(3, "b", 200, age_s=800),
                delivery(4, "c", 500, age_s=700),
                delivery(5, "c", 200, age_s=600),
                delivery(6, "d", 502, age_s=500),
                delivery(7, "d", 502, age_s=400),
            ]
        },
    )

    assert world.tick() == (2, 0)

    assert github.redelivered == [(5, 2), (5, 7)]


def test_what_fails_for_a_reason_is_not_asked_for_for_ever(world, github):
    tries = [delivery(n, "a", 401, age_s=1_000 - n) for n in range(5)]
    github.add("octo/shop", hooks=[HOOK], deliveries={5: tries})

    assert world.tick() == (0, 0)


def test_many_lost_ones_come_a_few_at_a_time(world, github):
    lost = [delivery(n, f"g{n}", 502, age_s=5_000 - n) for n in range(50)]
    github.add("octo/shop", hooks=[HOOK], deliveries={5: lost})
    reconciler = world.made()

    assert reconciler.tick()["redelivered"] == 20
    assert github.redelivered[0] == (5, 0)
    for _, number in github.redelivered:
        lost.append(delivery(100 + number, f"g{number}", 200))
    # The next minute goes on, and so may another function.
    assert reconciler.tick()["redelivered"] == 20
    lost.extend(delivery(200 + n, f"g{n}", 200) for n in range(20, 40))
    assert world.tick() == (10, 0)
    assert world.tick() == (0, 0)


@pytest.mark.parametrize(
    ("hook", "ours"),
    [
        ("https://yard.test/webhook", True),
        ("https://yard.test/api/webhooks/github", True),
        ("https://yard.test/webhook?x=1", True),
        ("https://yard.test/webhook/other", False),
        ("https://ci.test/hooks", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_only_our_own_hook_is_looked_at(world, github, hook, ours):
    github.add(
        "octo/shop",
        hooks=[{"id": 4}, {"id": 5, "config": {"url": hook}}],
        deliveries={5: [delivery(1, "a", 502)]},
    )

    assert world.tick() == (int(ours), 0)


def test_an_address_tells_it_where_it_is_known(world, github):
    github.add("octo/shop", hooks=[HOOK], deliveries={5: [delivery(1, "a", 502)]})

    assert world.tick(url="https://other.test/") == (0, 0)
    world.clock.tick(3_601)
    assert world.tick(url="https://yard.test/") == (1, 0)


def test_a_token_that_may_not_see_hooks_still_compares(world, github):
    github.add("octo/shop", pulls={1: told(1)}, hooks=[HOOK], admin=False)

    assert world.tick() == (0, 1)


def test_one_bad_repository_never_blocks_the_others(world, github):
    world.repositories = ["octo/none", "bad name", "octo/shop"]
    github.add("octo/shop", pulls={1: told(1)})

    assert world.tick() == (0, 1)


def test_one_bad_pull_request_never_blocks_the_others(world, github):
    github.add("octo/shop", pulls={n: told(n) for n in (1, 2, 3)})
    world.open["octo/shop"] = [1, 2, 3]

    def take(repository, pull):
        if pull["number"] == 2:
            raise ValueError("odd")
        world.taken.append((repository, pull))

    assert world.tick(take=take) == (0, 2)
    assert world.numbers() == [1, 3]


def test_a_rate_limit_leaves_github_alone_until_it_ends(world, github):
    world.repositories = ["octo/shop", "octo/other"]
    github.add("octo/shop", pulls={1: told(1)})
    github.add("octo/other", pulls={2: told(2)})
    github.trouble = [refusal(429, "slow down", Retry_After="600")]

    assert world.tick() == (0, 0)
    assert world.tick() == (0, 0)
    assert len(github.requests) == 1
    world.clock.tick(601)
    assert world.tick() == (0, 2)


def test_a_round_ends_in_time_and_the_next_one_goes_on(world, github):
    world.repositories = [f"octo/r{n}" for n in range(5)]
    for name in world.repositories:
        github.add(name, pulls={1: told(1)})

    def slow(repository, pull):
        world.taken.append((repository, pull))
        world.clock.tick(8)

    assert [world.tick(take=slow) for _ in range(3)] == [(0, 3), (0, 2), (0, 0)]


def test_many_unknown_ones_are_asked_for_a_few_at_a_time(world, github):
    github.add("octo/shop", pulls={n: told(n) for n in range(1, 81)})

    assert world.tick() == (0, 50)
    world.open["octo/shop"] = world.numbers()
    assert world.tick() == (0, 80)
    assert world.tick() == (0, 0)


def test_two_functions_at_once_do_it_once(world, github):
    github.add("octo/shop", pulls={1: told(1)})
    first, second = world.made(), world.made()

    assert (first.tick()["compared"], second.tick()["compared"]) == (1, 0)
