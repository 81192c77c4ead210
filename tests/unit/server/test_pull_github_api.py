"""Reading GitHub: page by page, patient within bounds, with a token nobody sees."""

from __future__ import annotations

import pytest

from chalicelib.outbound import Guard, Outbound
from chalicelib.pulls.github_api import (
    GitHubApi,
    GitHubDownError,
    GitHubRefusedError,
    RateLimitedError,
    TokenRefusedError,
    is_delivered,
)
from eventyard.core.errors import InvalidRequestError
from tests.fakes import Clock
from tests.githubserver import TOKEN, GitHub, changed, refusal
from tests.loopback import Reply, reply

NOW = 1_800_000_000.0


@pytest.fixture
def github():
    with GitHub() as made:
        yield made


@pytest.fixture
def api(github):
    return connect(github.url)


class Patient(GitHubApi):
    """Its pauses are kept, and cost no time."""

    slept: list[float]


def connect(url, token=TOKEN, **more):
    made = Patient(Outbound(Guard("127.0.0.1")), url, token, **more)
    made.clock = Clock(NOW)
    made.slept = []
    made.sleep = made.slept.append
    made.jitter = lambda: 0.5
    return made


def test_all_files_of_a_pull_request_come_page_by_page(github, api):
    names = [f"f{n}.py" for n in range(250)]
    github.add(
        "octo/shop", files={7: [changed(name, "@@ -1 +1 @@\n+x") for name in names]}
    )

    found = api.files("octo/shop", 7)

    assert [one["filename"] for one in found] == names
    assert [request.query.get("page", "1") for request in github.requests] == [
        "1",
        "2",
        "3",
    ]
    assert {request.query["per_page"] for request in github.requests} == {"100"}
    assert github.requests[0].headers["x-github-api-version"] == "2022-11-28"


def test_no_more_than_three_thousand_files_are_asked_for(github, api):
    github.add("octo/shop", files={7: [changed(f"f{n}") for n in range(3_500)]})

    assert len(api.files("octo/shop", 7)) == 3_000
    assert len(github.requests) == 30


def test_what_is_not_there_is_none(github, api):
    github.add("octo/shop")

    assert api.files("octo/shop", 7) is None
    assert api.pull("octo/shop", 7) is None
    assert api.compare("octo/shop", "a", "b") is None
    assert api.first_commit_at("octo/shop", 7) is None
    assert api.open_pulls("octo/none") is None
    assert api.hooks("octo/none") is None
    assert list(api.deliveries("octo/none", 1, 0)) == []
    assert api.redeliver("octo/shop", 1, 2) is False


def test_a_pull_request_its_commits_and_a_comparison_are_read(github, api):
    date = "2026-01-02T03:04:05Z"
    github.add(
        "octo/shop",
        pulls={
            7: {"number": 7, "state": "open", "additions": 3},
            8: {"number": 8, "state": "closed", "additions": 3},
        },
        commits={7: [{"commit": {"author": {"date": date}}}, {"commit": {}}]},
        compared={("a1", "b/2"): {"status": "ahead", "files": []}},
    )
    github.repositories["octo/shop"].compared["a1", "b%2F2"] = {"status": "ahead"}

    assert api.pull("octo/shop", 7)["additions"] == 3
    assert api.open_pulls("octo/shop") == [{"number": 7, "state": "open"}]
    assert api.first_commit_at("octo/shop", 7) == date
    assert api.compare("octo/shop", "a1", "b/2")["status"] == "ahead"


@pytest.mark.parametrize("commit", [{}, {"commit": None}, {"commit": {"author": None}}])
def test_a_commit_that_tells_no_date_has_none(github, api, commit):
    github.add("octo/shop", commits={7: [commit]})

    assert api.first_commit_at("octo/shop", 7) is None


def test_enterprise_servers_have_a_path_before_it_all(github):
    github.prefix = "/api/v3"
    github.add("octo/shop", files={7: [changed(f"f{n}") for n in range(101)]})

    assert len(connect(github.url).files("octo/shop", 7)) == 101
    assert github.paths()[0] == "/api/v3/repos/octo/shop/pulls/7/files"


@pytest.mark.parametrize(
    "name", ["", "shop", "octo/shop/x", "../shop", "octo/..", "o c/s", "o/s?x=", "é/s"]
)
def test_what_is_no_repository_is_never_asked_for(github, api, name):
    with pytest.raises(InvalidRequestError):
        api.files(name, 7)
    assert github.requests == []


