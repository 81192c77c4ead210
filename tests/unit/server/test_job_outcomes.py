"""What becomes of a job by how a try ended, whatever it was before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.jobs.model import ENDS, MOST_ATTEMPTS, JobRow, from_item
from chalicelib.jobs.outcomes import Outcome, Seen, after, delay_s
from eventyard.core.ulid import is_ulid

ROW = JobRow(
    id="job_01J00000000000000000000000",
    service="scraper",
    queue="jobs",
    by="ada",
    priority=5,
    created=1_000.0,
    keep_s=60,
    status="running",
    attempts=1,
    started=1_001.0,
)
rows = st.builds(
    replace,
    st.just(ROW),
    attempts=st.integers(1, MOST_ATTEMPTS),
    revision=st.integers(0, 9),
    progress=st.floats(0, 1),
    error=st.none() | st.text(max_size=20),
    facts=st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
results = st.builds(
    Outcome,
    st.sampled_from(["completed", "failed", "cancelled", "paused"]),
    st.none() | st.text(max_size=2_000),
    st.booleans(),
    after_s=st.floats(0, 86_400),
)
seen = st.builds(
    Seen,
    progress=st.floats(0, 1),
    revision=st.integers(0, 20),
    cancel=st.booleans(),
)


@given(rows, results, seen)
def test_a_try_leaves_a_job_ended_ready_or_waiting(row, outcome, known):
    new, kind = after(row, outcome, known, 2_000.0)

    assert [new.is_over, new.ready is not None, new.due is not None].count(True) == 1
    assert (new.completed is not None) == new.is_over
    assert new.is_over == (kind in ENDS)
    assert new.revision >= max(row.revision, known.revision)
    assert len(new.error or "") <= 1_000
    assert new.ttl == (2_060 if new.is_over else None)


@given(rows, results, seen)
def test_who_was_to_stop_stops(row, outcome, known):
    new, kind = after(row, outcome, replace(known, cancel=True), 2_000.0)

    assert (new.status, kind) == ("cancelled", "cancelled")


@given(rows, seen)
def test_nothing_is_tried_more_often_than_it_may(row, known):
    outcome = Outcome("failed", "x", retryable=True, last_error="no more")
    new, _ = after(row, outcome, replace(known, cancel=False), 2_000.0)

    last = row.attempts == MOST_ATTEMPTS
    assert new.status == ("failed" if last else "pending")
    assert new.error == ("no more" if last else "x")


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (7, 60), (60, 60)]
)
def test_the_wait_doubles_up_to_a_minute(attempts, seconds):
    assert delay_s(attempts) == seconds


def test_a_pause_keeps_what_is_known():
    known = Seen(0.5, {"pages": 3}, 7, "p")
    new, kind = after(ROW, Outcome("paused"), known, 2_000.0)

    assert (new.status, kind, new.progress, new.facts) == (
        "running",
        None,
        0.5,
        {"pages": 3},
    )
    assert (new.revision, new.place) == (7, "p")
    assert is_ulid(new.ulid)


@given(rows)
def test_a_job_is_read_as_it_was_stored(row):
    item = {name: value for name, value in row.to_item().items() if value is not None}

    assert from_item(item) == row
