"""The scans that are kept, and the event flow of a pull request found in them."""

from __future__ import annotations

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.graphs.scans import Scans
from chalicelib.pulls.flow import FlowFinder, Scan
from eventyard.core.graph.drawing import draw
from tests.pulls import BASE, HEAD
from tests.unit.server.test_pull_flow import SHOP, model


@pytest.fixture
def scans(platform):
    return Scans(platform.graphs.store)


@pytest.fixture
def push(platform):
    def pushed(
        ref, *edges, kind="complete", commit=None, project="octo/shop", told=True
    ):
        flow = model(*edges)
        body = {
            "graph_type": kind,
            "dot_content": draw(flow, kind),
            "project": project,
            "ref": ref,
            **({"model": flow.to_dict()} if told else {}),
            **({"commit": commit} if commit else {}),
        }
        platform.graphs.service.push(body, ANYBODY)

    return pushed


def named(versions):
    return [(v.place.project, v.place.ref, v.place.type, v.number) for v in versions]


def test_each_ref_has_one_scan_the_one_that_tells_most(scans, push):
    push("main", *SHOP, kind="simplified")
    push("main", *SHOP, kind="complete")
    push("retry", *SHOP, kind="full-tree")
    push("main", *SHOP, project="other", kind="simplified")

    assert sorted(named(scans.heads())) == [
        ("octo/shop", "main", "complete", 1),
        ("octo/shop", "retry", "full-tree", 1),
        ("other", "main", "simplified", 1),
    ]


def test_a_history_is_told_newest_first(scans, push):
    for count in range(1, 4):
        push("main", *SHOP[:count])

    assert [v.number for v in scans.history("octo/shop", "main")] == [3, 2, 1]
    assert list(scans.history("octo/shop", "none")) == []


@pytest.mark.parametrize("told", [True, False])
def test_a_pull_request_is_compared_by_what_was_pushed(platform, scans, push, told):
    push("main", *SHOP, commit=BASE, told=told)
    push("main", *SHOP, "late > order.late", commit="e" * 40, told=told)
    push("retry", *SHOP[1:], commit=HEAD[:12], told=told)

    def scan(version):
        return Scan(
            version.place.project,
            version.place.ref,
            version.number,
            version.commit,
            lambda: platform.graphs.service.flow(version),
        )

    finder = FlowFinder(
        lambda: map(scan, scans.heads()),
        lambda project, ref: map(scan, scans.history(project, ref)),
    )
    found = finder.find("octo/shop", BASE, "main", HEAD, "retry")

    assert found["lost_last_publisher"] == ["order.placed"]
    assert found["publishers_removed"] == [{"event": "order.placed", "agent": "shop"}]
    assert found["base"] == {"ref": "main", "version": 1, "commit": BASE}
    assert found["head"] == {"ref": "retry", "version": 1, "commit": HEAD[:12]}
