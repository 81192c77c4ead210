"""The state of a pull request follows from what was told, not from when it came."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.pulls.shown import phases, show
from chalicelib.pulls.state import PullState
from chalicelib.pulls.store import sortable
from tests import github
from tests.github import NUMBER, REPOSITORY, STORY
from tests.pulls import read, told

EVERY = {name: github.load(name) for name in github.SAMPLES}
FIRST_HEAD = EVERY["pull_request.opened"].body["pull_request"]["head"]["sha"]
SECOND_HEAD = EVERY["pull_request.synchronize"].body["after"]


def shown(*names: str) -> dict[str, Any]:
    return show(told([EVERY[name] for name in names]))


WHOLE = show(told([EVERY[name] for name in STORY]))


@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_any_order_with_any_repeats_ends_the_same(
    chance: random.Random, repeats: int
) -> None:
    deliveries = [EVERY[name] for name in STORY]
    deliveries += chance.choices(deliveries, k=repeats)
    chance.shuffle(deliveries)

    assert show(told(deliveries)) == WHOLE


@given(st.integers(0, len(STORY)), st.randoms(use_true_random=False))
def test_a_part_of_the_story_ends_the_same_in_any_order(
    length: int, chance: random.Random
) -> None:
    part = [EVERY[name] for name in STORY[:length]]
    mixed = chance.sample(part, len(part))

    assert told(mixed) == told(part)


@given(st.integers(0, len(STORY)))
def test_what_is_kept_is_read_back_as_it_was(length: int) -> None:
    state = told([EVERY[name] for name in STORY[:length]])

    assert PullState.from_text(REPOSITORY, NUMBER, state.to_text()) == state


MOMENTS = st.just("") | st.datetimes().map(lambda d: d.isoformat() + "Z")
STAMPS = st.tuples(MOMENTS, st.integers(0, 999), st.text("0123456789abcdef,:~-"))


@given(STAMPS, STAMPS)
def test_stamps_sort_in_the_table_as_they_do_here(one: Any, other: Any) -> None:
    assert (one < other) == (sortable(one) < sortable(other))


@pytest.mark.parametrize("name", STORY)
def test_the_checks_of_the_story_sort_alike_too(name: str) -> None:
    every = [check for one in EVERY.values() for check in read(one).checks]
    for check in read(EVERY[name]).checks:
        for other in every:
            newer = check.stamp < other.stamp
            assert newer == (sortable(check.stamp) < sortable(other.stamp))


def test_the_whole_story_ends_merged_with_everything_told() -> None:
    assert WHOLE["status"] == "merged"
    assert WHOLE["pipeline_status"] == {
        "status_pr": "updated",
        "status_build": "passed",
        "status_approval": "approved",
        "status_merge": "merged",
    }
    assert WHOLE["commit_sha"] == SECOND_HEAD
    assert WHOLE["merged_at"] == WHOLE["updated_at"] == "2026-03-02T10:00:00.000Z"
    assert WHOLE["reviews"] == [
        {"reviewer": "cy", "state": "approved", "at": "2026-03-02T09:50:00.000Z"}
    ]
    assert (WHOLE["additions"], WHOLE["deletions"]) == (22, 14)


@pytest.mark.parametrize(
    ("names", "field", "expected"),
    [
        (["pull_request.opened"], "status_pr", "opened"),
        (["pull_request.synchronize"], "status_pr", "updated"),
        (["pull_request.opened", "pull_request.reopened"], "status_pr", "updated"),
        (["pull_request.labeled"], "status_pr", "pending"),
        (["pull_request.opened", "workflow_run.requested"], "status_build", "running"),
        (["pull_request.opened", "workflow_run.completed.failure"], "status_build", "failed"),
        (["pull_request.synchronize", "workflow_run.completed.success"], "status_build", "passed"),
        (["pull_request.opened", "workflow_run.completed.success"], "status_build", "pending"),
        (["pull_request.opened", "workflow_job.in_progress"], "status_build", "running"),
        (["pull_request.opened", "check_run.created"], "status_build", "running"),
        (["pull_request.opened", "check_run.completed.failure"], "status_build", "failed"),
        (["pull_request.opened", "check_run.completed.failure", "check_run.rerequested"], "status_build", "running"),
        (["pull_request.synchronize", "check_run.completed.neutral"], "status_build", "pending"),
        (["pull_request.synchronize", "check_run.completed.skipped"], "status_build", "pending"),
        (["pull_request.synchronize", "check_run.completed.skipped", "check_run.completed.success"], "status_build", "passed"),
        (["pull_request.opened", "check_suite.requested"], "status_build", "running"),
        (["pull_request.opened", "check_suite.completed.failure"], "status_build", "failed"),
        (["pull_request.opened", "check_suite.completed.failure", "check_suite.rerequested"], "status_build", "running"),
        (["pull_request.opened", "status.pending"], "status_build", "running"),
        (["pull_request.opened", "status.failure"], "status_build", "failed"),
        (["pull_request_review.submitted.approved"], "status_approval", "approved"),
        (["pull_request_review.submitted.changes_requested"], "status_approval", "changes_requested"),
        (["pull_request_review.submitted.commented"], "status_approval", "pending"),
        (["pull_request_review.submitted.changes_requested", "pull_request_review.dismissed"], "status_approval", "pending"),
        (["pull_request_review.submitted.changes_requested", "pull_request.synchronize"], "status_approval", "pending"),
        (["pull_request.closed"], "status_merge", "closed"),
        (["pull_request.closed", "pull_request.reopened"], "status_merge", "pending"),
        (["pull_request.closed.merged"], "status_merge", "merged"),
    ],
)  # fmt: skip
def test_what_each_kind_of_event_does(
    names: list[str], field: str, expected: str
) -> None:
    assert shown(*names)["pipeline_status"][field] == expected


def test_a_late_green_check_does_not_hide_a_red_one() -> None:
    red = EVERY["check_run.completed.failure"]
    green = red.having(
        check_run__name="lint",
        check_run__id=91_999,
        check_run__conclusion="success",
        check_run__completed_at="2026-03-02T09:30:00Z",
    )

    state = told([EVERY["pull_request.opened"], red, green])

    assert state.build == "failed"
    assert state.counts == {"passed": 1, "failed": 1, "running": 0, "ignored": 0}


def test_a_run_again_of_one_check_counts_in_the_place_of_the_first() -> None:
    red = EVERY["check_run.completed.failure"]
    again = red.having(
        check_run__id=91_999,
        check_run__conclusion="success",
        check_run__started_at="2026-03-02T09:31:00Z",
        check_run__completed_at="2026-03-02T09:32:00Z",
    )

    for order in ([red, again], [again, red]):
        state = told([EVERY["pull_request.opened"], *order])
        assert (state.build, state.counts["passed"], state.counts["failed"]) == (
            "passed",
            1,
            0,
        )


def test_one_run_that_is_told_of_in_four_ways_is_counted_once() -> None:
    names = ["check_run", "workflow_job", "workflow_run", "check_suite"]

    state = told(
        [
            EVERY["pull_request.opened"],
            *(EVERY[f"{n}.completed.failure"] for n in names),
        ]
    )

    assert state.counts == {"passed": 0, "failed": 1, "running": 0, "ignored": 0}
    assert state.build == "failed"


def test_a_cancelled_run_says_nothing_of_the_code() -> None:
    cancelled = EVERY["workflow_run.completed.failure"].having(
        workflow_run__conclusion="cancelled"
    )

    assert told([EVERY["pull_request.opened"], cancelled]).build == "pending"


def test_the_last_word_of_each_reviewer_counts_and_one_objection_is_enough() -> None:
    approved = EVERY["pull_request_review.submitted.approved"]
    objection = approved.having(
        review__id=77_900,
        review__user__login="di",
        review__state="changes_requested",
    )
    later = objection.having(
        review__id=77_901,
        review__state="approved",
        review__submitted_at="2026-03-02T09:59:00Z",
    )

    assert show(told([approved, objection]))["status"] == "pending"
    assert show(told([later, objection, approved]))["status"] == "approved"


def test_a_comment_does_not_take_an_approval_back() -> None:
    approved = EVERY["pull_request_review.submitted.approved"]
    comment = approved.having(
        review__id=77_902,
        review__state="commented",
        review__submitted_at="2026-03-02T09:59:00Z",
    )

    assert show(told([approved, comment]))["status"] == "approved"


def test_merged_stays_merged_whatever_is_told_later() -> None:
    merged = EVERY["pull_request.closed.merged"]
    edited = EVERY["pull_request.edited"].having(
        pull_request__updated_at="2026-03-03T10:00:00Z"
    )

    assert show(told([merged, edited]))["status"] == "merged"


def test_what_is_older_changes_nothing_that_is_newer() -> None:
    old = EVERY["pull_request.edited"].having(pull_request__title="An old title")
    new = EVERY["pull_request.synchronize"].having(pull_request__title="The new title")

    assert show(told([new, old]))["title"] == "The new title"


def test_an_analysis_does_not_make_fresh_what_lies_still() -> None:
    state = told([EVERY["pull_request.opened"]])
    told_again = replace(state, insight={"created_at": "2026-11-30T03:07:09.197Z"})

    assert told_again.updated_at == state.updated_at == "2026-03-02T09:06:00.000Z"


def test_of_one_second_the_event_that_must_be_later_counts() -> None:
    same = "2026-03-02T09:40:02Z"
    pushed = EVERY["pull_request.synchronize"].having(pull_request__updated_at=same)
    labeled = EVERY["pull_request.labeled"].having(pull_request__updated_at=same)

    for order in ([pushed, labeled], [labeled, pushed]):
        assert show(told(order))["commit_sha"] == SECOND_HEAD


def test_a_review_alone_shows_the_pull_request_that_it_is_of() -> None:
    alone = shown("pull_request_review.submitted.approved")

    assert alone["title"] == WHOLE["title"]
    assert alone["status"] == "approved"
    assert alone["additions"] == 0
    assert alone["changed_files"] is None


def test_phases_end_where_the_next_begins() -> None:
    pull = {
        "first_commit_at": "2026-03-02T08:00:00Z",
        "created_at": "2026-03-02T09:00:00Z",
        "first_review_at": "2026-03-02T09:30:00Z",
        "approved_at": "2026-03-02T11:00:00Z",
        "merged_at": "2026-03-02T11:10:00Z",
    }

    assert phases(pull) == {
        "coding_s": 3600.0,
        "pickup_s": 1800.0,
        "review_s": 5400.0,
        "merge_s": 600.0,
        "cycle_s": 11_400.0,
    }


def test_a_phase_that_is_not_over_has_no_length() -> None:
    pull = dict.fromkeys(
        ("first_commit_at", "first_review_at", "approved_at", "merged_at")
    ) | {"created_at": "2026-03-02T09:00:00Z"}

    assert set(phases(pull).values()) == {None}


def test_the_largest_state_fits_into_one_frame() -> None:
    wide = "𝄞" * 20_000
    people = [{"login": "x" * 300} for _ in range(100)]
    opened = EVERY["pull_request.opened"].having(
        pull_request__title=wide,
        pull_request__body=wide,
        pull_request__labels=[{"name": wide, "color": "ff0000"}] * 100,
        pull_request__assignees=people,
        pull_request__requested_reviewers=people,
    )
    (facts,) = read(opened).pulls
    names = tuple(f"{n}/" + "é" * 4_000 for n in range(3_000))

    state = PullState(REPOSITORY, NUMBER).merge(replace(facts, files=names))

    assert len(json.dumps(show(state), ensure_ascii=False).encode()) < 100_000
