"""The objects that the seed names, without a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eventyard.scanner
from eventyard.core.errors import InvalidRequestError, NotFoundError
from eventyard.scanner import (
    EventFlowAnalyzer,
    generate_hierarchical_tree,
    generate_simplified_tree,
)
from eventyard.scanner._git import Checkout, checkout


@pytest.fixture
def code(write):
    return write(
        shop="""
        class Shop:
            def __init__(self, bus):
                bus.subscribe("order.asked", self.sell)

            def sell(self):
                bus.publish("order.placed")
                bus.publish("order.placed")
        """,
        mail="bus.subscribe('order.placed', print)\nbus.publish('mail.sent')\n",
    )


def test_the_maps_count_what_stands_twice_twice(code):
    one = EventFlowAnalyzer(code)

    assert one.subscriptions == {"mail": ["order.placed"], "shop": ["order.asked"]}
    assert one.publications["shop"] == ["order.placed"] * 2
    assert one.event_to_publishers["order.placed"] == ["shop", "shop"]
    assert one.event_to_subscribers["order.asked"] == ["shop"]
    assert one.get_all_events() == {"order.asked", "order.placed", "mail.sent"}


def test_chains_begin_with_what_comes_from_outside(code):
    chains = EventFlowAnalyzer(code).get_event_chains()

    assert chains == [["order.asked", "order.placed", "mail.sent"]]


def test_diagrams_and_the_summary(code, capsys):
    one = EventFlowAnalyzer(code)

    assert "order.placed" in one.generate_mermaid()
    assert one.generate_graphviz().startswith("digraph")
    one.print_summary()
    printed = capsys.readouterr().out
    assert "Published by: [EXTERNAL/ORCHESTRATOR]" in printed
    assert "Consumed by: [NO SUBSCRIBERS]" in printed


def test_trees_are_written_as_text(code, tmp_path):
    one = EventFlowAnalyzer(code)
    path = generate_hierarchical_tree(one, tmp_path / "below" / "x.dot", format="dot")

    assert path == tmp_path / "below" / "x.dot"
    assert path.read_text().startswith("digraph")


def test_without_graphviz_a_picture_falls_back_to_text_beside_it(
    code, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = generate_simplified_tree(EventFlowAnalyzer(code), tmp_path / "x.png")

    assert path == tmp_path / "x.dot"
    assert "START" in path.read_text()


def test_with_graphviz_a_picture_is_drawn(code, tmp_path, monkeypatch):
    # Takes -o and what comes to it, as Graphviz does.
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\n{ echo "$1"; /bin/cat; } > "$3"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    path = generate_hierarchical_tree(
        EventFlowAnalyzer(code), tmp_path / "x.svg", "svg"
    )

    assert path == tmp_path / "x.svg"
    assert path.read_text().startswith("-Tsvg\ndigraph")


def test_files_are_read_again_only_when_they_changed(code):
    one = EventFlowAnalyzer(code, remember=True)
    first = one.analyze()
    opened = one.opened
    second = one.analyze()
    silent = one.opened
    (code / "mail.py").write_text("bus.publish('mail.sent.late')\n")
    third = one.analyze()

    assert (opened, silent, one.opened) == (2, 0, 1)
    assert first == second != third


def test_a_file_is_read_again_when_what_it_imports_changed(write):
    code = write(shop="from topics import PAID\nbus.publish(PAID)\n", topics="")
    (code / "topics.py").write_text("PAID = 'one'\n")
    one = EventFlowAnalyzer(code, remember=True)
    before = one.analyze()
    (code / "topics.py").write_text("PAID = 'another'\n")
    after = one.analyze()
    (code / "topics.py").unlink()
    gone = one.analyze()

    names = [[event.name for event in model.events] for model in (before, after, gone)]
    assert names == [["one"], ["another"], []]


def test_test_agents_may_be_named(code):
    model = EventFlowAnalyzer(code, test_agents=["mail"]).analyze()

    assert {agent.id: agent.test for agent in model.agents} == {
        "mail": True,
        "shop": False,
    }


def test_importing_the_package_loads_nothing_heavy():
    program = (
        "import sys, eventyard.scanner as s; s.EventFlowScanner; s.get_storage;"
        "heavy = {'aiohttp', 'rich', 'typer', 'pydantic', 'yaml', 'urllib.request'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(eventyard.scanner.__file__).parent.parent.parent
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "[]\n"


def git(folder, *words):
    name = ["-c", "user.name=t", "-c", "user.email=t@t.test"]
    command = ["git", "-C", str(folder), *name, *words]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository(code):
    git(code, "init", "-q", "-b", "topic")
    git(code, "add", ".")
    git(code, "commit", "-qm", "first")
    return code


def test_the_branch_and_the_commit_are_read_without_git(repository, tmp_path):
    told = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (repository / "deep").mkdir()

    assert checkout(repository / "deep") == Checkout("topic", told)
    git(repository, "pack-refs", "--all")
    assert checkout(repository) == Checkout("topic", told)
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "wt"))
    assert checkout(tmp_path / "wt") == Checkout("other", told)
    git(repository, "checkout", "-q", told)
    assert checkout(repository) == Checkout(None, told)
    assert checkout(tmp_path) == Checkout()


def test_an_earlier_commit_can_be_scanned(repository):
    one = EventFlowAnalyzer(repository)
    before = one.analyze()
    (repository / "mail.py").unlink()
    git(repository, "rm", "-q", "mail.py")

    assert one.at("HEAD") == before
    assert len(one.analyze().agents) == 1
    with pytest.raises(NotFoundError, match="no-such"):
        one.at("no-such")
    with pytest.raises(NotFoundError, match="--output"):
        one.at("--output=/tmp/x")


def test_without_a_repository_there_is_no_earlier_commit(code):
    with pytest.raises(InvalidRequestError, match="git"):
        EventFlowAnalyzer(code).at("HEAD")
