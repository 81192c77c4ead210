"""What GitHub's webhooks say: signatures, and from payloads to facts. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chalicelib.pulls import checks
from chalicelib.pulls.facts import (
    Moment,
    PullFacts,
    Push,
    Reading,
    Repository,
    Review,
    Stamp,
)
from chalicelib.pulls.payload import (
    at,
    clipped,
    dig,
    link,
    listed,
    login,
    number,
    text,
    whole,
)
from eventyard.core.errors import AuthenticationError, InvalidRequestError

#: What the topics of GitHub's events begin with; the event and its action follow.
TOPIC: Final = "com.github."
_PREFIX: Final = "sha256="
_DIGEST: Final = re.compile(r"sha256=[0-9a-f]{64}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DELIVERY: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_HOOK: Final = re.compile(r"[0-9]{1,20}")
_MOST_LABELS: Final = 50
#: Which of two events of one second came later; what is not named comes between.
_RANKS: Final = {"opened": 1, "synchronize": 4, "closed": 6, "reopened": 7}
_OTHERS: Final = 3
_EMBEDDED: Final = 0
#: The code changed: whoever analyses it has something new to read.
CODE_CHANGING: Final = frozenset({"opened", "reopened", "synchronize"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as its headers tell it; its body is told apart by `digest`."""

    hook: str
    event: str
    id: str
    digest: str


def verify(secret: str, body: bytes, signature: str | None) -> None:
    """
    Raise AuthenticationError unless the body was signed with the secret.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    expected = _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = signature or ""
    # Compared as bytes: two texts of which one is not ASCII cannot be.
    if not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
        raise AuthenticationError(_why(signature))


def _why(signature: str | None) -> str:
    if not signature:
        return "X-Hub-Signature-256 is missing; set the webhook's secret at GitHub."
    if not _DIGEST.fullmatch(signature):
        return "X-Hub-Signature-256 must be sha256= and 64 hexadecimal digits."
    return "X-Hub-Signature-256 does not fit the body; both sides need one secret."


def delivery_of(header: Callable[[str], str | None], body: bytes) -> Delivery:
    """Read the headers of a request; raises InvalidRequestError naming one."""
    event, guid = header("x-github-event") or "", header("x-github-delivery") or ""
    if not _NAME.fullmatch(event):
        raise InvalidRequestError("X-GitHub-Event must name an event, such as push.")
    if not _DELIVERY.fullmatch(guid):
        raise InvalidRequestError("X-GitHub-Delivery must hold the delivery's id.")
    target = header("x-github-hook-installation-target-id") or ""
    hook = header("x-github-hook-id") or ""
    # One event goes to every hook that wants it, always under the same id.
    told = [one for one in (target, hook) if _HOOK.fullmatch(one)]
    digest = hashlib.sha256(body).hexdigest()
    return Delivery("-".join(told) or "-", event, guid, digest)


def topic_of(event: str, payload: Mapping[str, Any]) -> str:
    """Return the topic of an event, as CloudEvents name GitHub's."""
    action = payload.get("action")
    known = isinstance(action, str) and _NAME.fullmatch(action)
    return f"{TOPIC}{event}.{action}" if known else TOPIC + event


def source_of(payload: Mapping[str, Any]) -> str:
    """Return where an event comes from: the address of its repository."""
    address = link(dig(payload, "repository", "html_url"))
    return address or link(dig(payload, "organization", "url")) or "https://github.com"


def read(event: str, payload: Mapping[str, Any], digest: str = "") -> Reading:
    """
    Return what a delivery tells; of kinds that tell nothing here, nothing.

    `digest` tells apart what was so at the same second. Never raises for what a field
    holds: what is not as documented is as if it were not there.
    """
    repository = _repository(payload, digest)
    if repository is None:
        return Reading()
    name = repository.full_name
    if event in checks.READERS:
        return Reading(repository, checks=checks.read(event, name, payload, digest))
    reader = _READERS.get(event)
    told = reader(name, payload, digest) if reader else Reading()
    return Reading(repository, told.pulls, told.checks, told.push)


def _repository(payload: Mapping[str, Any], digest: str) -> Repository | None:
    told = payload.get("repository")
    full_name = text(dig(told, "full_name"))
    if not full_name or not re.fullmatch(r"[\w.-]{1,100}/[\w.-]{1,100}", full_name):
        return None
    moments = [at(dig(told, name)) or "" for name in ("updated_at", "pushed_at")]
    fields = {
        "name": text(dig(told, "name")) or full_name.partition("/")[2],
        "description": clipped(dig(told, "description"), 1_000),
        "owner": login(dig(told, "owner")) or full_name.partition("/")[0],
        "owner_avatar": link(dig(told, "owner", "avatar_url")),
        "url": link(dig(told, "html_url")),
        "is_private": dig(told, "private") is True,
        "default_branch": text(dig(told, "default_branch")) or "main",
        "language": text(dig(told, "language")),
        "stars": whole(dig(told, "stargazers_count")) or 0,
        "forks": whole(dig(told, "forks_count")) or 0,
    }
    return Repository(full_name, (max(moments), 0, digest), fields)


