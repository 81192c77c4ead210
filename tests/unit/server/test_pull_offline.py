"""A reading by rules: useful, the same each time, and honest about what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.pulls.offline import OfflineAnalyst
from chalicelib.pulls.patches import read_files
from chalicelib.pulls.signs import certain
from tests.githubserver import changed
from tests.pulls import added, file, many, request

TEST = file("tests/test_a.py")


def analyse(*files, **told):
    return OfflineAnalyst().analyse(request(*files, **told))


def read(*files, **told):
    return analyse(*files, **told).analysis


def test_it_says_what_it_is_and_what_is_changed():
    found = analyse(file("src/a.py", many(12)), TEST, file("README.md"))

    assert found.analysis.summary == (
        "Read by rules, not by a model: 14 lines added and 0 taken away in 3 files "
        "(1 of source, 1 of tests, 1 of documents)."
    )
    assert (found.analyst, found.model, found.tokens_in) == ("offline", None, 0)
    assert found.read == ("src/a.py", "tests/test_a.py", "README.md")
    assert found.analysis.recommendation.startswith("Review it as usual")
    assert found.analysis.key_changes[0] == "src/a.py: modified, +12 -0"


@pytest.mark.parametrize(
    ("files", "risk", "effort"),
    [
        ([many(50)], "low", 2),
        ([many(51)], "medium", 3),
        ([many(200)], "medium", 3),
        ([many(201)], "high", 4),
        ([many(1)] * 3, "low", 2),
        ([many(1)] * 4, "medium", 2),
        ([many(1)] * 10, "medium", 3),
        ([many(1)] * 11, "high", 4),
        ([many(5)], "low", 1),
        ([many(900)], "high", 5),
    ],
)
def test_size_alone_is_a_risk_and_an_effort(files, risk, effort):
    found = read(*[file(f"src/{n}.py", patch) for n, patch in enumerate(files)])

    assert (found.risk_level, found.effort) == (risk, effort)


def test_what_nobody_wrote_by_hand_does_not_count():
    found = read(file("src/a.py"), TEST, file("poetry.lock", many(5_000)))

    assert found.risk_level == "low"
    assert "1 file that nobody wrote by hand not counted" in found.summary


def test_documents_alone_are_no_risk_and_tests_alone_no_great_one():
    assert read(file("README.md", many(900))).risk_level == "low"
    assert read(file("tests/test_a.py", many(900))).risk_level == "medium"
    assert read().risk_level == "low"


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("app/migrations/0002_orders.py", "database migrations"),
        ("db/V3__orders.sql", "database migrations"),
        ("src/auth/login.py", "sign-in and security"),
        ("src/user_permissions.ts", "sign-in and security"),
        ("billing/charge.go", "payments"),
        (".github/workflows/ci.yml", "the build and its workflows"),
        ("Makefile", "the build and its workflows"),
        ("infra/network.tf", "infrastructure"),
        ("Dockerfile", "infrastructure"),
        ("requirements-dev.txt", "dependencies"),
        ("web/package.json", "dependencies"),
    ],
)
def test_delicate_parts_are_named(path, area):
    found = read(file(path), TEST)

    assert found.risk_level == "medium"
    assert f"It touches {area}." in found.summary
    assert found.recommendation == (
        f"Have somebody review it who knows {area}, beginning with {path}."
    )
    assert found.key_changes[0] == f"{area.capitalize()}: {path}"


@pytest.mark.parametrize(
    "path", ["src/author.py", "docs/security.md", "src/tokens.css", "tests/auth/a.py"]
)
def test_what_only_sounds_delicate_is_not(path):
    assert "touches" not in read(file(path)).summary


def test_a_large_change_of_a_migration_is_a_high_risk():
    assert read(file("migrations/1.py", many(21)), TEST).risk_level == "high"


def test_dropping_data_is_one_however_small():
    patch = added("ALTER TABLE orders", "  DROP COLUMN total;")

    found = read(file("migrations/2.sql", patch), TEST)

    assert found.risk_level == "high"
    assert found.recommendation.startswith(
        "Before anything else look at migrations/2.sql:2: Data is dropped"
    )


def test_a_secret_is_told_with_its_line_and_never_repeated():
    secret = "AKIA" + "Z9" * 8

    found = analyse(file("src/a.py", added("import x", f"KEY = '{secret}'")), TEST)

    (issue,) = found.analysis.issues
    assert (issue.path, issue.line, issue.severity) == ("src/a.py", 2, "high")
    assert found.analysis.security == (issue.message,)
    assert found.analysis.risk_level == "high"
    assert secret not in repr(found)


def test_a_secret_in_a_test_is_likely_made_up():
    secret = "ghp_" + "a1B2" * 9

    found = read(file("tests/test_a.py", added(f"KEY = '{secret}'")))

    assert (found.issues[0].severity, found.risk_level) == ("medium", "low")
    assert len(found.security) == 1


def test_a_merge_conflict_is_told():
    patch = added("<<<<<<< HEAD", "a = 1", "=======", "a = 2", ">>>>>>> main")

    found = read(file("src/a.py", patch), TEST)

    assert [(one.line, one.severity) for one in found.issues] == [
        (1, "high"),
        (5, "high"),
    ]
    assert found.risk_level == "high"
    assert found.security == ()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "    breakpoint()"),
        ("a.py", "import pdb; pdb.set_trace()"),
        ("a.ts", "  console.log(order)"),
        ("a.js", "debugger"),
        ("a.test.js", "it.only('works', () => {})"),
        ("a.rb", "binding.pry"),
        ("a.php", "var_dump($x);"),
    ],
)
def test_leftovers_of_looking_for_a_fault_are_told(path, line):
    found = read(file(path, added("x", line)), TEST)

    assert [(one.line, one.severity) for one in found.issues] == [(2, "low")]
    assert found.recommendation.startswith("This looks like a leftover")


def test_source_without_a_test_is_told_at_the_largest_file():
    found = read(file("src/a.py", many(5)), file("src/b.py", many(8)))

    (issue,) = found.issues
    assert (issue.path, issue.message) == (
        "src/b.py",
        "Source is changed, and no test is.",
    )
    assert read(file("src/a.py", many(10))).issues == ()
    assert read(file("src/b.py", many(30)), TEST).issues == ()


def test_tests_that_go_and_code_that_goes_are_told():
    gone = "@@ -1,120 +0,0 @@\n" + "\n".join("-x" for _ in range(120))

    found = read(
        file("tests/test_old.py", gone, status="removed"), file("src/old.py", gone)
    )

    assert {(one.path, one.severity) for one in found.issues} == {
        ("tests/test_old.py", "medium"),
        ("src/old.py", "low"),
    }


def test_without_files_it_says_so_and_judges_by_what_it_has():
    found = analyse(known=False, additions=300, deletions=1, changed_files=None)

    assert found.analysis.summary == (
        "Read by rules, not by a model: 300 lines added and 1 taken away. "
        "Which files are changed is not known."
    )
    assert found.analysis.risk_level == "high"
    assert found.analysis.confidence_score < 0.3
    assert (found.analysis.key_changes, found.analysis.issues) == ((), ())
    assert "EVENTYARD_GITHUB_TOKEN" in found.analysis.recommendation
    assert found.read == ()


def test_files_without_a_patch_are_known_but_were_not_read():
    found = analyse(changed("src/huge.py", None, additions=9_000), TEST)

    assert found.read == ("tests/test_a.py",)
    assert found.analysis.confidence_score == 0.5
    assert found.analysis.risk_level == "high"


def test_what_is_certain_is_told_to_whoever_reads():
    secret = "AKIA" + "Z9" * 8
    files = [
        file("src/a.py", added(f"K = '{secret}'", "password = 'correct-horse-9'")),
        file("tests/test_a.py", added(f"K = '{secret}'")),
        file("vendor/x.py", added(f"K = '{secret}'")),
    ]

    found = certain(read_files(files))

    assert [one.path for one in found.issues] == ["src/a.py"]
    assert found.security == (found.issues[0].message,)
    assert found.risk == "high"


_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60)
_PATH = st.sampled_from(
    ["a.py", "b/c.js", "tests/x.py", "README.md", "migrations/1.sql", "x.lock", "é\n/a"]
)


@given(st.lists(st.tuples(_PATH, st.lists(_LINE, max_size=5)), max_size=6), st.text())
def test_whatever_is_changed_is_read_within_bounds_and_the_same_twice(files, title):
    told = request(*[file(path, added(*lines)) for path, lines in files], title=title)

    found = OfflineAnalyst().analyse(told)

    assert found == OfflineAnalyst().analyse(told)
    made = found.analysis
    assert 1 <= len(made.summary) <= 500
    assert 1 <= len(made.recommendation) <= 1_000
    assert len(made.issues) <= 5
    assert len(made.key_changes) <= 3
    assert 1 <= made.effort <= 5


def test_a_hostile_change_does_not_take_for_ever():
    line = "secret='" + "x" * 180

    found = read(*[file(f"src/{n}.py", many(400, line)) for n in range(150)])

    assert found.risk_level == "high"
