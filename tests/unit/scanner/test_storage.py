from __future__ import annotations

import json
import threading
from datetime import datetime

import pytest

from eventyard.scanner import GraphData, GraphStorage, get_storage, reset_storage


@pytest.fixture
def path(tmp_path):
    return tmp_path / "below" / "graphs.json"


@pytest.fixture(autouse=True)
def nothing_kept():
    reset_storage()
    yield
    reset_storage()


def test_graph_data_as_the_seed_uses_it():
    graph = GraphData(
        graph_type="complete",
        dot_content="digraph {...}",
        namespaces={"b", "a"},
        stats={"events": 10, "agents": 5},
    )

    assert GraphData.from_dict(graph.to_dict()) == graph
    assert graph.namespaces == ["a", "b"]
    assert graph.svg_content is None
    assert datetime.fromisoformat(graph.timestamp).tzinfo is None


def test_a_record_of_a_later_version_is_read():
    graph = GraphData.from_dict({"graph_type": "x", "dot_content": "", "more": 1})

    assert graph.graph_type == "x"


def test_the_latest_of_a_type_is_kept():
    storage = GraphStorage()
    for dot in ("old", "new"):
        storage.store(GraphData("complete", dot))
    storage.store(GraphData("simplified", "s", "<svg/>", stats={"events": 1}))

    assert storage.get("complete").dot_content == "new"
    assert storage.get("full-tree") is None
    assert storage.has_graph("simplified")
    every = storage.get_all()
    every.clear()
    assert len(storage.get_all()) == 2
    status = storage.get_status()
    assert status["total_graphs"] == 2
    assert status["persist_enabled"] is False
    assert status["graphs"]["simplified"]["has_svg"] is True
    assert status["graphs"]["simplified"]["stats"] == {"events": 1}


def test_one_type_is_cleared_or_all():
    storage = GraphStorage()
    for name in ("a", "b", "c"):
        storage.store(GraphData(name, ""))

    storage.clear("a")
    storage.clear("never there")
    left = set(storage.get_all())
    storage.clear()

    assert left == {"b", "c"}
    assert storage.get_all() == {}


def test_what_is_stored_is_there_after_a_restart(path):
    GraphStorage(path).store(
        GraphData("complete", "é", timestamp="2026-01-01T00:00:00")
    )

    again = GraphStorage(persist_path=path)

    assert again.get("complete").dot_content == "é"
    assert again.get("complete").timestamp == "2026-01-01T00:00:00"
    again.clear()
    assert GraphStorage(path).get_all() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"x": 1}}'])
def test_a_file_that_cannot_be_read_is_warned_of(path, text):
    path.parent.mkdir()
    path.write_text(text)

    with pytest.warns(UserWarning, match="was not read"):
        storage = GraphStorage(path)

    assert storage.get_all() == {}


def test_a_file_that_cannot_be_written_is_warned_of(path):
    path.parent.write_text("a file, no folder")
    storage = GraphStorage(path)

    with pytest.warns(UserWarning, match="was not written"):
        storage.store(GraphData("complete", "x"))

    assert storage.has_graph("complete")


def test_many_threads_write_and_every_reader_finds_a_whole_file(path):
    storage = GraphStorage(path)
    storage.store(GraphData("first", "x"))
    done = threading.Event()
    torn = []

    def write(name):
        for at in range(15):
            storage.store(GraphData(f"{name}", "y" * 10_000 + str(at)))

    def look():
        while not done.is_set():
            try:
                json.loads(path.read_text())
            except ValueError as error:
                torn.append(error)

    reader = threading.Thread(target=look)
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    reader.start()
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    done.set()
    reader.join()

    assert torn == []
    assert set(GraphStorage(path).get_all()) == {"first", "0", "1", "2", "3"}
    assert [entry.name for entry in path.parent.iterdir()] == ["graphs.json"]


def test_one_storage_a_process_and_the_first_path_counts(path, tmp_path):
    first = get_storage(path)

    assert get_storage(tmp_path / "other.json") is first
    assert first.get_status()["persist_path"] == str(path)
    reset_storage()
    assert get_storage() is not first
