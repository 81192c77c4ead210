"""Circles over HTTP: beyond what a store of them needs."""

from __future__ import annotations

import threading
from urllib.parse import urlencode

import pytest

from tests.contract import AnswersOnly, http_contract
from tests.http import Http
from tests.steps import bearer, greeted, listed

PATH = "/api/v1/circles"


@pytest.fixture
def anything(http):
    """A caller who asks what no document allows; answers still are as documented."""
    return Http(http._client, AnswersOnly(http_contract().document))


@pytest.fixture
def crew(http):
    made = http.post(PATH, {"name": "crew", "project_id": "shop"}).json()
    return f"{PATH}/{made['id']}"


@pytest.fixture
def running(http, crew):
    http.post(f"{crew}/start", {})
    return crew


def task(http, circle, **more):
    return http.post(f"{circle}/tasks", {"title": "t", **more}).json()


def kept(platform):
    """Everything in the table but what counts, and what a process notes of itself."""
    found = platform.aws.dynamodb.scan(TableName=platform.settings.table)["Items"]
    return sorted(
        (item["pk"]["S"], item["sk"]["S"])
        for item in found
        if item["pk"]["S"] != "circles#numbers"
    )


def test_a_circle_is_found_by_its_name_as_by_its_id(http, crew):
    assert http.get(f"{PATH}/crew").json() == http.get(crew).json()
    spaced = http.post(PATH, {"name": "Équipe à 7/2"}).json()
    found = http.get(f"{PATH}/%C3%89quipe%20%C3%A0%207%2F2").json()
    assert found["id"] == spaced["id"]
    assert http.get(f"{PATH}/nobody").status == 404
    assert http.get(f"{PATH}/{'9' * 30}").status == 404


def test_a_second_circle_of_a_name_is_refused_and_leaves_nothing(http, platform, crew):
    before = kept(platform)
    answer = http.post(PATH, {"name": "crew"})
    assert (answer.status, answer.fault()["code"]) == (409, "name_taken")
    assert kept(platform) == before


def test_a_second_try_of_a_creation_finds_the_first(http, platform, running):
    key = {"Idempotency_Key": "k1"}
    first = http.post(f"{running}/tasks", {"title": "once"}, **key)
    again = http.post(f"{running}/tasks", {"title": "once"}, **key)
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()
    other = http.post(f"{running}/tasks", {"title": "else"}, **key)
    assert (other.status, other.fault()["code"]) == (409, "idempotency_key_reused")
    assert len([e for e in listed(platform) if e.type == "task.created"]) == 1

    made = http.post(PATH, {"name": "new"}, **key)
    assert made.status == 201, "keys of circles and of tasks are apart"
    assert http.post(PATH, {"name": "new"}, **key).json() == made.json()
    for wrong in ("k" * 257, "a\tb"):
        assert http.post(PATH, {"name": "x"}, Idempotency_Key=wrong).status == 400


def test_the_keys_of_two_callers_are_apart(http, locked):
    bearer(http, "circles:write", name="one")
    first = http.post(PATH, {"name": "a"}, Idempotency_Key="k")
    bearer(http, "circles:write", name="two")
    second = http.post(PATH, {"name": "b"}, Idempotency_Key="k")
    assert (first.status, second.status) == (201, 201)


def test_a_circle_that_does_not_run_takes_no_task_unless_it_is_to_wait(http, crew):
    refused = http.post(f"{crew}/tasks", {"title": "t"})
    assert (refused.status, refused.fault()["code"]) == (409, "circle_not_running")
    kept_ = http.post(f"{crew}/tasks", {"title": "t", "when_stopped": "keep"})
    assert kept_.status == 201
    assert http.post(f"{crew}/start", {}).json()["status"] == "running"
    assert http.post(f"{crew}/tasks", {"title": "t"}).status == 201
    assert http.post(f"{crew}/stop", {}).json()["status"] == "stopped"
    assert http.post(f"{crew}/tasks", {"title": "t"}).status == 409


def test_what_is_named_of_a_circle_changes_and_is_told(http, platform, crew):
    wish = {"display_name": "The crew", "settings": {"a": 1}, "auto_route": False}
    changed = http.patch(crew, wish).json()
    assert {n: changed[n] for n in wish} == wish
    assert changed["project_id"] == "shop"
    assert http.patch(crew, wish).json() == changed
    assert [e.type for e in listed(platform)] == ["circle.updated", "circle.created"]
    started = http.patch(crew, {"status": "running", "description": "x"}).json()
    assert (started["status"], started["description"]) == ("running", "x")
    assert listed(platform)[0].type == "circle.started"


