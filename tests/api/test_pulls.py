"""Pull requests over HTTP: the seed's shapes, lists, details, figures."""

from __future__ import annotations

import pytest

from tests import github, steps
from tests.github import NUMBER, REPOSITORY
from tests.steps import bearer

OPENED = github.load("pull_request.opened")
MERGED = github.load("pull_request.closed.merged")
SEED_PULL = {
    "number",
    "title",
    "author",
    "authorAvatar",
    "commitSha",
    "repositoryName",
    "createdAt",
    "updatedAt",
    "status",
    "filesChanged",
    "additions",
    "deletions",
    "branchName",
    "isDraft",
    "description",
}
SEED_REPOSITORY = {
    "name",
    "fullName",
    "description",
    "owner",
    "ownerAvatar",
    "isPrivate",
    "defaultBranch",
    "openPRs",
    "totalPRs",
    "lastActivity",
    "languages",
    "stars",
    "forks",
}


@pytest.fixture
def deliver(http, pump):
    pump.left.add("insights")

    def send(*samples):
        steps.deliver(http, *samples)
        pump.run()

    return send


def numbered(number, minute, **values):
    """Open another pull request, at a minute of its own."""
    moment = f"2026-03-02T09:{minute:02d}:00Z"
    said = OPENED.of_number(number)
    return said.having(
        pull_request__updated_at=moment,
        **{f"pull_request__{n}": v for n, v in values.items()},
    )


@pytest.fixture
def board(deliver):
    deliver(
        numbered(1, 1, title="Fix the cart", user={"login": "ada", "type": "User"}),
        numbered(2, 2, title="Draw the cart", draft=True),
        numbered(3, 3, title="Pay", labels=[{"name": "bug", "color": "ff0000"}]),
        MERGED.of_number(4),
        numbered(5, 5, title="Elsewhere").in_repository("other/place"),
    )


def numbers(http, query=""):
    return [
        one["pr_number"] for one in http.get(f"/api/v1/pulls{query}").json()["pulls"]
    ]


def test_the_list_is_as_the_seed_shows_it(http, deliver):
    deliver(OPENED)

    answer = http.get("/api/prs")

    (shown,) = answer.json()
    assert shown.keys() == SEED_PULL
    assert shown["number"] == NUMBER
    assert shown["authorAvatar"].startswith("https://")
    assert shown["commitSha"] == OPENED.body["pull_request"]["head"]["sha"]
    assert shown["repositoryName"] == REPOSITORY
    assert shown["status"] == "pending"
    assert shown["filesChanged"] == []
    assert (shown["additions"], shown["deletions"]) == (
        OPENED.body["pull_request"]["additions"],
        OPENED.body["pull_request"]["deletions"],
    )
    assert answer.headers["eventyard-cursor"]


def test_where_nothing_was_told_lists_are_empty(http):
    assert http.get("/api/prs").json() == []
    assert http.get("/api/v1/pulls").json()["pulls"] == []
    assert http.get("/api/v1/repositories").json() == {"repositories": []}
    assert http.get("/api/insights/101").json() == []
    assert http.get("/api/repository").status == 404


def test_the_last_updated_comes_first_over_all_repositories(http, board):
    assert numbers(http) == [4, 5, 3, 2, 1]
    assert [one["number"] for one in http.get("/api/prs").json()] == [4, 5, 3, 2, 1]


def test_a_list_is_narrowed_by_what_is_asked(http, board):
    expected = {
        "?state=open": [5, 3, 2, 1],
        "?state=done": [4],
        "?status=merged": [4],
        "?status=merged&status=closed": [4],
        "?status=pending&repository=octo/shop": [3, 2, 1],
        "?repository=other/place": [5],
        "?repository=OTHER/Place": [5],
        "?repository=no/such": [],
        "?draft=true": [2],
        "?draft=false&state=open": [5, 3, 1],
        "?label=bug": [3],
        "?author=ADA&q=draw": [2],
        "?author=bo&q=draw": [],
        "?q=cart": [2, 1],
        "?q=the+DRAW": [2],
        "?q=other/place": [5],
        "?risk=high": [],
        "?reviewer=nobody": [],
    }

    assert {query: numbers(http, query) for query in expected} == expected


@pytest.mark.parametrize(
    "query",
    ["?state=x", "?status=x", "?risk=x", "?limit=0", "?limit=x", "?draft=perhaps"],
)
def test_what_makes_no_sense_is_told_so(http, query):
    answer = http.get(f"/api/v1/pulls{query}")

    assert answer.status == 400
    assert answer.fault()["details"]["parameter"] == query[1:].partition("=")[0]


