"""What a model answered: read leniently, refused where it is nonsense, clipped."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.pulls import leaks
from chalicelib.pulls.analysis import (
    Analysis,
    AnswerError,
    Issue,
    check,
    clip,
    read,
)
from chalicelib.pulls.patches import read_files
from tests.githubserver import changed

GOOD = {
    "risk_level": "medium",
    "confidence_score": 0.8,
    "summary": "Adds a retry.",
    "recommendation": "Check the limit.",
    "key_changes": ["retry.py tries three times"],
    "effort": 2,
    "issues": [
        {"path": "retry.py", "line": 2, "severity": "low", "message": "No jitter."}
    ],
    "security": [],
}


def answered(**changes):
    return check({**GOOD, **changes})


def test_a_good_answer_is_read():
    assert read(json.dumps(GOOD)) == Analysis(
        risk_level="medium",
        confidence_score=0.8,
        summary="Adds a retry.",
        recommendation="Check the limit.",
        key_changes=("retry.py tries three times",),
        effort=2,
        issues=(Issue("retry.py", 2, "low", "No jitter."),),
        security=(),
    )


@pytest.mark.parametrize(
    "text",
    [
        "```json\n{}\n```",
        "```\n{}\n```\n",
        "  ```JSON\n{}",
        "Here it is:\n{}\nI hope it helps.",
        "\ufeff{}",
    ],
)
def test_what_stands_around_an_answer_does_not_matter(text):
    assert read(text.replace("{}", json.dumps(GOOD))) == check(GOOD)


@pytest.mark.parametrize(
    ("given", "level"),
    [("High", "high"), (" LOW ", "low"), ("Critical", "high"), ("moderate", "medium")],
)
def test_the_case_and_the_word_of_a_level_do_not_matter(given, level):
    assert answered(risk_level=given).risk_level == level
    issue = {**GOOD["issues"][0], "severity": given}
    assert answered(issues=[issue]).issues[0].severity == level


def test_names_may_be_written_as_in_javascript():
    told = {
        "riskLevel": "Low",
        "confidenceScore": 1,
        "summary": "s",
        "recommendation": "r",
        "keyChanges": ["k"],
        "effort": "3",
        "mood": "fine",
    }

    found = check(told)

    assert (found.risk_level, found.key_changes, found.effort) == ("low", ("k",), 3)
    assert (found.issues, found.security) == ((), ())


@pytest.mark.parametrize(("given", "share"), [(85, 0.85), (1, 1.0), (0, 0.0), (100, 1)])
def test_a_confidence_of_a_hundred_is_a_share(given, share):
    assert answered(confidence_score=given).confidence_score == share


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"risk_level": "purple"}, "risk_level"),
        ({"risk_level": None}, "risk_level"),
        ({"risk_level": ["low"]}, "risk_level"),
        ({"confidence_score": -0.1}, "confidence_score"),
        ({"confidence_score": 101}, "confidence_score"),
        ({"confidence_score": float("nan")}, "confidence_score"),
        ({"confidence_score": "sure"}, "confidence_score"),
        ({"summary": "  "}, "summary"),
        ({"summary": "\u200b\u202e"}, "summary"),
        ({"summary": {"text": "x"}}, "summary"),
        ({"recommendation": None}, "recommendation"),
        ({"effort": 0}, "effort"),
        ({"effort": 6}, "effort"),
        ({"effort": 2.5}, "effort"),
        ({"key_changes": "one"}, "key_changes"),
        ({"key_changes": [1]}, "key_changes"),
        ({"issues": {}}, "issues"),
        ({"issues": ["bad"]}, "issues"),
        ({"issues": [{"path": "a", "severity": "low"}]}, "issues.0.message"),
        ({"issues": [{"severity": "low", "message": "m"}]}, "issues.0.path"),
        (
            {"issues": [{"path": "a", "severity": "odd", "message": "m"}]},
            "issues.0.severity",
        ),
    ],
)
def test_nonsense_is_refused_by_its_name(changes, named):
    with pytest.raises(AnswerError, match=named):
        answered(**changes)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named_where_it_is_needed(name):
    rest = {key: value for key, value in GOOD.items() if key != name}

    if name in ("key_changes", "issues", "security"):
        assert getattr(check(rest), name) == ()
    else:
        with pytest.raises(AnswerError, match=name):
            check(rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot help with that.",
        "{",
        "}{",
        "[]",
        "null",
        '{"a": NaN}',
        "{" * 5_000,
    ],
)
def test_what_is_no_object_is_refused(text):
    with pytest.raises(AnswerError):
        read(text)


def test_what_is_refused_is_not_repeated():
    with pytest.raises(AnswerError) as caught:
        answered(risk_level="<script>", effort="many")

    assert "script" not in str(caught.value)
    assert "many" not in str(caught.value)


def test_texts_and_lists_are_clipped():
    issue = {"path": "a" * 900, "severity": "low", "message": "m" * 900}
    found = answered(
        summary="s" * 501,
        recommendation="r" * 2_000,
        key_changes=["k" * 500] * 9,
        issues=[issue] * 9,
        security=["x" * 500] * 9,
    )

    assert (len(found.summary), found.summary[-2:]) == (500, "s…")
    assert len(found.recommendation) == 1_000
    assert [len(one) for one in found.key_changes] == [300] * 3
    assert [len(one.message) for one in found.issues] == [300] * 5
    assert len(found.issues[0].path) == 400
    assert len(found.security) == 5
    assert clip("abc", 3) == "abc"


@pytest.mark.parametrize(
    "text", ["None", "n/a", "No security concerns found.", "none."]
)
def test_a_note_that_there_is_none_is_none(text):
    assert answered(security=[text, "Opens a port."]).security == ("Opens a port.",)


@pytest.mark.parametrize("line", [0, -3, "7", 2.0, None, True, 2**40])
def test_a_line_that_is_none_is_left_out(line):
    issue = {**GOOD["issues"][0], "line": line}

    assert answered(issues=[issue]).issues[0].line is None


def test_what_would_turn_a_text_round_is_left_out():
    found = answered(summary="safe\u202eevas\u0007", recommendation="one\ntwo")

    assert found.summary == "safe evas"
    assert found.recommendation == "one\ntwo"


def test_a_secret_that_a_model_repeats_is_masked():
    key = "AKIA" + "Z" * 16

    found = answered(summary=f"Adds {key} to a file.", security=[f"{key} leaks"])

    assert found.summary == "Adds [secret] to a file."
    assert found.security == ("[secret] leaks",)


def test_an_analysis_reads_back_what_it_wrote():
    found = check(GOOD)

    assert Analysis.from_dict(json.loads(json.dumps(found.to_dict()))) == found


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*GOOD, "path", "line", "x"]), inner, max_size=8
        )
    ),
    max_leaves=12,
)


@given(_JSON | st.fixed_dictionaries(dict.fromkeys(GOOD, _JSON)))
def test_whatever_is_answered_is_an_analysis_or_refused(answer):
    try:
        found = check(answer)
    except AnswerError:
        return
    assert found.risk_level in ("low", "medium", "high")
    assert 1 <= found.effort <= 5


@given(st.text(max_size=200))
def test_whatever_text_is_answered_is_read_or_refused(text):
    with pytest.raises(AnswerError):
        read(text)


# --- Held to what is changed --------------------------------------------------------

PATCH = "@@ -1,2 +1,3 @@\n one\n+two\n three"


def issue(path="retry.py", line=2):
    return Issue(path, line, "low", "m")


def held(*issues, known=True):
    told = Analysis("low", 0.5, "s", "r", issues=issues)
    files = read_files([changed("retry.py", PATCH)])
    return told.held_to(files if known else None).issues


def test_an_issue_of_a_changed_file_stays_with_a_line_that_is_shown():
    assert held(issue(), issue(line=9)) == (issue(), issue(line=None))


@pytest.mark.parametrize("path", ["a/retry.py", "b/retry.py", "./retry.py"])
def test_paths_may_be_written_as_diffs_do(path):
    assert held(issue(path)) == (issue(),)


def test_an_issue_of_another_file_was_made_up():
    assert held(issue("main.js"), issue("")) == ()
    assert held(issue(), known=False) == ()


def test_what_is_certain_comes_first_and_once():
    told = Analysis("low", 0.5, "s", "r", issues=(issue(), issue("b")), security=("x",))
    sure = [issue(str(n)) for n in range(4)]

    found = told.joined([*sure, issue("b")], ["y", "x"])

    assert found.issues == (*sure, issue("b"))
    assert found.security == ("y", "x")


def test_risk_is_raised_and_never_lowered():
    assert Analysis("low", 0.5, "s", "r").raised("medium").risk_level == "medium"
    assert Analysis("high", 0.5, "s", "r").raised("medium").risk_level == "high"


# --- Secrets ------------------------------------------------------------------------

SECRETS = {
    "AKIA" + "A1" * 8: "an AWS access key",
    "-----BEGIN RSA PRIVATE" + " KEY-----": "a private key",
    "-----BEGIN PRIVATE" + " KEY-----": "a private key",
    "ghp_" + "a1B2" * 9: "a GitHub token",
    "github_pat_" + "a_1" * 10: "a GitHub token",
    "glpat-" + "a-1_" * 5: "a GitLab token",
    "xoxb-" + "123-abc" * 3: "a Slack token",
    "AIza" + "a-1_b" * 7: "a Google API key",
    "sk_live_" + "a1" * 12: "a Stripe key",
    "sk-proj-" + "a1_-" * 12: "an OpenAI key",
    "npm_" + "a1" * 18: "an npm token",
    "whsec_" + "a+/1" * 8: "a webhook secret",
    "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 20: "a JSON Web Token",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_by_its_form_and_masked(secret):
    line = f"key: {secret} # ours"

    assert list(leaks.found(line)) == [SECRETS[secret]]
    assert leaks.mask(line).startswith("key: [secret]")
    assert secret not in leaks.mask(line)


@pytest.mark.parametrize(
    "line",
    [
        'password = "correct-horse-battery"',
        "'api_key': 'abcdefghij0123456789'",
        'SECRET := "0123456789abcdef"',
    ],
)
def test_a_password_is_found_by_its_name(line):
    assert list(leaks.found(line)) == ["what looks like a password or key"]
    assert "[secret]" in leaks.mask(line)


@pytest.mark.parametrize(
    "line",
    [
        'password = "changeme-please"',
        'password = "${DB_PASSWORD}"',
        'password = os.environ["PASSWORD"]',
        'secret = "short"',
        'token_count = "123456789012345"',
        "AKIAIOSFODNN7EXAMPLE",
        "task-oriented-programming-is-a-long-name-of-something",
        "the password must have twelve characters",
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_what_is_no_secret_is_none(line):
    assert list(leaks.found(line)) == []


@pytest.mark.parametrize("sign", ["", "+", "-"])
def test_the_whole_of_a_private_key_is_masked(sign):
    inner = f"\n{sign}".join(["MIIEvQ" + "A" * 58] * 20)
    key = f"-----BEGIN PRIVATE{' KEY'}-----\n{sign}{inner}\n{sign}-----END PRIVATE KEY-----"

    masked = leaks.mask(f"before\n{sign}{key}\nafter")

    assert "AAAA" not in masked
    assert masked.startswith(f"before\n{sign}[secret]")
    assert masked.endswith("after")


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" + "a" * 99_999,
        "-eyJ.eyJ" * 12_000,
        "sk-" * 33_000,
        "password=" * 11_000,
        "-----BEGIN " * 9_000,
        "xoxb-" * 20_000,
        'secret="' + "x" * 99_000,
    ],
)
def test_no_text_takes_long(text):
    started = time.process_time()
    leaks.mask(text)
    list(leaks.found(text))

    assert time.process_time() - started < 5