def test_a_deleted_circle_is_found_by_its_id_alone_and_its_members_are_free(
    http, platform, crew
):
    http.post(f"{crew}/members", {"agent_id": 7})
    assert platform.circles.service.circles_of(7) == (1,)
    answer = http.delete(crew)
    assert (answer.status, answer.text) == (204, "")

    assert http.get(f"{PATH}/crew").status == 404
    assert http.get(crew).json()["is_active"] is False
    assert platform.circles.service.circles_of(7) == ()
    assert platform.circles.service.projects_of(7) == ()
    assert http.get(f"{crew}/members").json()["members"][0]["agent_id"] == 7
    assert http.delete(crew).status == 409
    assert listed(platform)[0].type == "circle.deleted"
    assert http.get(PATH).json()["circles"] == []
    gone = http.get(f"{PATH}?is_active=false").json()["circles"]
    assert [one["id"] for one in gone] == [1]


def test_which_circles_an_agent_is_in_is_one_query(http, platform, calls):
    made = [
        http.post(PATH, {"name": f"c{n}", "project_id": p}).json()["id"]
        for n, p in enumerate([7, "shop", None, 7])
    ]
    for one in made:
        http.post(f"{PATH}/{one}/members", {"agent_id": "ann"})
    http.delete(f"{PATH}/{made[1]}/members/ann")
    service = platform.circles.service

    calls.clear()
    assert service.circles_of("ann") == (made[0], made[2], made[3])
    assert calls.counted == {"Query": 1}
    calls.clear()
    assert service.projects_of("ann") == (7,)
    assert calls.counted == {"Query": 1}
    told = http.get("/api/v1/agents/ann/circles").json()
    assert told == {"circles": [made[0], made[2], made[3]], "projects": [7]}
    assert http.get("/api/v1/agents/nobody/circles").json()["circles"] == []


def test_an_agent_leaves_by_the_text_of_its_id(http, crew):
    assert http.post(f"{crew}/members", {"agent_id": 7}).status == 201
    assert http.post(f"{crew}/members", {"agent_id": "7", "role": "lead"}).status == 200
    http.post(f"{crew}/members", {"agent_id": "a/b c"})
    assert http.delete(f"{crew}/members/7").status == 204
    assert http.delete(f"{crew}/members/a%2Fb%20c").status == 204
    assert http.delete(f"{crew}/members/7").status == 404
    assert http.get(crew).json()["member_count"] == 0


def test_a_task_goes_its_way_by_the_addresses_of_its_circle(http, running):
    one = task(http, running, priority="critical")
    at = f"{running}/tasks/{one['id']}"
    assert http.post(f"{at}/claim", {"agent_id": 1}).json()["status"] == "claimed"
    late = http.post(f"{at}/claim", {"agent_id": 2})
    assert (late.status, late.fault()["code"]) == (409, "illegal_transition")
    begun = http.patch(at, {"status": "in_progress"}).json()
    assert begun["started_at"]
    assert http.post(f"{at}/submit", {"result": {"x": 1}}).json()["status"] == "review"
    own = http.post(f"{at}/approve", {"reviewer_id": 1})
    assert (own.status, own.fault()["code"]) == (409, "own_work")
    again = http.post(f"{at}/reject", {"reviewer_id": 2, "comment": "more"}).json()
    assert (again["status"], again["iteration"]) == ("changes_requested", 1)
    http.post(f"{at}/submit", {"agent_id": 1})
    done = http.post(f"{at}/approve", {"reviewer_id": 2}).json()
    assert (done["status"], done["result"]) == ("completed", {"x": 1})
    assert http.get(at).json() == http.get(f"/api/v1/tasks/{one['id']}").json() == done


def test_a_task_is_not_found_in_another_circle(http, running):
    one = task(http, running)
    other = http.post(PATH, {"name": "other"}).json()["id"]
    at = f"{PATH}/{other}/tasks/{one['id']}"
    assert http.get(at).status == 404
    assert http.post(f"{at}/claim", {"agent_id": 1}).status == 404
    assert http.get(f"{running}/tasks/x").status == 404
    assert http.get(f"{running}/tasks/{'1' * 40}").status == 404
    assert http.get(f"/api/v1/tasks/{one['id']}").json()["status"] == "pending"