def _pull_request(name: str, payload: Mapping[str, Any], digest: str) -> Reading:
    action = text(payload.get("action")) or ""
    told = payload.get("pull_request")
    facts = pull_facts(name, told, _RANKS.get(action, _OTHERS), digest)
    if facts is None:
        return Reading()
    seen = {"opened": "opened", "synchronize": "updated", "reopened": "updated"}
    heads = _heads(facts, action, payload)
    moments = tuple(_moments(action, facts, payload))
    return Reading(pulls=(_with(facts, seen.get(action, ""), heads, moments),))


def _with(
    facts: PullFacts, seen: str, heads: Mapping[str, str], moments: tuple[Moment, ...]
) -> PullFacts:
    return replace(facts, seen=seen, heads=heads, moments=moments)


def _heads(
    facts: PullFacts, action: str, payload: Mapping[str, Any]
) -> Mapping[str, str]:
    sha, when = facts.core.get("sha"), facts.stamp[0]
    before = text(payload.get("before")) if action == "synchronize" else None
    # The one before was there before: how long is not known, but at the latest now.
    return {sha: when for sha in (before, sha) if sha}


def pull_facts(
    repository: str, told: Any, rank: int, digest: str = ""
) -> PullFacts | None:
    """Read a `pull_request` object, whole or as other events embed it."""
    wanted = number(dig(told, "number"))
    if wanted is None:
        return None
    moment = at(dig(told, "updated_at")) or at(dig(told, "created_at")) or ""
    size: dict[str, int | str] = {
        name: value
        for name in ("additions", "deletions", "changed_files", "commits")
        if (value := whole(dig(told, name))) is not None
    }
    if who := login(dig(told, "merged_by")):
        size["merged_by"] = who
    return PullFacts(repository, wanted, (moment, rank, digest), _core(told), size)


def snapshot(repository: str, told: Any) -> PullFacts | None:
    """Read a `pull_request` object that was asked for, not sent."""
    facts = pull_facts(repository, told, _OTHERS)
    return replace(facts, heads=_heads(facts, "", {})) if facts else None


def _core(told: Any) -> Mapping[str, Any]:
    head, base = dig(told, "head"), dig(told, "base")
    home, away = dig(base, "repo", "full_name"), dig(head, "repo", "full_name")
    labels = listed(dig(told, "labels"))[:_MOST_LABELS]
    return {
        "title": clipped(dig(told, "title"), 500) or "",
        "description": clipped(dig(told, "body"), 16_000) or "",
        "author": login(dig(told, "user")) or "",
        "author_avatar": link(dig(told, "user", "avatar_url")),
        "is_bot": dig(told, "user", "type") == "Bot",
        "url": link(dig(told, "html_url")),
        "sha": text(dig(head, "sha")),
        "branch": clipped(dig(head, "ref"), 255),
        "base": clipped(dig(base, "ref"), 255),
        "base_sha": text(dig(base, "sha")),
        "fork": isinstance(home, str) and away != home,
        "draft": dig(told, "draft") is True,
        "closed": dig(told, "state") == "closed",
        "labels": [
            {"name": clipped(dig(one, "name"), 100) or "", "color": _color(one)}
            for one in labels
        ],
        "assignees": _logins(dig(told, "assignees")),
        "requested": _logins(dig(told, "requested_reviewers")),
        "created_at": at(dig(told, "created_at")),
        "closed_at": at(dig(told, "closed_at")),
        "merged_at": at(dig(told, "merged_at")),
        "merged": dig(told, "merged") is True or bool(at(dig(told, "merged_at"))),
    }


def _color(label: Any) -> str:
    color = dig(label, "color")
    fits = isinstance(color, str) and re.fullmatch(r"[0-9A-Fa-f]{6}", color)
    return color if fits and isinstance(color, str) else "888888"


def _logins(told: Any) -> list[str]:
    return [name for one in listed(told) if (name := login(one))][:_MOST_LABELS]


