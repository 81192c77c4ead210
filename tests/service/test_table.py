"""The one table: what a call does, and how many calls it takes."""

from __future__ import annotations

import pytest

from chalicelib.table import Change, Put, Remove, ThrottledError


def rows(platform, number):
    platform.table.put_many(
        {"pk": "p", "sk": f"{n:03d}", "n": n, "fill": "x"} for n in range(number)
    )


def found(items):
    return [item["n"] for item in items]


def test_a_new_item_does_not_replace_one_that_is_there(platform):
    assert platform.table.put_new({"pk": "p", "sk": "s", "n": 1})
    assert not platform.table.put_new({"pk": "p", "sk": "s", "n": 2})

    assert platform.table.get("p", "s") == {"pk": "p", "sk": "s", "n": 1}


def test_what_is_not_there_reads_as_none(platform):
    assert platform.table.get("p", "s") is None


def test_a_partition_is_read_in_order_from_either_end(platform):
    rows(platform, 5)

    assert found(platform.table.query("p")) == [0, 1, 2, 3, 4]
    assert found(platform.table.query("p", newest_first=True)) == [4, 3, 2, 1, 0]
    assert found(platform.table.query("p", newest_first=True, limit=2)) == [4, 3]


@pytest.mark.parametrize(
    ("after", "until", "expected"),
    [
        ("001", None, [2, 3, 4]),
        (None, "002", [0, 1, 2]),
        ("001", "003", [2, 3]),
        ("", "001", [0, 1]),
    ],
)
def test_a_range_leaves_its_start_out_and_its_end_in(platform, after, until, expected):
    rows(platform, 5)

    assert found(platform.table.query("p", after=after, until=until)) == expected


@pytest.mark.parametrize(("after", "until"), [("003", "001"), ("002", "002")])
def test_a_range_that_is_none_is_not_asked_for(platform, calls, after, until):
    # DynamoDB refuses it, moto does not.
    assert list(platform.table.query("p", after=after, until=until)) == []
    assert calls.made == []


def test_only_the_fields_asked_for_are_read(platform):
    rows(platform, 1)

    assert list(platform.table.query("p", fields=("n", "sk"))) == [
        {"n": 0, "sk": "000"}
    ]


def test_a_partition_larger_than_a_page_is_read_whole(platform, calls):
    for n in range(5):
        platform.table.put({"pk": "p", "sk": str(n), "n": n, "fill": "x" * 300_000})
    calls.clear()

    assert found(platform.table.query("p")) == [0, 1, 2, 3, 4]
    assert calls.counted["Query"] > 1


def test_many_items_are_read_and_written_in_few_calls(platform, calls):
    rows(platform, 120)
    assert calls.counted == {"BatchWriteItem": 5}
    calls.clear()
    keys = [("p", f"{n:03d}") for n in range(120)]

    read = platform.table.get_many([*keys, *keys, ("p", "missing")])

    assert calls.counted == {"BatchGetItem": 2}
    assert sorted(item["n"] for item in read.values()) == list(range(120))
    assert platform.table.get_many([]) == {}


def test_what_a_batch_left_undone_is_asked_for_again(platform):
    rows(platform, 3)
    batch_get = platform.aws.dynamodb.batch_get_item
    asked = []

    def a_part(RequestItems):  # noqa: N803 - botocore's name
        ((name, request),) = RequestItems.items()
        asked.append(len(request["Keys"]))
        answer = batch_get(
            RequestItems={name: {**request, "Keys": request["Keys"][:1]}}
        )
        left = request["Keys"][1:]
        undone = {name: {**request, "Keys": left}} if left else {}
        return {**answer, "UnprocessedKeys": undone}

    platform.aws.dynamodb.batch_get_item = a_part

    read = platform.table.get_many([("p", f"{n:03d}") for n in range(3)])

    assert len(read) == 3
    assert asked == [3, 2, 1]


def test_a_table_that_keeps_refusing_is_said_to_be_throttled(platform):
    platform.aws.dynamodb.batch_write_item = lambda RequestItems: {  # noqa: N803
        "UnprocessedItems": RequestItems
    }

    with pytest.raises(ThrottledError):
        rows(platform, 1)


