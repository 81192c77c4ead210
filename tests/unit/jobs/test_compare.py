"""What changed from one run to the next."""

from __future__ import annotations

from typing import Any

from eventyard.jobs.scraping.compare import difference


def row(key: str, **more: Any) -> dict[str, Any]:
    plain = {"error": None, "status": 200, "hash": "h", "emails": [], "phones": []}
    return {"key": key, **plain, **more}


def test_pages_are_added_removed_and_changed() -> None:
    before = [row("a"), row("b", hash="old", emails=["x@y.de"]), row("c")]
    now = [row("a"), row("b", hash="new", phones=["+49"]), row("d")]

    found = difference(before, now, whole=True)

    assert found == {
        "added": ["d"],
        "removed": ["c"],
        "changed": ["b"],
        "added_count": 1,
        "removed_count": 1,
        "changed_count": 1,
        "unchanged_count": 1,
        "contacts_added": ["+49"],
        "contacts_removed": ["x@y.de"],
    }


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert difference([], [row("a")], whole=True) is None


def test_a_page_that_could_not_be_asked_for_may_still_be_there() -> None:
    late = row("a", error="no answer within 1 s", status=None)
    gone = row("b", error="HTTP 404", status=404)

    found = difference([row("a"), row("b")], [late, gone], whole=True)

    assert found is not None
    assert found["removed"] == ["b"]
    assert found["added"] == []


def test_what_a_run_had_no_room_for_is_not_removed() -> None:
    found = difference([row("a"), row("b")], [row("a")], whole=False)

    assert found is not None
    assert found["removed_count"] == 0


def test_a_page_that_failed_before_and_is_fine_now_is_new() -> None:
    found = difference([row("a", error="HTTP 500")], [row("a")], whole=True)

    assert found is not None
    assert found["added"] == ["a"]


def test_lists_are_short_and_counts_whole() -> None:
    many = [row(f"{n:04}") for n in range(300)]

    found = difference([row("x")], many, whole=True)

    assert found is not None
    assert len(found["added"]) == 200
    assert found["added_count"] == 300
