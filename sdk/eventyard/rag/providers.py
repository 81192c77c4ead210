"""Who makes vectors: vendors over HTTP, Amazon Bedrock, and this process itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from eventyard.core.errors import InvalidRequestError
from eventyard.core.jsontext import loads
from eventyard.rag import hashing, vendors
from eventyard.rag.vendors import (
    BusyError,
    EmbeddingError,
    Model,
    Vectors,
    Vendor,
    check_length,
)

_TIMEOUT_S: Final = 30.0
_OK: Final = 200
_BEDROCK_BUSY: Final = frozenset(
    {
        "InternalServerException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)


class Embedder(Protocol):
    """What makes vectors of texts; `model` says of which kind they are."""

    @property
    def model(self) -> Model:
        """Return the model."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text; raises EmbeddingError or BusyError."""


@dataclass(frozen=True, slots=True)
class LocalEmbedder:
    """Hashes words and their parts: no key, no network, the same everywhere."""

    dimension: int = hashing.DIMENSION

    @property
    def model(self) -> Model:
        """Return the model."""
        return Model("local", hashing.MODEL, self.dimension, 1_000)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text."""
        return [hashing.embed(text, self.dimension) for text in texts]


@dataclass(frozen=True, slots=True)
class HttpEmbedder:
    """Asks a vendor over HTTP, once."""

    vendor: Vendor
    model: Model
    key: str = field(repr=False)
    base_url: str = ""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text; raises EmbeddingError or BusyError."""
        import aiohttp

        asked = self.vendor.ask(self.model, self.key, texts)
        url = (self.base_url or self.vendor.base_url).rstrip("/") + asked.path
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)
                ) as session,
                session.post(
                    url,
                    json=dict(asked.body),
                    headers=dict(asked.headers),
                    # A key is for one host.
                    allow_redirects=False,
                ) as answer,
            ):
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            kind = type(error).__name__
            raise BusyError(f"{self.vendor.name} does not answer: {kind}.") from None
        return self._read(status, body, len(texts))

    def _read(self, status: int, body: bytes, count: int) -> Vectors:
        name = self.vendor.name
        try:
            told = loads(body)
        except InvalidRequestError:
            told = None
        if status != _OK:
            raise vendors.refusal(name, status, told, self.key)
        found = vendors.read(name, self.vendor.vectors, told, count)
        for vector in found:
            check_length(self.model, vector)
        return found


@dataclass
class BedrockEmbedder:
    """Asks Titan on Amazon Bedrock, with the credentials that AWS finds."""

    model: Model
    region: str | None = None
    endpoint: str | None = None

    @cached_property
    def _client(self) -> Any:
        try:
            from botocore.config import Config
            from botocore.session import get_session
        except ImportError:
            raise InvalidRequestError(
                "Bedrock needs botocore: pip install 'eventyard[aws]'."
            ) from None
        retries: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(retries=retries, connect_timeout=5, read_timeout=_TIMEOUT_S)
        return get_session().create_client(
            "bedrock-runtime",
            region_name=self.region,
            endpoint_url=self.endpoint,
            config=config,
        )

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text; raises EmbeddingError or BusyError."""
        # Its client is made for threads.
        client = self._client
        return [await asyncio.to_thread(self._one, client, text) for text in texts]

    def _one(self, client: Any, text: str) -> list[float]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = client.invoke_model(
                modelId=self.model.name,
                body=json.dumps(vendors.titan_body(self.model, text)),
                contentType="application/json",
                accept="application/json",
            )
            told = json.loads(answer["body"].read())
        except ClientError as error:
            raise bedrock_refusal(error.response.get("Error", {})) from None
        except BotoCoreError as error:
            raise _unreachable(error) from None
        except ValueError:
            raise EmbeddingError("The answer of Bedrock is no JSON.") from None
        vector = vendors.titan_vector(told)
        check_length(self.model, vector)
        return vector


def bedrock_refusal(error: Mapping[str, Any]) -> EmbeddingError:
    """Return what a refusal of Bedrock is to us."""
    code = str(error.get("Code") or "an error")
    kind = BusyError if code in _BEDROCK_BUSY else EmbeddingError
    return kind(f"Bedrock answered {code}: {error.get('Message') or '':.200}")


def _unreachable(error: Exception) -> Exception:
    name = type(error).__name__
    if "Credential" in name or "Region" in name:
        return EmbeddingError(f"Bedrock needs credentials and a region of AWS: {name}.")
    return BusyError(f"Bedrock does not answer: {name}.")