def _moments(action: str, facts: PullFacts, payload: Mapping[str, Any]) -> list[Moment]:
    kind, words = _MOMENTS.get(action, ("", ""))
    if action == "closed" and facts.core["merged"]:
        kind, words = "merged", "merged it"
    if not kind:
        return []
    what = _object_of(action, payload)
    when = _when(action, facts)
    line = f"{words} {what}".strip()
    sha = facts.core["sha"] if action in CODE_CHANGING else None
    return [Moment(when, kind, login(payload.get("sender")), line, sha)]


def _when(action: str, facts: PullFacts) -> str:
    exact = {"opened": "created_at", "closed": "closed_at"}.get(action)
    return (exact and facts.core[exact]) or facts.stamp[0]


def _object_of(action: str, payload: Mapping[str, Any]) -> str:
    match action:
        case "labeled" | "unlabeled":
            return clipped(dig(payload, "label", "name"), 100) or ""
        case "assigned" | "unassigned":
            return login(payload.get("assignee")) or ""
        case "review_requested" | "review_request_removed":
            team = clipped(dig(payload, "requested_team", "name"), 100)
            return login(payload.get("requested_reviewer")) or team or ""
        case "synchronize":
            return (text(dig(payload, "pull_request", "head", "sha")) or "")[:7]
    return ""


_MOMENTS: Final = {
    "opened": ("opened", "opened it"),
    "reopened": ("reopened", "opened it again"),
    "synchronize": ("pushed", "pushed"),
    "closed": ("closed", "closed it"),
    "edited": ("edited", "edited it"),
    "labeled": ("labeled", "added the label"),
    "unlabeled": ("unlabeled", "took off the label"),
    "assigned": ("assigned", "assigned it to"),
    "unassigned": ("unassigned", "took it from"),
    "review_requested": ("review_requested", "asked for a review by"),
    "review_request_removed": ("review_request_removed", "no longer asks"),
    "ready_for_review": ("ready_for_review", "marked it ready for review"),
    "converted_to_draft": ("converted_to_draft", "made it a draft"),
}
#: What a review's state is called, and what its line says.
_REVIEWS: Final = {
    "approved": "approved it",
    "changes_requested": "asked for changes",
    "commented": "commented",
    "dismissed": "dismissed the review of",
}


def _review(name: str, payload: Mapping[str, Any], digest: str) -> Reading:
    told, embedded = payload.get("review"), payload.get("pull_request")
    facts = pull_facts(name, embedded, _EMBEDDED, digest)
    reviewer, state = login(dig(told, "user")), text(dig(told, "state")) or ""
    state = state.lower()
    if facts is None or not reviewer or state not in _REVIEWS:
        return Reading(pulls=(facts,) if facts else ())
    said = at(dig(told, "submitted_at")) or facts.stamp[0]
    sha = text(dig(told, "commit_id")) or str(facts.core["sha"] or "")
    dismissed = state == "dismissed"
    stamp: Stamp = (said, int(dismissed), digest)
    url = link(dig(told, "html_url"))
    identity = str(whole(dig(told, "id")) or f"{reviewer}@{said}")
    review = Review(identity, stamp, reviewer, state, sha, said, url)
    # A dismissal tells when the review was made, not when it was dismissed.
    when = facts.stamp[0] if dismissed else said
    actor = login(payload.get("sender")) if dismissed else reviewer
    words = f"{_REVIEWS[state]} {reviewer}" if dismissed else _REVIEWS[state]
    line = Moment(when, state, actor, words, sha, url)
    return Reading(pulls=(_reviewed(facts, review, line),))


def _reviewed(facts: PullFacts, review: Review, line: Moment) -> PullFacts:
    return replace(facts, reviews=(review,), moments=(line,))


def _comment(name: str, payload: Mapping[str, Any], digest: str) -> Reading:
    facts = pull_facts(name, payload.get("pull_request"), _EMBEDDED, digest)
    return Reading(pulls=(facts,) if facts else ())


def _push(name: str, payload: Mapping[str, Any], _: str) -> Reading:
    ref, sha = text(payload.get("ref")) or "", text(payload.get("after"))
    made = [m for c in listed(payload.get("commits")) if (m := at(dig(c, "timestamp")))]
    last = at(dig(payload, "head_commit", "timestamp"))
    made += [last] if last else []
    branch = ref.removeprefix("refs/heads/")
    if branch == ref or not sha or not made or payload.get("deleted") is True:
        return Reading()
    pushed = at(dig(payload, "repository", "pushed_at")) or max(made)
    created = payload.get("created") is True
    return Reading(push=Push(name, branch[:255], sha, pushed, min(made), created))


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any], str], Reading]]] = {
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "pull_request_review_comment": _comment,
    "push": _push,
}
