"""What addresses of memories and of knowledge share: how requests are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from chalicelib.api._endpoint import Call
from chalicelib.api._parameters import Parameter
from eventyard.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from chalicelib.memories.model import Vector
    from chalicelib.memories.service import Question, Wanted
    from chalicelib.memories.store import Claim
    from eventyard.rag.model import NewKnowledge, Wish

PATH: Final = "/api/v1/memories"
READ: Final = "memories:read"
WRITE: Final = "memories:write"
AGENT: Final = Parameter("agent", "As which agent.")
TYPE: Final = Parameter(
    "memory_type",
    "Of this type alone.",
    # As the package has them: loading it for a word list would slow each cold start.
    choices=(
        "fact",
        "preference",
        "context",
        "decision",
        "error",
        "feedback",
        "learning",
    ),
)
TAG: Final = Parameter("tag", "With any of these tags.", many=True)
CATEGORY: Final = Parameter("category", "Of this category alone.")
PROJECT: Final = Parameter("project", "Of this project alone.")
KEY: Final = Parameter(
    "Idempotency-Key",
    "A second try with the same one, within a day, is answered with the first.",
)
_OWN: Final = ("embedding", "embedding_model")
#: Whose vectors it is not said that they are.
_UNKNOWN: Final = "own"


def wanted(told: Mapping[str, Any]) -> Wanted:
    """Return a memory that is to be kept; raises InvalidMemoryError."""
    from chalicelib.memories.service import Wanted
    from eventyard.rag.model import NewMemory

    fields = {name: value for name, value in told.items() if name not in _OWN}
    return Wanted(NewMemory(**fields), vector(told))


def knowledge(told: Mapping[str, Any]) -> NewKnowledge:
    """Return knowledge that is to be kept; raises InvalidMemoryError."""
    from eventyard.rag.model import NewKnowledge

    fields = {name: value for name, value in told.items() if name not in _OWN}
    return NewKnowledge(**fields)


def vector(told: Mapping[str, Any]) -> Vector | None:
    """Return the caller's own vector, if there is one; raises InvalidMemoryError."""
    from chalicelib.memories.model import Vector

    if told.get("embedding") is None:
        return None
    return Vector.of(told["embedding"], told.get("embedding_model") or _UNKNOWN)


def question(
    told: Mapping[str, Any], kind: str | None, *, update_access: bool
) -> Question:
    """Return what is asked; raises InvalidRequestError unless it is one thing."""
    from chalicelib.memories.service import Question

    text, own = told.get("query"), vector(told)
    if (text is None) == (own is None):
        raise InvalidRequestError("Ask by query or by embedding: one of them.")
    if text is not None and not text.strip():
        raise InvalidRequestError("query is a text that is not empty.")
    asked = wish(
        told["limit"],
        kind,
        told["tags"],
        told.get("project_id"),
        threshold=told["threshold"],
    )
    return Question(text, own, asked, update_access)


def wish(
    limit: int,
    kind: str | None,
    tags: Sequence[str],
    project_id: Any = None,
    *,
    threshold: float = 0.0,
) -> Wish:
    """Return what is asked for besides words; raises InvalidMemoryError."""
    from eventyard.rag.model import Wish

    return Wish(limit, threshold, kind, tuple(tags), project_id)


def threshold(text: str | None) -> float:
    """Read how near results must be; raises InvalidRequestError."""
    from eventyard.rag.model import DEFAULT_THRESHOLD

    if not text:
        return DEFAULT_THRESHOLD
    try:
        return float(text)
    except ValueError:
        raise InvalidRequestError(
            f"threshold must be a number from -1 to 1, not {text[:60]!r}.",
            details={"parameter": "threshold"},
        ) from None


def agent(call: Call) -> str:
    """Return the agent that is named; raises InvalidRequestError without one."""
    named: str | None = call.take(AGENT)
    if not named:
        raise InvalidRequestError(
            "agent is missing: as which agent?", details={"parameter": "agent"}
        )
    return named


def claim(call: Call) -> Claim | None:
    """Return the idempotency key with what it stands for, if there is one."""
    from chalicelib.events.drafts import check_idempotency_key
    from chalicelib.memories.store import Claim

    key = check_idempotency_key(call.header("Idempotency-Key"))
    if key is None:
        return None
    body = f"{call.request.method} {call.request.path}\n{call.raw().decode()}"
    return Claim(call.principal.id, key, body)