def test_a_wrong_token_is_told_without_showing_it(github):
    api = connect(github.url, "hunter2")

    with pytest.raises(TokenRefusedError) as caught:
        api.files("octo/shop", 7)

    assert "EVENTYARD_GITHUB_TOKEN" in str(caught.value)
    assert "hunter2" not in str(caught.value) + repr(api)
    assert len(github.requests) == 1


def test_a_fault_of_github_is_tried_again_with_growing_pauses(github, api):
    github.add("octo/shop", files={7: [changed("a")]})
    github.trouble = [reply(502, {}), Reply(503, b"<html>")]

    assert len(api.files("octo/shop", 7)) == 1
    assert api.slept == [0.5, 1.0]


def test_three_tries_are_all(github, api):
    github.trouble = [reply(500, {"message": "we are sorry"})] * 4

    with pytest.raises(GitHubDownError, match="500: we are sorry"):
        api.files("octo/shop", 7)

    assert len(github.requests) == 3
    assert GitHubDownError.retryable


def test_a_hung_github_is_given_up_in_time(github):
    api = connect(github.url, timeout_s=0.2)
    github.trouble = [lambda: github.hang() or reply(200, [])] * 3

    with pytest.raises(GitHubDownError, match=r"no answer within 0\.2 s"):
        api.files("octo/shop", 7)

    assert len(github.requests) == 3


def test_a_github_that_is_not_there_is_told(github):
    url = github.url.rpartition(":")[0] + ":9"

    with pytest.raises(GitHubDownError, match="refused"):
        connect(url).files("octo/shop", 7)


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ({"Retry_After": "3"}, 3),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{NOW + 4:.0f}"}, 4),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{NOW - 4:.0f}"}, 0),
    ],
)
def test_a_limit_that_ends_soon_is_waited_for(github, api, headers, slept):
    github.add("octo/shop", files={7: [changed("a")]})
    github.trouble = [refusal(403, "API rate limit exceeded", **headers)]

    assert len(api.files("octo/shop", 7)) == 1
    assert api.slept == [slept]


@pytest.mark.parametrize(
    ("trouble", "until"),
    [
        (refusal(429, "slow down", Retry_After="30"), NOW + 30),
        (
            refusal(
                403,
                "API rate limit exceeded for user ID 1.",
                X_RateLimit_Remaining="0",
                X_RateLimit_Reset=f"{NOW + 1800:.0f}",
            ),
            NOW + 1800,
        ),
        (refusal(403, "You have exceeded a secondary rate limit."), NOW + 60),
        (refusal(429, "too many"), NOW + 60),
        (refusal(429, "too many", Retry_After="999999999999"), NOW + 7_200),
        (refusal(429, "too many", Retry_After="-5"), NOW + 60),
        (
            refusal(403, "no", X_RateLimit_Remaining="0", X_RateLimit_Reset="9" * 12),
            NOW + 7_200,
        ),
    ],
)
def test_a_limit_that_lasts_says_until_when(github, api, trouble, until):
    github.trouble = [trouble]

    with pytest.raises(RateLimitedError) as caught:
        api.files("octo/shop", 7)

    assert (caught.value.until, caught.value.retryable) == (until, True)
    assert (api.slept, len(github.requests)) == ([], 1)


def test_a_limit_that_does_not_end_when_it_said_so_is_told(github, api):
    github.trouble = [refusal(429, "slow down", Retry_After="1")] * 3

    with pytest.raises(RateLimitedError):
        api.files("octo/shop", 7)

    assert api.slept == [1, 1]


def test_what_a_token_may_not_is_no_rate_limit(github, api):
    github.trouble = [refusal(403, "Resource not accessible by personal access token")]

    with pytest.raises(GitHubRefusedError, match="403: Resource not accessible"):
        api.files("octo/shop", 7)

    assert len(github.requests) == 1


def test_hooks_that_a_token_may_not_see_are_none(github, api):
    github.add("octo/shop", admin=False)

    assert api.hooks("octo/shop") is None
    github.trouble = [refusal(403, "Resource not accessible by personal access token")]
    assert api.hooks("octo/shop") is None


def test_a_renamed_repository_is_found_under_its_number(github, api):
    github.add("octo/shop", files={7: [changed(f"f{n}") for n in range(101)]}, moved=42)

    assert len(api.files("octo/shop", 7)) == 101
    assert github.paths()[:2] == [
        "/repos/octo/shop/pulls/7/files",
        "/repositories/42/pulls/7/files",
    ]


