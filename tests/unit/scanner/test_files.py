from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventyard.scanner import EventFlowAnalyzer
from eventyard.scanner._files import python_files


def shown(root: Path) -> list[str]:
    return [Path(path).relative_to(root).as_posix() for path in python_files(str(root))]


@pytest.fixture
def tree(tmp_path):
    def make(*names: str, **texts: str) -> Path:
        for name in (*names, *texts):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts.get(name, ""))
        return tmp_path

    return make


def test_files_come_in_a_steady_order_and_folders_after_them(tree):
    root = tree("b/z.py", "b/a.py", "a/x.py", "top.py", "notes.txt", "data.pyc")

    assert shown(root) == ["top.py", "a/x.py", "b/a.py", "b/z.py"]


def test_hidden_folders_and_environments_are_left_out(tree):
    root = tree(
        ".git/hook.py",
        ".venv/lib/x.py",
        "env/pyvenv.cfg",
        "env/lib/y.py",
        "node_modules/z.py",
        "__pycache__/w.py",
        "mine.py",
    )

    assert shown(root) == ["mine.py"]


def test_a_gitignore_leaves_out_and_a_nearer_one_lets_in_again(tree):
    root = tree(
        "kept.py",
        "made_pb2.py",
        "out/x.py",
        "deep/out/x.py",
        "deep/made_pb2.py",
        "deep/local.py",
    )
    (root / ".gitignore").write_text("# made\n*_pb2.py\n/out/\n")
    (root / "deep" / ".gitignore").write_text("!made_pb2.py\nlocal.py\n")

    assert shown(root) == ["kept.py", "deep/made_pb2.py", "deep/out/x.py"]


def test_the_gitignore_of_the_repository_above_counts(tree):
    root = tree("repo/.git/HEAD", "repo/src/made/x.py", "repo/src/y.py", "made/z.py")
    (root / "repo" / ".gitignore").write_text("src/made/\n")
    (root / ".gitignore").write_text("*.py\n")

    assert shown(root / "repo" / "src") == ["y.py"]


def test_a_folder_that_is_left_out_is_read_when_it_is_named(tree):
    root = tree(".git/HEAD", "out/x.py", "y.py")
    (root / ".gitignore").write_text("out/\n")

    assert shown(root) == ["y.py"]
    assert shown(root / "out") == ["x.py"]


def test_links_in_a_circle_end(tree):
    root = tree("a/x.py")
    (root / "a" / "again").symlink_to(root, target_is_directory=True)
    (root / "a" / "nowhere.py").symlink_to(root / "missing.py")

    assert shown(root) == ["a/x.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_survived(tree):
    root = tree("closed/x.py", "y.py")
    (root / "closed").chmod(0)

    try:
        assert shown(root) == ["y.py"]
    finally:
        (root / "closed").chmod(0o700)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (b"x = (\nbus.publish('a')", "syntax"),
        (b"bus.publish('a')\n" + b"(" * 5_000, "syntax"),
        (b"bus.publish(" + b"-" * 200_000 + b"1)", "syntax"),
        (b"bus.publish('\x00')", "syntax"),
        (b"# coding: no-such-thing\nbus.publish('a')", "syntax"),
        (b"bus.publish('\xff\xfe')", "unreadable"),
    ],
    ids=["open", "parentheses", "minuses", "null", "encoding", "bytes"],
)
def test_a_file_that_python_refuses_is_told_and_the_others_are_read(
    tmp_path, source, kind
):
    (tmp_path / "bad.py").write_bytes(source)
    (tmp_path / "good.py").write_text("bus.publish('good')\n")

    model = EventFlowAnalyzer(tmp_path).analyze()

    assert [event.name for event in model.events] == ["good"]
    assert [(one.kind, one.at.file) for one in model.diagnostics] == [(kind, "bad.py")]


def test_code_that_warns_when_compiled_is_read_silently(tmp_path):
    (tmp_path / "old.py").write_text("x = '\\d'\nbus.publish('a')\nassert (x, 'y')\n")

    assert len(EventFlowAnalyzer(tmp_path).analyze().events) == 1


def test_a_value_that_grows_by_itself_ends(tmp_path):
    lines = ["def go(bus, n):", "    s = ''"]
    lines += [f"    if n > {n}:\n        s = s + s + '{n}'" for n in range(40)]
    lines += ["    bus.publish(s)", "    t = t", "    bus.publish(t)"]
    (tmp_path / "grows.py").write_text("\n".join(lines))

    EventFlowAnalyzer(tmp_path).analyze()


def test_a_sum_of_thousands_is_told_as_unknown(tmp_path):
    (tmp_path / "sum.py").write_text(
        "bus.publish(" + " + ".join(["'a'"] * 2_000) + ")\nbus.publish('b')\n"
    )

    model = EventFlowAnalyzer(tmp_path).analyze()

    assert [event.name for event in model.events] == ["b"]
    assert [str(one.at) for one in model.diagnostics] == ["sum.py:1"]


def test_files_that_import_each_other_end(tmp_path):
    (tmp_path / "one.py").write_text("from two import X\nbus.publish(X)\n")
    (tmp_path / "two.py").write_text("from one import X\nbus.publish(X)\n")

    model = EventFlowAnalyzer(tmp_path).analyze()

    assert {edge.event for edge in model.edges} <= {"X"}


def test_two_files_of_one_name_are_two_agents(tmp_path):
    for folder in ("orders", "stock"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "agent.py").write_text(f"bus.publish('{folder}.x')\n")
        (tmp_path / folder / "__init__.py").write_text("bus.publish('init')\n")

    model = EventFlowAnalyzer(tmp_path).analyze()

    assert [agent.id for agent in model.agents] == [
        "orders",
        "orders.agent",
        "stock",
        "stock.agent",
    ]