def test_every_change_of_a_task_is_told_also_where_it_has_no_type_of_its_own(
    http, platform, running
):
    at = f"/api/v1/tasks/{task(http, running)['id']}"
    for status in ("in_progress", "blocked", "blocked", "cancelled"):
        assert http.patch(at, {"status": status}).status == 200
    told = [e for e in listed(platform)[::-1] if e.type.startswith("task.")]
    assert [(e.type, e.data.get("status")) for e in told] == [
        ("task.created", None),
        ("task.started", "in_progress"),
        ("task.updated", "blocked"),
        ("task.updated", "blocked"),
        ("task.updated", "cancelled"),
    ]
    assert {(e.source, e.circle_id, e.project_id) for e in told} == {
        ("eventyard.circles", 1, "shop")
    }


def test_pages_of_tasks_go_on_where_they_ended(http, running):
    words = ["low", "critical", "medium", "high"]
    made = [task(http, running, priority=words[n % 4])["id"] for n in range(10)]
    http.patch(f"/api/v1/tasks/{made[1]}", {"status": "cancelled"})
    found, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{running}/tasks?limit=3&cursor={cursor.replace('#', '%23')}")
        found += [one["id"] for one in page.json()["tasks"]]
        assert len(page.json()["tasks"]) <= 3
        cursor = page.json()["cursor"]
    order = [1, 5, 9, 3, 7, 2, 6, 0, 4, 8]
    assert found == [made[n] for n in order]
    open_ = http.get(f"{running}/tasks?state=open").json()["tasks"]
    assert [one["id"] for one in open_] == [made[n] for n in order[1:]]
    ended = http.get(f"{running}/tasks?state=ended").json()["tasks"]
    assert [one["id"] for one in ended] == [made[1]]
    both = http.get(f"{running}/tasks?state=ended&status=pending").json()
    assert both == {"tasks": [], "cursor": None}


def test_what_ended_comes_in_the_order_of_its_end_the_last_first(http, running, clock):
    made = [task(http, running, priority=p)["id"] for p in ("low", "critical", "low")]
    going = task(http, running)["id"]
    for one, status in zip(made, ("failed", "cancelled", "cancelled"), strict=True):
        clock.tick(1)
        http.patch(f"/api/v1/tasks/{one}", {"status": status})

    def page(query):
        told = http.get(f"{running}/tasks?order=ended{query}").json()
        return [one["id"] for one in told["tasks"]], told["cursor"]

    assert page("") == (made[::-1], None)
    first, cursor = page("&limit=2")
    assert first == [made[2], made[1]]
    assert page(f"&limit=2&cursor={cursor.replace('#', '%23')}") == ([made[0]], None)
    assert page("&status=cancelled")[0] == [made[2], made[1]]
    assert page("&state=ended&status=failed")[0] == [made[0]]
    assert page("&status=pending") == ([], None)
    assert going not in page("")[0]
    assert http.get(f"{running}/tasks?order=ended&state=open").status == 400
    assert http.get(f"{running}/tasks?order=age").status == 400


def test_a_member_of_any_name_can_leave(http, crew):
    for agent in ("a/b c", "../x", "?&#%2F", "7"):
        assert http.post(f"{crew}/members", {"agent_id": agent}).status == 201
        gone = http.delete(f"{crew}/members?{urlencode({'agent_id': agent})}")
        assert gone.status == 204
    for query in ("", "?agent_id="):
        answer = http.delete(f"{crew}/members{query}")
        assert (answer.status, answer.fault()["code"]) == (400, "invalid_request")
    assert http.get(crew).status == 200


@pytest.mark.parametrize("cursor", ["%00", "%01", "zzz", "%F0%9F%98%80", "'", "~"])
def test_a_cursor_that_nobody_gave_is_no_failure(http, crew, cursor):
    for path in ("/tasks", "/tasks?order=ended", "/events", "/conflicts", "/../"):
        at = PATH if path == "/../" else f"{crew}{path}"
        joined = "&" if "?" in at else "?"
        assert http.get(f"{at}{joined}cursor={cursor}").status in (200, 400)
    assert http.get(f"/api/v1/memories?agent=1&cursor={cursor}").status in (200, 400)


