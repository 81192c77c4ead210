"""Vectors of texts: made by whom one chooses, and not twice."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

from eventyard.core.errors import InvalidRequestError
from eventyard.rag import hashing, vendors
from eventyard.rag.providers import (
    BedrockEmbedder,
    Embedder,
    HttpEmbedder,
    LocalEmbedder,
)
from eventyard.rag.vendors import BusyError
from eventyard.telemetry.metrics import cache_metrics, llm_metrics

_MOST_KEPT: Final = 2_000
_RETRIES: Final = 3
#: What these vectors are called among other things that are kept.
_IN_PROCESS: Final = "embedding_in_process"

Sleep = Callable[[float], Awaitable[None]]


class EmbeddingProvider(StrEnum):
    """Who makes vectors; `local` needs no key, Bedrock takes AWS credentials."""

    OPENAI = "openai"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    LOCAL = "local"


class MissingKeyError(InvalidRequestError, ValueError):
    """A provider needs a key."""

    code = "missing_key"


class EmbeddingService:
    """
    Makes vectors of texts, and keeps them: the same text is not asked for twice.

    Args:
        provider: One of EmbeddingProvider, its name, or an object of one's own with
            a `model` and an `embed(texts)`.
        api_key: Its key; without, the variable of the vendor: `OPENAI_API_KEY`,
            `GEMINI_API_KEY`.
        model: Another model than the usual one (`text-embedding-3-small`,
            `gemini-embedding-001`, `amazon.titan-embed-text-v2:0`).
        dimension: How long vectors are to be, where the model leaves it open.
        base_url: Another address than the vendor's.
        cache_manager: Keeps vectors for other processes as well.

    Raises:
        ValueError: there is no such provider, or it needs a key.
    """

    def __init__(
        self,
        provider: EmbeddingProvider | str | Embedder = EmbeddingProvider.OPENAI,
        api_key: str | None = None,
        model: str | None = None,
        *,
        dimension: int | None = None,
        base_url: str | None = None,
        cache_manager: Any = None,
    ) -> None:
        if isinstance(provider, str):
            provider = _embedder(provider, api_key, model, dimension, base_url or "")
        self.embedder: Embedder = provider
        self._shared = cache_manager
        self._kept: OrderedDict[str, list[float]] = OrderedDict()
        self._sleep: Sleep = asyncio.sleep

    @classmethod
    def from_env(
        cls,
        provider: EmbeddingProvider | str | None = None,
        dotenv_path: str | Path | None = None,
        *,
        cache_manager: Any = None,
    ) -> Self:
        """
        Make one as the environment says; what a file says counts before it.

        `EVENTYARD_EMBEDDINGS` names the provider (without, it is OpenAI where there is
        a key and local where there is none), `EVENTYARD_EMBEDDING_MODEL` and
        `EVENTYARD_EMBEDDING_DIMENSION` what it is asked for.
        """
        env = environment(dotenv_path)
        usual = "openai" if env.get("OPENAI_API_KEY") else "local"
        name = str(provider or env.get("EVENTYARD_EMBEDDINGS") or usual)
        vendor = vendors.VENDORS.get(name)
        return cls(
            name,
            env.get(vendor.key_name) if vendor else None,
            env.get("EVENTYARD_EMBEDDING_MODEL"),
            dimension=_number(env.get("EVENTYARD_EMBEDDING_DIMENSION")),
            base_url=env.get("EVENTYARD_EMBEDDING_URL"),
            cache_manager=shared_cache(dotenv_path)
            if cache_manager is None
            else cache_manager,
        )

    @property
    def provider(self) -> str:
        """Return the name of who makes the vectors."""
        return self.embedder.model.vendor

    @property
    def model(self) -> str:
        """Return the model's name."""
        return self.embedder.model.name

    @property
    def dimension(self) -> int:
        """Return how many numbers a vector has."""
        return self.embedder.model.dimension

    @property
    def label(self) -> str:
        """Return what tells these vectors from those of other models."""
        return self.embedder.model.label

    async def embed(self, text: str, use_cache: bool = True) -> list[float]:  # noqa: FBT001, FBT002
        """Return a text's vector; raises EmbeddingError."""
        return (await self.embed_batch([text], use_cache))[0]

    async def embed_batch(
        self,
        texts: Sequence[str],
        use_cache: bool = True,  # noqa: FBT001, FBT002
    ) -> list[list[float]]:
        """Return a vector for each text, in order; only what is new is asked for."""
        for text in texts:
            if not text.strip():
                raise InvalidRequestError("A text to embed must not be empty.")
        found: dict[str, list[float]] = {}
        for text in dict.fromkeys(texts) if use_cache else ():
            known = self._known(text)
            if known is not None:
                found[text] = known
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        at_once = self.embedder.model.at_once
        for start in range(0, len(missing), at_once):
            part = missing[start : start + at_once]
            for text, vector in zip(part, await self._ask(part), strict=True):
                found[text] = vector
                if use_cache:
                    self._keep(text, vector)
        return [list(found[text]) for text in texts]

    def _known(self, text: str) -> list[float] | None:
        if text in self._kept:
            cache_metrics.record_cache_hit(_IN_PROCESS)
            self._kept.move_to_end(text)
            return self._kept[text]
        cache_metrics.record_cache_miss(_IN_PROCESS)
        if self._shared is None:
            return None
        known = self._shared.get_embedding(text, model=self.label)
        # Whoever else writes there may have written anything.
        if not isinstance(known, list) or len(known) != self.dimension:
            return None
        self._remember(text, known)
        return known

    def _keep(self, text: str, vector: list[float]) -> None:
        self._remember(text, vector)
        if self._shared is not None:
            self._shared.set_embedding(text, vector, model=self.label)

    def _remember(self, text: str, vector: list[float]) -> None:
        self._kept[text] = vector
        self._kept.move_to_end(text)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    async def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        started, success = time.perf_counter(), False
        try:
            made = await self._patiently(texts)
            success = True
            return made
        finally:
            took_ms = (time.perf_counter() - started) * 1_000
            llm_metrics.record_llm_call(self.provider, self.model, took_ms, success)

    async def _patiently(self, texts: Sequence[str]) -> list[list[float]]:
        for attempt in range(_RETRIES):
            try:
                return await self.embedder.embed(texts)
            except BusyError:
                # Many who were refused together must not come back together.
                jitter = random.uniform(0.75, 1.25)  # noqa: S311
                await self._sleep(2**attempt * jitter)
        return await self.embedder.embed(texts)

    def clear_cache(self) -> int:
        """Forget the vectors that this process keeps; return how many they were."""
        count = len(self._kept)
        self._kept.clear()
        return count

    def cache_stats(self) -> dict[str, Any]:
        """Count what is kept."""
        return {
            "entries": len(self._kept),
            "model": self.model,
            "provider": self.provider,
        }


