"""Secrets that somebody left in a text: found, and never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

#: What it says in the place of a secret.
MASKED: Final = "[secret]"
#: How much of one line is looked at: what is longer was not written by hand.
_LONGEST: Final = 5_000

#: Forms that nothing else has. None can be slow: what repeats never begins within itself.
_FORMS: Final = (
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})"),
    ("a GitLab token", r"(?<![\w-])glpat-[\w-]{20,64}"),
    ("a Slack token", r"(?<![\w-])xox[abeprs]-[A-Za-z0-9-]{10,255}"),
    ("a Google API key", r"(?<![\w-])AIza[\w-]{35}"),
    ("a Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{20,255}"),
    ("an OpenAI key", r"(?<![\w-])sk-[A-Za-z0-9_-]{32,255}"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a webhook secret", r"\bwhsec_[A-Za-z0-9+/]{32,255}"),
    (
        "a JSON Web Token",
        r"(?<![\w-])eyJ[\w-]{10,2000}\.eyJ[\w-]{10,2000}\.[\w-]{10,2000}",
    ),
)
_FORM: Final = re.compile("|".join(f"({form})" for _, form in _FORMS))
#: The whole of a private key, also one that a patch takes away line by line.
_KEY: Final = re.compile(
    _FORMS[1][1] + r"(?:[^-]|(?<=\n)-(?!-)){0,10000}+(?:-----END[A-Z ]{0,40}-----)?"
)
#: `password = "..."`: a text of some length behind a name that says what it is.
_NAMED: Final = re.compile(
    r"(?:password|passwd|secret|api_?key|access_?key|auth_?token|private_?key)"
    r"[\"']?\s{0,3}(?:=>|:=|=|:)\s{0,3}[\"']([^\"'\s]{12,200})[\"']",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(
    r"example|sample|dummy|placeholder|change-?me|your[-_]|xxxx|\*\*\*|\.\.\.|test|fake"
    r"|[<>{}$%]",
    re.IGNORECASE,
)


def found(line: str) -> Iterator[str]:
    """Yield what kinds of secrets a line holds."""
    looked = line[:_LONGEST]
    for match in _FORM.finditer(looked):
        if not match[0].endswith("EXAMPLE"):
            yield _FORMS[(match.lastindex or 1) - 1][0]
    for match in _NAMED.finditer(looked):
        if not _PLACEHOLDER.search(match[1]) and _FORM.search(match[1]) is None:
            yield "what looks like a password or key"


def mask(text: str) -> str:
    """Return a text without the secrets in it."""
    return _NAMED.sub(_hidden, _FORM.sub(MASKED, _KEY.sub(MASKED, text)))


def _hidden(match: re.Match[str]) -> str:
    return match[0].replace(match[1], MASKED)