def test_a_page_has_no_more_than_an_answer_may_hold(http, running):
    made = [task(http, running, context="x" * 190_000)["id"] for _ in range(20)]
    page = http.get(f"{running}/tasks?limit=200")
    assert len(page.text) < 3_500_000
    rest = http.get(
        f"{running}/tasks?limit=200&cursor={page.json()['cursor'].replace('#', '%23')}"
    ).json()
    assert rest["cursor"] is None
    both = [one["id"] for one in page.json()["tasks"] + rest["tasks"]]
    assert both == made


def test_pages_of_circles_and_history_go_on_too(http, crew):
    for n in range(4):
        http.post(PATH, {"name": f"c{n}"})
        http.post(f"{crew}/events", {"event_type": "note.made", "data": n})
    first = http.get(f"{PATH}?limit=3").json()
    rest = http.get(f"{PATH}?limit=3&cursor={first['cursor']}").json()
    assert [c["id"] for c in first["circles"] + rest["circles"]] == [5, 4, 3, 2, 1]
    assert rest["cursor"] is None
    lines = http.get(f"{crew}/events?limit=2&event_type=note.made").json()
    more = http.get(
        f"{crew}/events?limit=2&event_type=note.made&cursor={lines['cursor']}"
    ).json()
    assert [e["data"] for e in lines["events"] + more["events"]] == [3, 2, 1, 0]


def test_the_figures_tell_what_was_done_and_who_has_how_much(http, running, clock):
    platform_time = clock
    made = [task(http, running)["id"] for _ in range(4)]
    for one, agent in zip(made[:3], (1, 1, "b"), strict=True):
        http.patch(
            f"/api/v1/tasks/{one}",
            {"status": "in_progress", "assigned_agent_id": agent},
        )
    platform_time.tick(90)
    http.patch(f"/api/v1/tasks/{made[0]}", {"status": "completed"})
    http.patch(f"/api/v1/tasks/{made[3]}", {"status": "cancelled"})
    http.post(f"{running}/conflicts", {"agent1": 1, "agent2": 2, "file_path": "a"})

    told = http.get(f"{running}/metrics").json()
    assert told["total_tasks"] == 4
    assert (told["tasks"]["in_progress"], told["tasks"]["completed"]) == (2, 1)
    assert told["completion_rate"] == 0.5
    assert told["median_duration_s"] == 90
    assert told["workload"] == {"1": 1, "b": 1}
    assert (told["open_conflicts"], told["status"]) == (1, "running")


def test_a_new_circle_has_figures_without_a_rate(http, crew):
    told = http.get(f"{crew}/metrics").json()
    assert (told["completion_rate"], told["median_duration_s"]) == (None, None)


def test_each_change_is_one_transaction(http, platform, calls, running):
    calls.clear()
    made = task(http, running)
    assert calls.counted == {"GetItem": 2, "UpdateItem": 1, "TransactWriteItems": 1}
    calls.clear()
    http.post(f"/api/v1/tasks/{made['id']}/claim", {"agent_id": 1})
    assert calls.counted == {"GetItem": 1, "TransactWriteItems": 1}


def test_a_change_without_its_event_is_not_made(http, platform, monkeypatch, running):
    made = task(http, running)
    before = kept(platform)
    teller = platform.circles.teller
    # The log has something under the key that the event would have.
    place = platform.log.new_key()
    platform.table.put(platform.log.item(place, [], "x"))
    monkeypatch.setattr(
        type(teller), "told", lambda *_: (_ for _ in ()).throw(RuntimeError("no log"))
    )
    answer = http.post(f"/api/v1/tasks/{made['id']}/claim", {"agent_id": 1})
    assert answer.status == 500
    monkeypatch.undo()
    assert http.get(f"/api/v1/tasks/{made['id']}").json() == made
    assert len(kept(platform)) == len(before) + 1


def test_a_member_comes_into_no_circle_that_is_deleted_at_that_moment(
    http, platform, crew, monkeypatch
):
    items = platform.circles.items
    read = type(items).with_member

    def then_deleted(self, *args):
        found = read(self, *args)
        monkeypatch.undo()
        http.delete(crew)
        return found

    monkeypatch.setattr(type(items), "with_member", then_deleted)
    answer = http.post(f"{crew}/members", {"agent_id": 1})
    assert answer.status == 409
    assert platform.circles.service.circles_of(1) == ()


