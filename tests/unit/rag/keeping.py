"""What a MemoryManager takes for a cache: the methods of a CacheManager, in a dict."""

from __future__ import annotations

import json
from types import SimpleNamespace


class Kept:
    """Keeps JSON, as the real one does; `down` is when its server is gone."""

    def __init__(self):
        self.held: dict[str, str] = {}
        self.config = SimpleNamespace(key_prefix="test:")
        self.down = False
        self.gets = 0

    def is_enabled(self):
        return not self.down

    def get(self, key):
        self.gets += 1
        return None if self.down or key not in self.held else json.loads(self.held[key])

    def set(self, key, value, ttl=None):
        if not self.down:
            self.held[key] = json.dumps(value)
        return not self.down

    def get_embedding(self, text, *, model=""):
        return self.get(f"embedding:{model}:{text}")

    def set_embedding(self, text, embedding, ttl=None, *, model=""):
        return self.set(f"embedding:{model}:{text}", embedding, ttl)

    def get_rag_results(self, agent_id, query, *, variant=""):
        return self.get(f"rag:agent:{agent_id}:{query}|{variant}")

    def set_rag_results(self, agent_id, query, results, ttl=None, *, variant=""):
        return self.set(f"rag:agent:{agent_id}:{query}|{variant}", results, ttl)

    def invalidate_rag_results(self, agent_id):
        gone = [key for key in self.held if key.startswith(f"rag:agent:{agent_id}:")]
        for key in gone:
            del self.held[key]
        return len(gone)
