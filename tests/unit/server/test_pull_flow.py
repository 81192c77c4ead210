"""How a pull request changes the event flow, and which scans tell."""

from __future__ import annotations

import pytest

from chalicelib.pulls.flow import FlowFinder, Scan, difference
from eventyard.core.errors import NotFoundError
from eventyard.core.graph.model import AgentNode, Edge, EventNode, FlowModel
from tests.pulls import BASE, HEAD


def model(*edges, tests=()):
    """A model of `agent > event` (publishes) and `agent < event` (listens)."""
    made = []
    for text in edges:
        agent, sign, event = text.split()
        made.append(Edge(agent, event, "publishes" if sign == ">" else "subscribes"))
    events = [EventNode(e.event, pattern="*" in e.event) for e in made]
    agents = [AgentNode(e.agent, test=e.agent in tests) for e in made]
    return FlowModel.of(events, agents, made)


SHOP = ("shop > order.placed", "billing < order.placed", "billing > order.paid")


def changed(found):
    return {name: value for name, value in found.items() if value and name != "empty"}


def test_the_same_flow_differs_in_nothing():
    found = difference(model(*SHOP), model(*SHOP))

    assert found == {
        "publishers_added": [],
        "publishers_removed": [],
        "subscribers_added": [],
        "subscribers_removed": [],
        "orphans_made": [],
        "lost_last_publisher": [],
        "empty": True,
    }


def test_who_publishes_and_who_listens_is_told_by_name():
    head = model(
        "web > order.placed",
        "billing < order.placed",
        "billing > order.paid",
        "mail < order.paid",
    )

    found = difference(model(*SHOP), head)

    assert changed(found) == {
        "publishers_added": [{"event": "order.placed", "agent": "web"}],
        "publishers_removed": [{"event": "order.placed", "agent": "shop"}],
        "subscribers_added": [{"event": "order.paid", "agent": "mail"}],
    }
    assert found["empty"] is False


def test_an_event_that_somebody_hears_and_nobody_publishes_any_more_is_lost():
    head = model("billing < order.placed", "billing > order.paid")

    found = difference(model(*SHOP), head)

    assert found["lost_last_publisher"] == ["order.placed"]
    assert found["orphans_made"] == [{"event": "order.placed", "kind": "unpublished"}]


def test_one_that_nobody_hears_any_more_either_is_not():
    found = difference(model(*SHOP), model("billing > order.paid"))

    assert found["lost_last_publisher"] == []
    assert found["orphans_made"] == []


def test_one_of_two_publishers_may_go():
    base = model(*SHOP, "web > order.placed")

    assert difference(base, model(*SHOP))["lost_last_publisher"] == []


def test_one_that_never_had_a_publisher_here_is_not_lost():
    base = model("billing < order.placed")

    found = difference(base, model("billing < order.placed", "mail < order.placed"))

    assert (found["lost_last_publisher"], found["orphans_made"]) == ([], [])


def test_new_orphans_are_told_and_old_ones_are_not():
    base = model("shop > order.placed")

    found = difference(base, model("shop > order.placed", "shop > order.odd"))

    assert found["orphans_made"] == [{"event": "order.odd", "kind": "unheard"}]


def test_who_listens_to_a_pattern_loses_its_publisher_as_well():
    base = model("shop > order.placed", "audit < order.*")

    found = difference(base, model("audit < order.*"))

    assert found["lost_last_publisher"] == ["order.placed"]
    assert found["subscribers_removed"] == []


def test_a_new_event_that_a_pattern_hears_is_no_orphan():
    base = model("shop > order.placed", "audit < order.*")

    found = difference(
        base, model("shop > order.placed", "shop > order.sent", "audit < order.*")
    )

    assert changed(found) == {
        "publishers_added": [{"event": "order.sent", "agent": "shop"}]
    }


def test_tests_neither_publish_nor_listen():
    base = model(*SHOP, "test_shop > order.placed", tests=["test_shop"])
    head = model(
        "billing < order.placed",
        "billing > order.paid",
        "test_shop > order.placed",
        "test_mail < order.paid",
        tests=["test_shop", "test_mail"],
    )

    found = difference(base, head)

    assert found["lost_last_publisher"] == ["order.placed"]
    assert found["subscribers_added"] == []


def test_only_so_much_is_told():
    base = model(*[f"shop > e.{n:03}{'x' * 300}" for n in range(99)])

    found = difference(base, model())

    assert len(found["publishers_removed"]) == 20
    assert len(found["publishers_removed"][0]["event"]) == 160
    assert found["empty"] is False