def _embedder(
    name: str,
    key: str | None,
    model: str | None,
    dimension: int | None,
    base_url: str,
) -> Embedder:
    match name:
        case "local":
            return LocalEmbedder(dimension or hashing.DIMENSION)
        case "bedrock":
            chosen = vendors.titan(model, dimension)
            return BedrockEmbedder(chosen, endpoint=base_url or None)
    vendor = vendors.VENDORS.get(name)
    if vendor is None:
        known = ", ".join(EmbeddingProvider)
        raise MissingKeyError(
            f"There is no provider {name!r}; there are {known}.",
            code="unknown_provider",
        )
    secret = key or os.environ.get(vendor.key_name) or ""
    if not secret:
        raise MissingKeyError(
            f"{name} needs a key: give api_key, or set {vendor.key_name}. The provider "
            "'local' needs none."
        )
    return HttpEmbedder(vendor, vendor.model(model, dimension), secret, base_url)


def environment(dotenv_path: str | Path | None) -> Mapping[str, str]:
    """Return the environment, what a file of `NAME=value` lines says before it."""
    if dotenv_path is None:
        return os.environ
    try:
        lines = Path(dotenv_path).read_text().splitlines()
    except FileNotFoundError:
        return os.environ
    told = dict(os.environ)
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            told[name.strip()] = value.strip().strip("'\"")
    return told


def shared_cache(dotenv_path: str | Path | None = None) -> Any:
    """Return the cache that the environment names, or None where there is none."""
    try:
        # By its name: it needs a library that not everybody has installed.
        manager = import_module("eventyard.cache").CacheManager
    except ImportError:
        return None
    cache = manager.from_env(None if dotenv_path is None else str(dotenv_path))
    return cache if cache.is_enabled() else None


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InvalidRequestError(
            f"EVENTYARD_EMBEDDING_DIMENSION is a whole number, not {text!r:.40}."
        )
    return int(text)