def test_counters_and_sets_grow(platform):
    platform.table.add("p", "s", n=2, members={"a"})

    now = platform.table.add("p", "s", n=3, members={"b"})

    assert now == {"pk": "p", "sk": "s", "n": 5, "members": {"a", "b"}}


def test_attributes_are_set_only_where_they_are_as_expected(platform):
    platform.table.put({"pk": "p", "sk": "s", "n": 1, "commit": "a"})

    assert platform.table.set("p", "s", {"commit": "b"}, only_if={"commit": "a"})
    assert not platform.table.set("p", "s", {"commit": "c"}, only_if={"commit": "a"})
    assert not platform.table.set("p", "gone", {"commit": "c"})

    assert platform.table.get("p", "s")["commit"] == "b"
    assert platform.table.get("p", "gone") is None


def test_removing_tells_whether_there_was_something(platform):
    rows(platform, 1)

    assert platform.table.delete("p", "000")
    assert not platform.table.delete("p", "000")


@pytest.mark.parametrize(
    ("expected", "written"), [(1, True), (2, False), (None, False)]
)
def test_an_item_advances_with_others_or_not_at_all(platform, expected, written):
    table = platform.table
    table.put({"pk": "p", "sk": "head", "version": 1})

    advanced = table.advance(
        {"pk": "p", "sk": "head", "version": 9}, expected, {"pk": "p", "sk": "beside"}
    )

    assert advanced is written
    assert table.get("p", "head")["version"] == (9 if written else 1)
    assert (table.get("p", "beside") is not None) is written


def test_an_item_advances_from_nothing_once(platform):
    item = {"pk": "p", "sk": "head", "version": 1}

    assert [platform.table.advance(item, None) for _ in range(2)] == [True, False]


def test_writes_are_done_together_or_not_at_all(platform):
    table = platform.table
    table.put({"pk": "p", "sk": "held", "owner": "a", "n": 1})
    writes = [
        Put({"pk": "p", "sk": "new"}, fresh=True),
        Change(("p", "held"), sets={"owner": "b"}, adds={"n": 2}, only_if={}),
        Change(("p", "counted"), adds={"n": 1}, firsts={"since": 5}),
        Remove(("p", "gone")),
    ]
    again = [*writes[1:], Put({"pk": "p", "sk": "new", "n": 9}, fresh=True)]

    assert table.write_all(writes) == []
    assert table.write_all(again) == [3]

    assert table.get("p", "held") == {"pk": "p", "sk": "held", "owner": "b", "n": 3}
    assert table.get("p", "counted") == {
        "pk": "p",
        "sk": "counted",
        "n": 1,
        "since": 5,
    }
    assert table.get("p", "new") == {"pk": "p", "sk": "new"}


def test_what_was_set_first_stays(platform):
    change = [Change(("p", "c"), adds={"n": 1}, firsts={"since": 5})]
    platform.table.write_all(change)
    platform.table.write_all([Change(("p", "c"), adds={"n": 1}, firsts={"since": 9})])

    assert platform.table.get("p", "c") == {"pk": "p", "sk": "c", "n": 2, "since": 5}


@pytest.mark.parametrize(
    "write",
    [
        Put({"pk": "p", "sk": "s", "n": 2}, only_if={"n": 7}),
        Put({"pk": "p", "sk": "s", "n": 2}, only_if={"n": None}),
        Change(("p", "s"), sets={"n": 2}, only_if={"n": 7}),
        Change(("p", "none"), sets={"n": 2}, only_if={}),
        Change(("p", "none"), sets={"n": 2}, only_if={"owner": None}),
        Remove(("p", "s"), only_if={"n": 7}),
        Remove(("p", "none"), only_if={}),
    ],
)
def test_a_write_whose_condition_does_not_hold_is_told(platform, write):
    platform.table.put({"pk": "p", "sk": "s", "n": 1})

    assert platform.table.write_all([Put({"pk": "p", "sk": "other"}), write]) == [1]
    assert platform.table.get("p", "s")["n"] == 1
    assert platform.table.get("p", "other") is None
    assert platform.table.get("p", "none") is None
