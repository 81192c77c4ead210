"""Versions of graphs: many scanners at once, crashes, what is kept and what goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.auth import ANYBODY
from chalicelib.graphs import store as module
from chalicelib.graphs.content import Place
from chalicelib.graphs.store import GraphStore, MissingContentError
from chalicelib.table import Table, ThrottledError
from eventyard.core.errors import NotFoundError
from tests.stack import client

PLACE = Place("default", "main", "complete")


def dot(text):
    return f'digraph {{ "{text}" }}'


def push(platform, text, graph_type="complete", **more):
    body = {"graph_type": graph_type, "dot_content": dot(text), **more}
    return platform.graphs.service.push(body, ANYBODY)


def kept(platform):
    """Every version that is listed, oldest first, with its content."""
    store = platform.graphs.store
    page, _ = store.versions(PLACE, 1000, None)
    return [(version.number, store.content(version).dot) for version in reversed(page)]


def objects(platform, prefix="graphs/"):
    found = client("s3").list_objects_v2(Bucket=platform.settings.bucket, Prefix=prefix)
    return [one["Key"] for one in found.get("Contents", [])]


@pytest.fixture
def one_call_at_a_time(platform):
    """moto undoes what other threads wrote when it undoes a transaction."""
    lock = threading.Lock()
    for wrapped in (platform.aws.dynamodb, platform.aws.s3):
        call = wrapped._make_api_call

        def alone(*args, call=call):
            with lock:
                return call(*args)

        wrapped._make_api_call = alone


def test_many_scanners_at_once_lose_and_mix_nothing(platform, one_call_at_a_time):
    texts = [f"scan {number}" for number in range(24)]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda text: push(platform, text), texts))

    assert sorted(one["version"] for one in told) == list(range(1, 25))
    said = {one["version"]: dot(text) for one, text in zip(told, texts, strict=True)}
    assert dict(kept(platform)) == said
    head = platform.graphs.store.head(PLACE)
    assert (head.number, platform.graphs.store.content(head).dot) == (24, said[24])


def test_many_scanners_with_the_same_make_one_version(platform, one_call_at_a_time):
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: push(platform, "same"), range(16)))

    assert {one["version"] for one in told} == {1}
    assert sum(not one["unchanged"] for one in told) == 1
    assert kept(platform) == [(1, dot("same"))]


def test_pushes_and_deletions_at_once_leave_whole_graphs(platform, one_call_at_a_time):
    def act(number):
        if number % 4 == 3:
            platform.graphs.store.clear([PLACE])
            return None
        return push(platform, f"scan {number}")["version"]

    with ThreadPoolExecutor(8) as pool:
        numbers = [n for n in pool.map(act, range(32)) if n is not None]

    assert len(set(numbers)) == len(numbers)
    found = kept(platform)
    assert {number for number, _ in found} <= set(numbers)
    push(platform, "last")
    assert kept(platform)[-1][1] == dot("last")


def test_a_crash_between_bucket_and_table_leaves_nothing_to_be_seen(
    platform, monkeypatch
):
    push(platform, "first")

    def die(*_):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Table, "advance", die)
        with pytest.raises(SystemExit):
            push(platform, "lost")

    assert kept(platform) == [(1, dot("first"))]
    assert push(platform, "second")["version"] == 2
    assert kept(platform) == [(1, dot("first")), (2, dot("second"))]
    platform.graphs.store.clear([PLACE])
    assert objects(platform) == []


def test_a_retry_after_a_crash_is_the_version_that_was_meant(platform, monkeypatch):
    advance = Table.advance

    def die_after(*args):
        advance(*args)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Table, "advance", die_after)
        with pytest.raises(SystemExit):
            push(platform, "once")

    assert push(platform, "once")["unchanged"] is True
    assert kept(platform) == [(1, dot("once"))]


def test_somebody_else_in_between_takes_the_number_and_both_are_kept(
    platform, monkeypatch
):
    advance = Table.advance

    def after_another(*args):
        monkeypatch.setattr(Table, "advance", advance)
        push(platform, "theirs")
        return advance(*args)

    monkeypatch.setattr(Table, "advance", after_another)

    assert push(platform, "mine")["version"] == 2
    assert kept(platform) == [(1, dot("theirs")), (2, dot("mine"))]


def test_a_deletion_in_between_is_not_undone_under_its_number(platform, monkeypatch):
    push(platform, "old")
    advance = Table.advance

    def after_deletion(*args):
        monkeypatch.setattr(Table, "advance", advance)
        platform.graphs.store.clear([PLACE])
        return advance(*args)

    monkeypatch.setattr(Table, "advance", after_deletion)

    assert push(platform, "new")["version"] == 3
    assert kept(platform) == [(3, dot("new"))]
    with pytest.raises(NotFoundError):
        platform.graphs.service.find(PLACE, 1)


def test_others_who_keep_coming_first_are_told_as_busy(platform, monkeypatch):
    monkeypatch.setattr(Table, "advance", lambda *_: False)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)

    with pytest.raises(ThrottledError):
        push(platform, "x")


def test_only_the_newest_versions_are_kept(platform, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 3)

    for number in range(1, 6):
        push(platform, f"scan {number}")

    assert kept(platform) == [(n, dot(f"scan {n}")) for n in (3, 4, 5)]
    assert len(objects(platform)) == 3
    rows = list(platform.table.query(f"graph#{module._name(PLACE)}"))
    assert len(rows) == 3
    assert platform.graphs.store.version(PLACE, 2) is None


def test_what_a_crash_left_of_old_versions_goes_with_the_next_push(
    platform, monkeypatch
):
    monkeypatch.setattr(module, "KEPT", 2)
    push(platform, "1")
    push(platform, "2")
    with monkeypatch.context() as patched:
        patched.setattr(GraphStore, "_prune", lambda *_: None)
        push(platform, "3")
    assert [number for number, _ in kept(platform)] == [2, 3]

    push(platform, "4")

    assert [number for number, _ in kept(platform)] == [3, 4]
    assert len(objects(platform)) == 2


def test_deleting_takes_every_version_and_object(platform):
    for number in range(3):
        push(platform, f"scan {number}")
    push(platform, "other", "simplified")

    platform.graphs.service.delete("default", "main", ["complete"], ANYBODY)

    assert kept(platform) == []
    assert len(objects(platform)) == 1
    assert list(platform.table.query(f"graph#{module._name(PLACE)}")) == []
    assert platform.graphs.store.version(PLACE, 2) is None


def test_a_deletion_that_died_half_way_has_deleted_all_the_same(platform, monkeypatch):
    push(platform, "old")
    with monkeypatch.context() as patched:
        patched.setattr(GraphStore, "_remove", lambda *_: None)
        patched.setattr(Table, "delete_many", lambda *_: None)
        platform.graphs.store.clear([PLACE])
    assert platform.graphs.store.head(PLACE) is None
    assert kept(platform) == []

    push(platform, "new")

    assert [text for _, text in kept(platform)] == [dot("new")]
    assert len(objects(platform)) == 1


def test_a_number_is_never_given_twice(platform):
    push(platform, "a")
    platform.graphs.store.clear([PLACE])

    assert push(platform, "a")["version"] == 3
    assert push(platform, "b")["version"] == 4


def test_content_that_is_gone_is_told_as_missing(platform):
    push(platform, "a")
    (key,) = objects(platform)
    client("s3").delete_object(Bucket=platform.settings.bucket, Key=key)
    head = platform.graphs.store.head(PLACE)

    with pytest.raises(MissingContentError):
        platform.graphs.store.content(head)


def test_a_push_is_few_calls_and_the_same_again_fewer(platform, calls):
    push(platform, "a")
    at_first = list(calls.made)
    calls.clear()
    push(platform, "a")

    assert at_first == ["GetItem", "PutObject", "TransactWriteItems", "PutItem"]
    assert calls.made == ["GetItem", "HeadObject"]


def test_names_that_look_alike_are_different_graphs(platform):
    push(platform, "a", project="x", ref="y z")
    push(platform, "b", project="x y", ref="z")

    found = list(platform.graphs.store.projects())

    assert {(one.place.project, one.place.ref) for one in found} == {
        ("x", "y z"),
        ("x y", "z"),
    }
    assert len({one.key.partition("-")[0] for one in found}) == 2


def test_a_transaction_that_meets_another_is_tried_again(platform, monkeypatch):
    advance, met = Table.advance, []

    def meet_once(*args):
        if not met:
            met.append(args)
            raise ThrottledError
        return advance(*args)

    monkeypatch.setattr(Table, "advance", meet_once)

    assert push(platform, "a")["version"] == 1
    assert kept(platform) == [(1, dot("a"))]