def test_pages_go_on_without_a_gap_or_a_repeat(http, board):
    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"/api/v1/pulls?limit=2{cursor and '&cursor=' + cursor}").json()
        seen += [one["pr_number"] for one in page["pulls"]]
        cursor = page["cursor"] and page["cursor"].replace("#", "%23")
    assert seen == [4, 5, 3, 2, 1]


def test_one_pull_request_is_told_with_its_checks_and_phases(http, deliver):
    deliver(
        OPENED, github.load("check_run.completed.failure"), github.load("push.created")
    )

    told = http.get(f"/api/v1/pulls/{REPOSITORY}/{NUMBER}").json()

    assert told["pull"]["pipeline_status"]["status_build"] == "failed"
    (check,) = told["checks"]
    assert (check["name"], check["state"], check["conclusion"]) == (
        "test",
        "failed",
        "failure",
    )
    assert told["phases"]["coding_s"] == 80.0
    assert told["insights"] == []
    assert told["files"] is None


def test_a_pull_request_that_is_not_there_is_told_so(http, deliver):
    deliver(OPENED)

    for path in ("octo/shop/7", "octo/shop/x", "no/such/1", "octo/shop/" + "9" * 12):
        assert http.get(f"/api/v1/pulls/{path}").status == 404
        assert http.get(f"/api/v1/pulls/{path}/history").status == 404


def test_the_repository_is_as_the_seed_shows_it(http, board):
    shown = http.get("/api/repository?repository=octo/shop").json()

    assert shown.keys() == SEED_REPOSITORY
    assert (shown["openPRs"], shown["totalPRs"]) == (3, 4)
    assert (shown["name"], shown["fullName"], shown["owner"]) == (
        "shop",
        "octo/shop",
        "octo",
    )
    assert shown["languages"] == ["Python"]
    assert shown["defaultBranch"] == "main"
    assert http.get("/api/repository").status == 200
    assert http.get("/api/repository?repository=no/such").status == 404


def test_all_repositories_are_listed_with_their_counts(http, board):
    told = http.get("/api/v1/repositories").json()["repositories"]

    assert [(one["full_name"], one["open_prs"], one["total_prs"]) for one in told] == [
        ("octo/shop", 3, 4),
        ("other/place", 1, 1),
    ]


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 12, "%C2%B2"])
def test_insights_of_what_is_no_number_are_refused(http, number):
    assert http.get(f"/api/insights/{number}").status == 422


def test_an_analysis_can_be_asked_for_again(http, deliver, pump):
    deliver(OPENED)
    pump.messages("insights")

    answer = http.post(f"/api/v1/pulls/{REPOSITORY}/{NUMBER}/analyse")

    assert (answer.status, answer.json()) == (202, {"status": "queued"})
    (asked,) = pump.messages("insights")
    assert '"again":true' in asked["body"]
    assert http.post(f"/api/v1/pulls/{REPOSITORY}/7/analyse").status == 404


def test_reading_and_asking_need_their_scopes(http, locked):
    assert http.get("/api/prs").status == 401
    bearer(http, "pulls:read")
    assert http.get("/api/prs").status == 200
    assert http.post(f"/api/v1/pulls/{REPOSITORY}/1/analyse").status == 403
    bearer(http, "events:subscribe")
    assert http.get("/api/v1/pulls").status == 403


def test_figures_tell_phases_load_and_what_lies_still(http, deliver, platform):
    from eventyard.core import moments

    deliver(
        OPENED,
        github.load("pull_request_review.submitted.approved"),
        MERGED,
        numbered(7, 1),
    )
    platform.pulls.store.clock = lambda: moments.read(
        "2026-03-06T09:00:00Z"
    ).timestamp()

    told = http.get("/api/v1/pulls/metrics?days=30").json()

    assert (told["merged"], told["open"], told["days"]) == (1, 1, 30)
    assert told["phases"]["pickup"] == {
        "p50_s": 2640.0,
        "p75_s": 2640.0,
        "count": 1,
        "band": "elite",
    }
    assert told["phases"]["coding"]["count"] == 0
    assert told["phases"]["coding"]["band"] is None
    (lying,) = told["stale"]
    assert (lying["pr_number"], lying["why"]) == (7, "no_review")
    assert told["load"][0]["reviewer"] == "cy"
    assert http.get("/api/v1/pulls/metrics?days=1").json()["merged"] == 0