def test_members_who_come_at_once_are_all_counted(http, platform, crew):
    turn = threading.Lock()
    call = platform.aws.dynamodb._make_api_call
    # moto takes one call at a time; those of several members come in any order.
    platform.aws.dynamodb._make_api_call = lambda *args: _locked(turn, call, *args)
    service = platform.circles.service
    agents = list(range(6))
    threads = [
        threading.Thread(target=service.join, args=(1, {"agent_id": n})) for n in agents
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert http.get(crew).json()["member_count"] == 6
    told = http.get(f"{crew}/members").json()["members"]
    assert sorted(one["agent_id"] for one in told) == agents


def _locked(turn, act, *args):
    with turn:
        return act(*args)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {}),
        ("", []),
        ("", {"name": 3}),
        ("", {"name": "12"}),
        ("", {"name": "a", "owner_id": 1.5}),
        ("", {"name": "a", "settings": []}),
        ("", {"name": "a", "surprise": 1}),
        ("", {"name": "a", "project_id": 2**63}),
        ("/crew/members", {}),
        ("/crew/members", {"agent_id": None}),
        ("/crew/members", {"agent_id": 1, "competencies": ["x"] * 51}),
        ("/crew/tasks", {"title": "t", "priority": 5}),
        ("/crew/tasks", {"title": "t", "when_stopped": "wait"}),
        ("/crew/conflicts", {"agent1": 1, "agent2": 1, "file_path": "a"}),
        ("/crew/conflicts", {"agent1": 1, "agent2": 2}),
        ("/crew/events", {"event_type": "a b"}),
        ("/crew/tasks?limit=0", {"title": ""}),
        ("", {"name": ".."}),
        ("", {"name": "."}),
        ("", {"name": "a", "display_name": "a\x1b[2J"}),
        ("/crew/members", {"agent_id": ".."}),
        ("/crew/members", {"agent_id": "a\0b"}),
        ("/crew/members", {"agent_id": " "}),
        ("/crew/members", {"agent_id": 1, "agent_name": "a\nb"}),
        ("/crew/members", {"agent_id": 1, "competencies": ["a\nb"]}),
        ("/crew/tasks", {"title": " ", "when_stopped": "keep"}),
        ("/crew/tasks", {"title": "a\u2028b", "when_stopped": "keep"}),
        ("/crew/tasks", {"title": "t", "task_type": "\0", "when_stopped": "keep"}),
        ("/crew/conflicts", {"agent1": 1, "agent2": 2, "file_path": "a\0"}),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    anything, platform, crew, path, body
):
    before = kept(platform)
    answer = anything.post(PATH + path, body)
    assert answer.status == 400, answer.text
    assert answer.fault()["message"]
    assert kept(platform) == before


@pytest.mark.parametrize(
    "query", ["status=busy", "limit=0", "limit=201", "is_active=maybe"]
)
def test_parameters_that_make_no_sense_are_refused(anything, query):
    assert anything.get(f"{PATH}?{query}").status == 400


def test_scopes_say_who_reads_and_who_changes(http, locked, platform):
    bearer(http, "circles:write")
    assert http.post(PATH, {"name": "crew"}).status == 201
    assert http.get(PATH).status == 403
    bearer(http, "circles:read")
    assert http.get(PATH).status == 200
    refused = http.post(PATH, {"name": "other"})
    assert (refused.status, refused.fault()["details"]) == (
        403,
        {"scope": "circles:write"},
    )
    http.headers.pop("Authorization")
    assert http.get(PATH).status == 401


def test_what_happens_reaches_the_dashboard(http, platform, pump, gateway):
    greeted(pump, events="*")
    http.post(PATH, {"name": "crew", "project_id": "shop"})
    http.post(f"{PATH}/crew/start", {})
    http.post(f"{PATH}/crew/members", {"agent_id": 7})
    one = task(http, f"{PATH}/crew")
    http.post(f"/api/v1/tasks/{one['id']}/claim", {"agent_id": 7})
    pump.run()

    frames = gateway.frames("c1")[1:]
    assert {frame["type"] for frame in frames} == {
        "circle.created",
        "circle.started",
        "circle.member.added",
        "task.created",
        "task.assigned",
    }
    assert {frame["circle_id"] for frame in frames} == {1}
    assigned = next(f for f in frames if f["type"] == "task.assigned")
    assert assigned["source_agent_id"] == 7
    assert assigned["data"]["assigned_agent_id"] == 7
