"""What a memory is, what it may hold, and how it is told; no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Final

from eventyard.rag.spaces import InvalidMemoryError, Name, check_agent, space_of

MEMORY_TYPES: Final = (
    "fact",
    "preference",
    "context",
    "decision",
    "error",
    "feedback",
    "learning",
)
#: Ids of memories and of knowledge begin with these.
PREFIX: Final = "mem_"
KNOWLEDGE_PREFIX: Final = "kn_"
#: The longest that texts may be: contents in bytes, others in characters.
MOST_CONTENT: Final = 32_768
MOST_TEXT: Final = 256
MOST_TAGS: Final = 32
MOST_TAG: Final = 64
#: So many come of one question at most.
MOST_RESULTS: Final = 100
DEFAULT_THRESHOLD: Final = 0.7


@dataclass(frozen=True, slots=True)
class NewMemory:
    """Something that an agent is to remember; checked when it is made."""

    agent_id: Name
    content: str
    memory_type: str = "fact"
    #: What it is called; made of the content unless it is given.
    key: str | None = None
    tags: tuple[str, ...] = ()
    #: 0 to 1.
    importance: float = 0.5
    source_type: str | None = None
    source_id: Name | None = None
    scope: str = "agent"
    #: The circle or the project that it is for.
    scope_id: Name | None = None

    def __post_init__(self) -> None:
        """Check every field; raises InvalidMemoryError naming the one at fault."""
        check_agent(self.agent_id)
        check_content("content", self.content)
        check_type(self.memory_type)
        check_text("key", self.key)
        check_text("source_type", self.source_type)
        if self.source_id is not None:
            check_text("source_id", str(self.source_id))
        check_importance(self.importance)
        _ = self.space
        object.__setattr__(self, "tags", checked_tags(self.tags))

    @property
    def space(self) -> str:
        """Return the space that it belongs to."""
        return space_of(self.scope, self.scope_id, self.agent_id)

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.key or digest(self.content)

    @property
    def is_shared(self) -> bool:
        """Tell whether it is for a circle or a project."""
        return self.scope in ("circle", "project")

    @classmethod
    def read(cls, agent_id: Name, told: Any) -> NewMemory:
        """Make one of what was said: its content, or a mapping of its fields."""
        if isinstance(told, str):
            return cls(agent_id, told)
        if not isinstance(told, Mapping) or "content" not in told:
            raise InvalidMemoryError("A memory is a text, or has a content.")
        known = {one.name for one in fields(cls)}
        unknown = {str(name) for name in told} - known
        if unknown:
            raise InvalidMemoryError(f"A memory has no field {min(unknown)!r}.")
        return cls(**{"agent_id": agent_id, **told})


@dataclass(frozen=True, slots=True)
class NewKnowledge:
    """Something that everybody may look up; checked when it is made."""

    title: str
    content: str
    category: str | None = None
    project_id: Name | None = None
    tags: tuple[str, ...] = ()
    source_url: str | None = None
    author_agent_id: Name | None = None

    def __post_init__(self) -> None:
        """Check every field; raises InvalidMemoryError naming the one at fault."""
        check_content("title", self.title)
        check_text("title", self.title)
        check_content("content", self.content)
        check_text("category", self.category)
        check_text("source_url", self.source_url, most=2_048)
        if self.author_agent_id is not None:
            check_agent(self.author_agent_id)
        if self.project_id is not None:
            space_of("project", self.project_id, "-")
        object.__setattr__(self, "tags", checked_tags(self.tags))

    @property
    def text(self) -> str:
        """Return what is made a vector of."""
        return f"{self.title}\n{self.content}"


@dataclass(frozen=True, slots=True)
class RecallResult:
    """A memory that fits a question, and how well: `similarity` is up to 1."""

    id: str
    key: str
    value: str
    memory_type: str
    similarity: float
    importance: float
    agent_id: Name | None = None
    scope: str = "agent"
    scope_id: Name | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Take lists of tags, as JSON has them."""
        object.__setattr__(self, "tags", tuple(self.tags))

    def dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**asdict(self), "tags": list(self.tags)}


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """A memory as it is kept."""

    id: str
    agent_id: Name
    key: str
    value: str
    memory_type: str
    tags: tuple[str, ...]
    importance: float
    scope: str
    scope_id: Name | None
    source_type: str | None
    source_id: Name | None
    created_at: str
    access_count: int = 0
    last_accessed_at: str | None = None

    def __post_init__(self) -> None:
        """Take lists of tags, as JSON has them."""
        object.__setattr__(self, "tags", tuple(self.tags))

    @property
    def space(self) -> str:
        """Return the space that it belongs to."""
        return space_of(self.scope, self.scope_id, self.agent_id)

    def dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**asdict(self), "tags": list(self.tags)}

    def recalled(self, similarity: float) -> RecallResult:
        """Return it as an answer to a question."""
        return RecallResult(
            id=self.id,
            key=self.key,
            value=self.value,
            memory_type=self.memory_type,
            similarity=similarity,
            importance=self.importance,
            agent_id=self.agent_id,
            scope=self.scope,
            scope_id=self.scope_id,
            tags=self.tags,
        )


