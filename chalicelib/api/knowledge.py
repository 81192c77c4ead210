"""`/api/v1/memories/knowledge`: what everybody may look up."""

from __future__ import annotations

from typing import Any, Final

from chalice.app import Response

from chalicelib.api import _memories as asked
from chalicelib.api._endpoint import Call, Routes, answer_json
from chalicelib.api._memories import CATEGORY, KEY, PATH, PROJECT, READ, TAG, WRITE
from chalicelib.api._parameters import CURSOR, limit

routes = Routes(__name__)
_PATH: Final = PATH + "/knowledge"
_ONE: Final = _PATH + "/{knowledge_id}"
_LIMIT: Final = limit(50, highest=100)
_NONE: Final = {404: "There is no such knowledge."}
_BUSY: Final = "Nobody made a vector of it."


@routes.post(
    _PATH,
    scope=WRITE,
    headers=(KEY,),
    body="memories.NewKnowledge",
    answer="memories.OneKnowledge",
    status=201,
    also={
        200: ("The key was used before: the first answer.", "memories.OneKnowledge"),
        409: "The key stands for another request, or there is no room for more.",
        503: _BUSY,
    },
)
def add_knowledge(call: Call) -> Response:
    """Keep something that everybody may look up; told of as `knowledge.added`."""
    from chalicelib.api.shapes.memories import NewKnowledge

    told = call.body(NewKnowledge).model_dump()
    kept, fresh = call.platform.memories.knowledge.add(
        asked.knowledge(told), asked.vector(told), call.principal, asked.claim(call)
    )
    return answer_json({"knowledge": kept.dict()}, 201 if fresh else 200)


@routes.get(
    _PATH,
    scope=READ,
    query=(CATEGORY, PROJECT, TAG, _LIMIT, CURSOR),
    answer="memories.KnowledgePage",
)
def list_knowledge(call: Call) -> Any:
    """List what is known, the newest first."""
    wish = asked.wish(
        call.take(_LIMIT), call.take(CATEGORY), call.take(TAG), call.take(PROJECT)
    )
    rows, cursor = call.platform.memories.knowledge.page(wish, call.take(CURSOR))
    return {"knowledge": [one.dict() for one in rows], "cursor": cursor}


@routes.post(
    _PATH + "/search",
    scope=READ,
    body="memories.KnowledgeQuestion",
    answer="memories.FoundKnowledge",
    also={503: _BUSY},
)
def search_knowledge(call: Call) -> Any:
    """Look up what fits a question, the best first."""
    from chalicelib.api.shapes.memories import KnowledgeQuestion

    told = call.body(KnowledgeQuestion).model_dump()
    question = asked.question(told, told["category"], update_access=False)
    memories = call.platform.memories
    vector = memories.service.vector(question)
    found = memories.knowledge.search(vector, question.wish)
    return {"results": [one.dict() for one in found]}


@routes.get(_ONE, scope=READ, answer="memories.OneKnowledge", also=_NONE)
def get_knowledge(call: Call, knowledge_id: str) -> Any:
    """Read one."""
    return {"knowledge": call.platform.memories.knowledge.get(knowledge_id).dict()}


@routes.put(
    _ONE,
    scope=WRITE,
    body="memories.NewKnowledge",
    answer="memories.OneKnowledge",
    also={**_NONE, 409: "Somebody else changed it meanwhile.", 503: _BUSY},
)
def change_knowledge(call: Call, knowledge_id: str) -> Any:
    """Put another content in its place; told of as `knowledge.changed`."""
    from chalicelib.api.shapes.memories import NewKnowledge

    told = call.body(NewKnowledge).model_dump()
    kept = call.platform.memories.knowledge.change(
        knowledge_id, asked.knowledge(told), asked.vector(told), call.principal
    )
    return {"knowledge": kept.dict()}


@routes.delete(_ONE, scope=WRITE, answer="memories.Forgotten", also=_NONE)
def forget_knowledge(call: Call, knowledge_id: str) -> Any:
    """Forget one: it is found no more; told of as `knowledge.forgotten`."""
    call.platform.memories.knowledge.forget(knowledge_id, call.principal)
    return {"id": knowledge_id, "forgotten": True}