@pytest.mark.parametrize("there", ["http://127.0.0.1:9/x", "//evil.test/x", "ftp:x"])
def test_the_token_goes_to_no_other_host(github, api, there):
    github.trouble = [refusal(301, "Moved", Location=there)]
    with pytest.raises(GitHubRefusedError, match="another host"):
        api.files("octo/shop", 7)

    github.trouble = [reply(200, [], Link=f'<{there}>; rel="next"')]
    with pytest.raises(GitHubRefusedError, match="another host"):
        api.files("octo/shop", 7)

    assert len(github.requests) == 2


def test_a_redirect_that_leads_round_ends(github, api):
    url = f"{github.url}/repos/octo/shop/pulls/7"
    github.trouble = [refusal(302, "Found", Location=url)] * 5

    with pytest.raises(GitHubRefusedError, match="302"):
        api.pull("octo/shop", 7)

    assert len(github.requests) == 2


def test_pages_that_never_end_do(github, api):
    link = f'<{github.url}/repos/octo/shop/pulls/7/files>; rel="next"'
    github.trouble = [reply(200, [{"n": 1}], Link=link)] * 200

    assert len(api.files("octo/shop", 7)) == 50
    assert len(github.requests) == 50


def test_a_list_that_takes_too_long_is_given_up(github, api):
    def late():
        api.clock.tick(25)
        link = f'<{github.url}/repos/octo/shop/pulls/7/files>; rel="next"'
        return reply(200, [], Link=link)

    github.trouble = [late] * 10

    with pytest.raises(GitHubDownError, match="60 s"):
        api.files("octo/shop", 7)

    assert len(github.requests) == 3


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b'{"a": 1}', b'"text"', b"[" * 100_000]
)
def test_an_answer_that_is_no_list_is_told(github, api, body):
    github.trouble = [Reply(200, body)] * 3

    with pytest.raises((GitHubDownError, GitHubRefusedError)):
        api.files("octo/shop", 7)


def test_an_answer_that_is_no_object_is_told(github, api):
    github.trouble = [reply(200, [])]

    with pytest.raises(GitHubRefusedError, match="object"):
        api.pull("octo/shop", 7)


def delivery(number, at, **more):
    told = {"id": number, "guid": f"g{number}", "status": "OK", "status_code": 200}
    return {**told, "delivered_at": at, "redelivery": False, "event": "push", **more}


def test_deliveries_come_newest_first_back_to_a_moment(github, api):
    held = [delivery(n, f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z") for n in range(240)]
    github.add("octo/shop", hooks=[{"id": 5}], deliveries={5: held})
    since = 1_767_225_600 + 120  # 2026-01-01T00:02:00Z

    found = [one["id"] for one in api.deliveries("octo/shop", 5, since)]

    assert found == list(range(239, 119, -1))
    assert len(github.requests) == 2


def test_a_delivery_without_a_moment_is_an_old_one(github, api):
    held = [delivery(1, None), delivery(2, "yesterday")]
    github.add("octo/shop", deliveries={5: held})

    assert list(api.deliveries("octo/shop", 5, 1.0)) == []


@pytest.mark.parametrize(
    ("told", "delivered"),
    [
        ({"status": "OK", "status_code": 200}, True),
        ({"status": "Accepted", "status_code": 202}, True),
        ({"status": "Invalid HTTP Response: 502", "status_code": 502}, False),
        ({"status": "timed out", "status_code": 0}, False),
        ({"status": "failed to connect to host", "status_code": None}, False),
        ({}, False),
    ],
)
def test_a_delivery_is_one_if_it_was_answered_well(told, delivered):
    assert is_delivered(told) is delivered


def test_a_delivery_is_asked_for_again(github, api):
    github.add("octo/shop", hooks=[{"id": 5}], deliveries={5: [delivery(9, "x")]})

    assert api.redeliver("octo/shop", 5, 9) is True
    assert github.redelivered == [(5, 9)]
    github.trouble = [refusal(403, "Resource not accessible by personal access token")]
    assert api.redeliver("octo/shop", 5, 9) is False


def test_the_server_of_these_tests_wants_a_user_agent():
    with GitHub() as github:
        caller = Outbound(Guard("127.0.0.1"))
        headers = {"User-Agent": "", "Authorization": f"Bearer {TOKEN}"}
        told = caller.call(
            "GET", f"{github.url}/x", headers=headers, timeout_s=2, most_bytes=1_000
        )

    assert told.status == 403