@dataclass(frozen=True, slots=True)
class KnowledgeResult:
    """A piece of knowledge; with a `similarity` where it answers a question."""

    id: str
    title: str
    content: str
    category: str | None
    project_id: Name | None
    tags: tuple[str, ...]
    source_url: str | None
    author_agent_id: Name | None
    created_at: str
    similarity: float | None = None

    def __post_init__(self) -> None:
        """Take lists of tags, as JSON has them."""
        object.__setattr__(self, "tags", tuple(self.tags))

    def dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**asdict(self), "tags": list(self.tags)}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a question asks for besides its words; checked when it is made."""

    limit: int = 10
    threshold: float = DEFAULT_THRESHOLD
    #: The type of a memory, or the category of a piece of knowledge.
    kind: str | None = None
    #: Any of them will do.
    tags: tuple[str, ...] = ()
    project_id: Name | None = None

    def __post_init__(self) -> None:
        """Check every field; raises InvalidMemoryError."""
        if type(self.limit) is not int or not 0 <= self.limit <= MOST_RESULTS:
            raise InvalidMemoryError(f"limit is a whole number, 0 to {MOST_RESULTS}.")
        if not _is_number(self.threshold) or not -1 <= self.threshold <= 1:
            raise InvalidMemoryError("threshold is a number from -1 to 1.")
        object.__setattr__(self, "tags", checked_tags(self.tags))

    @property
    def is_plain(self) -> bool:
        """Tell whether every memory will do."""
        return self.kind is None and not self.tags and self.project_id is None

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Return groups of labels: of each group one is wanted."""
        groups: list[tuple[str, ...]] = []
        if self.kind is not None:
            groups.append((f"type:{self.kind}",))
        if self.tags:
            groups.append(tuple(f"tag:{tag}" for tag in self.tags))
        if self.project_id is not None:
            groups.append((f"project:{self.project_id}",))
        return tuple(groups)


def labels_of(
    kind: str | None, tags: Iterable[str], project_id: Name | None = None
) -> tuple[str, ...]:
    """Return what filters find a memory or a piece of knowledge by."""
    typed = () if kind is None else (f"type:{kind}",)
    placed = () if project_id is None else (f"project:{project_id}",)
    return (*typed, *(f"tag:{tag}" for tag in tags), *placed)


def digest(text: str) -> str:
    """Return a short name for a text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def check_type(memory_type: Any) -> None:
    """Raise InvalidMemoryError unless it is a type of memory."""
    if memory_type not in MEMORY_TYPES:
        raise InvalidMemoryError(
            f"memory_type is one of {', '.join(MEMORY_TYPES)}, not {memory_type!r:.60}."
        )


def check_content(name: str, content: Any) -> None:
    """Raise InvalidMemoryError unless it is a text that says something."""
    if not isinstance(content, str) or not content.strip():
        raise InvalidMemoryError(f"{name} is a text that is not empty.")
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        raise InvalidMemoryError(f"{name} is no text that UTF-8 has.") from None
    if size > MOST_CONTENT:
        raise InvalidMemoryError(
            f"{name} may have {MOST_CONTENT} bytes, not {size}.",
            details={"limit": MOST_CONTENT, "bytes": size},
        )


def check_text(name: str, text: Any, most: int = MOST_TEXT) -> None:
    """Raise InvalidMemoryError unless it is a short text, or None."""
    if text is None:
        return
    if not isinstance(text, str) or not 0 < len(text) <= most:
        raise InvalidMemoryError(f"{name} is a text of 1 to {most} characters.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidMemoryError(f"{name} is no text that UTF-8 has.") from None


def check_importance(importance: Any) -> None:
    """Raise InvalidMemoryError unless it is a number from 0 to 1."""
    if not _is_number(importance) or not 0 <= importance <= 1:
        raise InvalidMemoryError("importance is a number from 0 to 1.")


def checked_tags(tags: Any) -> tuple[str, ...]:
    """Return each tag once, in order; raises InvalidMemoryError."""
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise InvalidMemoryError("tags are a list of texts.")
    found = tuple(dict.fromkeys(tags))
    if len(found) > MOST_TAGS:
        raise InvalidMemoryError(f"There may be {MOST_TAGS} tags, not {len(found)}.")
    for tag in found:
        check_text("A tag", tag or "", most=MOST_TAG)
    return found


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and type(value) is not bool and isfinite(value)
    )
