"""`/api/v1/memories`: what agents remember and recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Response

from chalicelib.api import _memories as asked
from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._memories import AGENT, KEY, PATH, READ, TAG, TYPE, WRITE
from chalicelib.api._parameters import CURSOR, Parameter, limit

if TYPE_CHECKING:
    from chalicelib.memories.service import Recalled

routes = Routes(__name__)
_LIMIT: Final = limit(50, highest=100)
_RESULTS: Final = limit(10, highest=100)
_QUERY: Final = Parameter("query", "What is asked.")
_THRESHOLD: Final = Parameter(
    "threshold", "How near a result is at least, from -1 to 1; 0.7 without."
)
_MEMORY: Final = PATH + "/{memory_id}"
_NONE: Final = {404: "There is no such memory, or not for this caller."}
_MADE: Final = {
    200: ("The key was used before: the first answer.", "memories.OneMemory"),
    409: "The key stands for another request, or the space is full.",
    503: "Nobody made a vector of it.",
}
_ASKED: Final = {503: "Nobody made a vector of it."}


@routes.post(
    PATH,
    scope=WRITE,
    headers=(KEY,),
    body="memories.NewMemory",
    answer="memories.OneMemory",
    status=201,
    also=_MADE,
)
def remember(call: Call) -> Response:
    """
    Remember something, for an agent that the key speaks for.

    It is told of as `memory.created`; in a circle or a project as `memory.shared`,
    with its content.
    """
    from chalicelib.api.shapes.memories import NewMemory

    wanted = [asked.wanted(call.body(NewMemory).model_dump())]
    service = call.platform.memories.service
    (name,), fresh = service.remember(wanted, call.principal, asked.claim(call))
    kept = service.kept(name)
    return answer_json({"memory": kept.dict()}, 201 if fresh else 200)


@routes.post(
    PATH + "/batch",
    scope=WRITE,
    headers=(KEY,),
    body="memories.NewMemories",
    answer="memories.MemoryIds",
    status=201,
    also={**_MADE, 200: ("As above.", "memories.MemoryIds")},
)
def remember_batch(call: Call) -> Response:
    """Remember up to 40, all or none, in one commit."""
    from chalicelib.api.shapes.memories import NewMemories

    told = call.body(NewMemories).model_dump()["memories"]
    wanted = [asked.wanted(one) for one in told]
    service = call.platform.memories.service
    ids, fresh = service.remember(wanted, call.principal, asked.claim(call))
    return answer_json({"ids": ids}, 201 if fresh else 200)


@routes.post(
    PATH + "/recall",
    scope=READ,
    body="memories.Question",
    answer="memories.Recalled",
    also=_ASKED,
)
def recall(call: Call) -> Any:
    """
    Recall what fits a question, the best first.

    An agent recalls its own memories, those of the circles and projects that it is in,
    and global ones.
    """
    from chalicelib.api.shapes.memories import Question

    told = call.body(Question).model_dump()
    question = asked.question(
        told, told["memory_type"], update_access=told["update_access"]
    )
    return _recalled(call, told["agent_id"], question)


@routes.get(
    PATH + "/recall",
    scope=READ,
    query=(AGENT, _QUERY, TYPE, TAG, _RESULTS, _THRESHOLD),
    answer="memories.Recalled",
    also=_ASKED,
)
def recall_by_query(call: Call) -> Any:
    """Recall likewise, and count nothing: a GET changes nothing."""
    told = {
        "query": call.take(_QUERY),
        "limit": call.take(_RESULTS),
        "threshold": asked.threshold(call.take(_THRESHOLD)),
        "tags": call.take(TAG),
    }
    question = asked.question(told, call.take(TYPE), update_access=False)
    return _recalled(call, asked.agent(call), question)


def _recalled(call: Call, agent_id: Any, question: Any) -> Mapping[str, Any]:
    found: Recalled = call.platform.memories.service.recall(
        agent_id, question, call.principal
    )
    return {
        "results": [one.dict() for one in found.results],
        "searched": found.searched,
        "skipped": [
            {"space": s.name, "dimension": s.dimension, "model": s.model}
            for s in found.skipped
        ],
    }


@routes.get(
    PATH,
    scope=READ,
    query=(AGENT, TYPE, TAG, _LIMIT, CURSOR),
    answer="memories.MemoryPage",
)
def list_memories(call: Call) -> Any:
    """
    List what an agent knows, the newest first.

    A page that looked at many rows which do not fit has fewer than `limit`.
    """
    wish = asked.wish(call.take(_LIMIT), call.take(TYPE), call.take(TAG))
    cursor = call.take(CURSOR)
    rows, cursor = call.platform.memories.service.page(
        asked.agent(call), call.principal, wish, cursor
    )
    return {"memories": [one.dict() for one in rows], "cursor": cursor}


@routes.get(PATH + "/spaces", scope=READ, answer="memories.Spaces")
def list_spaces(call: Call) -> Any:
    """List the spaces that there are memories in, as far as the key may read them."""
    return {"spaces": call.platform.memories.service.spaces(call.principal)}


@routes.get(
    PATH + "/stats",
    scope=READ,
    query=(AGENT, asked.CATEGORY, asked.PROJECT),
    answer="memories.MemoryStats",
)
def memory_stats(call: Call) -> Any:
    """Count the knowledge, and where an agent is named what it remembers."""
    memories = call.platform.memories
    named = call.take(AGENT)
    told: Any = {"memories": None, "spaces": []}
    if named is not None:
        told = memories.service.stats(named, call.principal)
    wish = asked.wish(1, call.take(asked.CATEGORY), [], call.take(asked.PROJECT))
    return {**told, "knowledge": {"total": memories.knowledge.count(wish)}}


@routes.get(
    _MEMORY, scope=READ, query=(AGENT,), answer="memories.OneMemory", also=_NONE
)
def get_memory(call: Call, memory_id: str) -> Any:
    """Read one; a key for some agents says as which one, where it is shared."""
    service = call.platform.memories.service
    return {"memory": service.get(memory_id, call.principal, call.take(AGENT)).dict()}


@routes.delete(
    _MEMORY, scope=WRITE, query=(AGENT,), answer="memories.Forgotten", also=_NONE
)
def forget_memory(call: Call, memory_id: str) -> Any:
    """
    Forget one: it is found no more, from the answer on.

    With `agent` only if it is that agent's. It is told of as `memory.forgotten`.
    """
    named = call.take(AGENT)
    call.platform.memories.service.forget(memory_id, call.principal, named)
    return {"id": memory_id, "forgotten": True}