# --- Which scans --------------------------------------------------------------------


class Kept:
    """Versions of graphs: the last of each ref is its newest."""

    def __init__(self, *scans):
        self.scans = scans
        self.read = []

    def heads(self):
        return {(scan.project, scan.ref): scan for scan in self.scans}.values()

    def history(self, project, ref):
        self.read.append(ref)
        here = [s for s in self.scans if (s.project, s.ref) == (project, ref)]
        return reversed(here)


def scan(ref, version=1, commit=None, project="octo/shop", edges=SHOP):
    return Scan(project, ref, version, commit, lambda: model(*edges))


def found(*scans, kept=None, **told):
    kept = kept or Kept(*scans)
    asked = {
        "repository": "octo/shop",
        "base_sha": BASE,
        "base_branch": "main",
        "head_sha": HEAD,
        "branch_name": "retry",
        **told,
    }
    return FlowFinder(kept.heads, kept.history).find(**asked)


def sides(difference):
    if difference is None:
        return None
    names = ("ref", "version", "commit")
    return tuple(
        tuple(difference[side][name] for name in names) for side in ("base", "head")
    )


def test_scans_of_both_commits_are_compared_though_newer_ones_came():
    told = found(
        scan("main", 1, BASE),
        scan("main", 2, "c" * 40),
        scan("retry", 1, HEAD, edges=()),
        scan("retry", 2, "d" * 40),
    )

    assert told["project"] == "octo/shop"
    assert sides(told) == (("main", 1, BASE), ("retry", 1, HEAD))
    assert len(told["publishers_removed"]) == 2


@pytest.mark.parametrize("length", [7, 12, 40])
def test_a_commit_may_be_told_by_its_beginning(length):
    told = found(scan("x", 3, BASE[:length].upper()), scan("y", 4, HEAD[:length]))

    assert sides(told)[0][:2] == ("x", 3)


def test_too_short_a_beginning_is_none():
    assert found(scan("x", 3, BASE[:6]), scan("y", 4, HEAD[:6])) is None


def test_without_its_commit_the_newest_of_a_branch_stands_for_it():
    told = found(scan("main", 1), scan("main", 2), scan("retry", 7))

    assert sides(told) == (("main", 2, None), ("retry", 7, None))


@pytest.mark.parametrize(
    "scans",
    [
        [],
        [scan("main", 1, BASE)],
        [scan("retry", 1, HEAD)],
        [scan("main", 1, BASE, project="octo/other"), scan("retry", project="other")],
    ],
)
def test_with_one_side_alone_there_is_nothing_to_compare(scans):
    assert found(*scans) is None


def test_the_short_name_of_a_repository_is_a_project_as_well():
    told = found(scan("main", project="shop"), scan("retry", project="shop"))

    assert told["project"] == "shop"


def test_under_no_project_the_head_must_name_its_commit():
    main, branch = scan("main", project="default"), scan("retry", project="default")
    named = scan("retry", 2, HEAD, project="default")

    assert found(main, branch) is None
    assert sides(found(main, named)) == (("main", 1, None), ("retry", 2, HEAD))


def test_a_fork_whose_branch_is_called_as_the_base_needs_its_commit():
    assert found(scan("main", 2), branch_name="main") is None
    told = found(scan("main", 1, BASE), scan("main", 2, HEAD), branch_name="main")
    assert sides(told) == (("main", 1, BASE), ("main", 2, HEAD))


def test_a_head_is_never_compared_with_itself():
    # A scan of a detached commit names no branch and lands at main.
    assert found(scan("main", 2, HEAD), base_sha="e" * 40) is None


def test_a_pull_request_that_tells_no_commits_is_found_by_its_branches():
    told = found(scan("main"), scan("retry"), base_sha=None, head_sha=None)

    assert sides(told) == (("main", 1, None), ("retry", 1, None))
    assert found(scan("main"), base_branch=None, branch_name=None) is None


def test_histories_are_read_only_of_refs_that_there_are_and_as_needed():
    kept = Kept(scan("main", 1, BASE), scan("retry", 1, HEAD))
    found(kept=kept)
    assert kept.read == []

    kept = Kept(scan("retry", 1, HEAD), scan("retry", 2), scan("main", 1))
    found(kept=kept)
    assert kept.read == ["retry", "retry", "main"]


def test_a_scan_whose_content_is_gone_is_none():
    def gone():
        raise NotFoundError

    broken = Scan("octo/shop", "retry", 1, HEAD, gone)

    assert found(scan("main"), broken) is None
