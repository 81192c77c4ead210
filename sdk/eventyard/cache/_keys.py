"""What things are called in Redis; nothing that callers say can change the shape."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

#: Behind a key: somebody is at work on what belongs there.
LEASE: Final = "~lease"
_GLOB: Final = re.compile(r"([*?\[\]\\^-])")


def digest(text: str) -> str:
    """Return a whole SHA-256: a shorter one makes one answer pass for another's."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def part(value: Any) -> str:
    """Write an id or a name so that it holds no colon and no wildcard."""
    return quote(str(value), safe="", errors="surrogatepass")


def literal(text: str) -> str:
    """Write a text so that a pattern means just that."""
    return _GLOB.sub(r"\\\1", text)


class Keys:
    """The keys below a prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def embedding(self, text: str, model: str) -> str:
        """Tell models apart: their vectors have nothing to do with each other."""
        whose = f"{part(model)}:" if model else ""
        return f"{self.prefix}embedding:{whose}{digest(text)}"

    def recall(self, agent_id: Any, query: str, variant: str) -> str:
        """Tell apart whatever else an answer depends on: limit, threshold, filters."""
        more = f":{digest(variant)}" if variant else ""
        return f"{self.prefix}rag:agent:{part(agent_id)}:{digest(query)}{more}"

    def recall_tag(self, agent_id: Any) -> str:
        """Return the tag of all that an agent recalled."""
        return f"rag:agent:{part(agent_id)}"

    @property
    def any_recall(self) -> str:
        """Return the pattern of all that anybody recalled."""
        return f"{literal(self.prefix)}rag:agent:*"

    def circle(self, circle_id: Any) -> str:
        """Return the key of a circle's context."""
        return f"{self.prefix}circle:context:{part(circle_id)}"

    def answer(self, prompt_hash: str) -> str:
        """Return the key of a model's answer."""
        return f"{self.prefix}llm:{part(prompt_hash)}"

    def tag(self, tag: str) -> str:
        """Return where the keys of a tag are listed."""
        return f"{self.prefix}~tag:{tag}"

    def is_own(self, key: str) -> bool:
        """Tell whether a key serves the cache itself, and holds nothing of callers."""
        return key.endswith(LEASE) or key.startswith(f"{self.prefix}~tag:")
