"""Who is to do a task, by the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.orchestration import Candidate, Facilitator
from eventyard.orchestration.routing import availability, route, score

PY = frozenset({"python"})


def test_the_score_is_what_the_formula_says():
    one = Candidate(1, PY, strength=0.8, workload=1, approval_rate=0.5)

    plain = 0.5 * 0.8 * 0.5 + 0.8 * 0.3 + 0.5 * 0.2
    assert score(one, ["python", "sql"], priority=10) == pytest.approx(plain)
    assert score(one, ["python", "sql"], 5) == pytest.approx(plain * 1.25)
    assert score(one, ["python", "sql"], 1) == pytest.approx(plain * 1.45)
    assert score(Candidate(1, PY), ["python"], 10) == pytest.approx(0.9)


def test_a_strength_for_each_competency_counts_for_those_that_are_wanted():
    one = Candidate(1, frozenset({"a", "b"}), strength={"a": 1.0, "b": 0.0})
    assert score(one, ["a"], 10) == pytest.approx(1.0)
    assert score(one, ["b"], 10) == pytest.approx(0.5)
    assert score(one, ["c"], 10) == pytest.approx(0.5)


@pytest.mark.parametrize(("load", "time"), [(0, 1.0), (2, 0.6), (5, 0.0), (9, 0.0)])
def test_five_tasks_are_all_that_there_is_time_for(load, time):
    assert availability(load) == pytest.approx(time)


def test_who_has_none_of_the_competencies_is_no_candidate():
    assert route([Candidate(1, frozenset({"go"}))], ["python"]) is None
    assert route([Candidate(1)], []).agent_id == 1


def test_nobody_at_all_is_no_fault():
    facilitator = Facilitator()
    assert route([], ["python"]) is None
    assert facilitator.route_task([], ["python"]) is None
    assert facilitator.route_review([], 1) is None


def test_what_was_given_out_counts_until_it_is_taken_back():
    facilitator = Facilitator()
    two = [Candidate(1, PY), Candidate("b", PY)]
    assert [facilitator.route_task(two, ["python"]) for _ in range(3)] == [1, "b", 1]
    assert (facilitator.workload(1), facilitator.workload("1")) == (2, 2)
    facilitator.release(1)
    facilitator.release(1)
    facilitator.release(1)
    assert facilitator.workload(1) == 0
    assert facilitator.route_task(two, ["python"]) == 1


def test_nobody_reviews_what_is_their_own_and_only_reviewers_do():
    author = Candidate(7, PY, can_review=True)
    lay = Candidate(8, PY)
    other = Candidate(9, frozenset({"go"}), can_review=True)
    facilitator = Facilitator()
    assert facilitator.route_review([author, lay], "7", ["python"]) is None
    assert facilitator.route_review([author, lay, other], 7, ["python"]) == 9


def test_a_file_is_whose_it_was_first_until_it_is_let_go():
    facilitator = Facilitator()
    assert facilitator.register_file_access(1, "a/./b.py") is None
    assert facilitator.register_file_access("1", "a/b.py") is None
    assert facilitator.register_file_access(2, "a//b.py") == 1
    facilitator.release_files(1)
    assert facilitator.register_file_access(2, "a/b.py") is None


@given(
    st.floats(0, 1),
    st.integers(0, 10),
    st.floats(0, 1),
    st.integers(1, 10),
    st.sets(st.sampled_from("abcd"), min_size=1),
)
def test_more_of_anything_good_never_lowers_a_score(rate, load, strength, urgency, has):
    one = Candidate(1, frozenset(has), strength, load, rate)
    base = score(one, "abcd", urgency)
    better = Candidate(1, frozenset("abcd"), strength, max(load - 1, 0), 1.0)
    assert 0 <= base <= score(better, "abcd", urgency) <= 1.45
    assert score(one, "abcd", max(urgency - 1, 1)) >= base
