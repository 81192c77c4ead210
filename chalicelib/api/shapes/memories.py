"""Memories and knowledge: what is remembered, asked and told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.api.shapes._base import Answer, Body, Moment

Name = Annotated[
    int | str,
    Field(
        description="A whole number or a text: letters, digits and any of _.:@/+-",
        examples=[1],
    ),
]
MemoryType = Literal[
    "fact", "preference", "context", "decision", "error", "feedback", "learning"
]
Scope = Literal["agent", "circle", "project", "global"]
Content = Annotated[
    str,
    Field(
        min_length=1,
        description="Up to 32,768 bytes.",
        examples=["Database password is in .env.production"],
    ),
]
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]],
    Field(max_length=32, examples=[["ops"]]),
]
Short = Annotated[str, Field(min_length=1, max_length=256)]
Numbers = Annotated[
    list[float],
    Field(
        min_length=8,
        max_length=4096,
        description="A vector of one's own, in the place of the platform's; of the "
        "length and model of the others of its space.",
    ),
]
ModelName = Annotated[
    str, Field(max_length=256, description="Of which model the own vector is.")
]
Threshold = Annotated[
    float,
    Field(
        ge=-1,
        le=1,
        description="How near a result is at least: the cosine. Vectors of the local "
        "provider are farther apart than those of models: 0.3 is near for them.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=100)]


class NewMemory(Body):
    """Something that an agent is to remember."""

    agent_id: Name
    content: Content
    memory_type: MemoryType = "fact"
    key: Short | None = Field(None, description="Made of the content, unless given.")
    tags: Tags = Field([])
    importance: float = Field(0.5, ge=0, le=1)
    source_type: Short | None = None
    source_id: Name | None = None
    scope: Scope = Field("agent", description="Who recalls it besides the agent.")
    scope_id: Name | None = Field(None, description="The circle or the project.")
    embedding: Numbers | None = None
    embedding_model: ModelName = ""


class NewMemories(Body):
    """Several; all are kept, or none."""

    memories: list[NewMemory] = Field(min_length=1, max_length=40)


class Memory(Answer):
    """A memory as it is kept."""

    id: str = Field(examples=["mem_01JZ8Q6Y3M2K7W5V4T3S2R1QAB"])
    agent_id: Name
    key: str
    value: str
    memory_type: MemoryType
    tags: list[str]
    importance: float
    scope: Scope
    scope_id: Name | None
    source_type: str | None
    source_id: Name | None
    created_at: Moment
    access_count: int
    last_accessed_at: Moment | None


class OneMemory(Answer):
    """A memory."""

    memory: Memory


class MemoryIds(Answer):
    """The ids of what was remembered, in the order of what was sent."""

    ids: list[str]


class MemoryPage(Answer):
    """Memories, the newest first."""

    memories: list[Memory]
    cursor: str | None


class Question(Body):
    """What an agent asks: in words, or by a vector of its own."""

    agent_id: Name
    query: Content | None = None
    embedding: Numbers | None = None
    embedding_model: ModelName = ""
    limit: Limit = 10
    threshold: Threshold = 0.7
    memory_type: MemoryType | None = None
    tags: Tags = Field([], description="Any of them.")
    update_access: bool = Field(
        True, description="Count with the memories that they were used, and tell of it."
    )


class RecalledMemory(Answer):
    """A memory that fits, and how near it is."""

    id: str
    key: str
    value: str
    memory_type: MemoryType
    similarity: float
    importance: float
    agent_id: Name
    scope: Scope
    scope_id: Name | None
    tags: list[str]


class SkippedSpace(Answer):
    """Where nothing was looked for: its vectors are of another model."""

    space: str
    dimension: int
    model: str


class Recalled(Answer):
    """What fits, the best first."""

    results: list[RecalledMemory]
    searched: list[str] = Field(examples=[["agent:1", "circle:5", "global"]])
    skipped: list[SkippedSpace]


class Space(Answer):
    """What shares vectors of one model."""

    space: str = Field(examples=["circle:5"])
    dimension: int
    model: str
    limit: int = Field(description="So many memories may be in it.")


class CountedSpace(Space):
    """A space, and how many memories are in it."""

    count: int


class Spaces(Answer):
    """The spaces that a caller may read."""

    spaces: list[Space]


class OwnCount(Answer):
    """An agent's own memories."""

    total: int
    by_type: dict[str, int]


class KnowledgeCount(Answer):
    """What is known."""

    total: int


class MemoryStats(Answer):
    """How much is remembered; an agent's own where one is named."""

    memories: OwnCount | None
    spaces: list[CountedSpace]
    knowledge: KnowledgeCount


class NewKnowledge(Body):
    """Something that everybody may look up."""

    title: Short
    content: Content
    category: Short | None = None
    project_id: Name | None = None
    tags: Tags = Field([])
    source_url: str | None = Field(None, min_length=1, max_length=2048)
    author_agent_id: Name | None = None
    embedding: Numbers | None = None
    embedding_model: ModelName = ""


class Knowledge(Answer):
    """A piece of knowledge; with a similarity where it answers a question."""

    id: str = Field(examples=["kn_01JZ8Q6Y3M2K7W5V4T3S2R1QAB"])
    title: str
    content: str
    category: str | None
    project_id: Name | None
    tags: list[str]
    source_url: str | None
    author_agent_id: Name | None
    created_at: Moment
    similarity: float | None


class OneKnowledge(Answer):
    """A piece of knowledge."""

    knowledge: Knowledge


class KnowledgePage(Answer):
    """Knowledge, the newest first."""

    knowledge: list[Knowledge]
    cursor: str | None


class KnowledgeQuestion(Body):
    """What is asked: in words, or by a vector of one's own."""

    query: Content | None = None
    embedding: Numbers | None = None
    embedding_model: ModelName = ""
    limit: Limit = 5
    threshold: Threshold = 0.7
    category: Short | None = None
    project_id: Name | None = None
    tags: Tags = Field([], description="Any of them.")


class FoundKnowledge(Answer):
    """The knowledge that fits, the best first."""

    results: list[Knowledge]


class Forgotten(Answer):
    """It is found no more."""

    id: str
    forgotten: Literal[True]
