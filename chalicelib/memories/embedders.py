"""Vectors of texts on the platform: of a vendor, of Bedrock, or made here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from chalicelib.config import ConfigurationError, Embeddings
from chalicelib.memories.model import Vector
from chalicelib.outbound import CallFailedError, Outbound
from eventyard.core.addresses import AddressRefusedError
from eventyard.core.errors import InvalidRequestError, UnavailableError
from eventyard.core.wire import dumps, loads
from eventyard.rag import hashing, vendors
from eventyard.rag.vendors import EmbeddingError, Model, Vectors, Vendor

#: API Gateway ends a request after 29 s.
TIMEOUT_S: Final = 12.0
_MOST_BYTES: Final = 20_000_000
_OK: Final = 200
_MOST_KEPT: Final = 500


class NoVectorsError(UnavailableError):
    """Nobody made vectors of the texts."""

    code = "embedding_failed"


class Embedder(Protocol):
    """What makes vectors of texts."""

    @property
    def model(self) -> Model:
        """Return whose vectors they are."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text; raises EmbeddingError."""


@dataclass(frozen=True, slots=True)
class Local:
    """Hashes words and their parts."""

    dimension: int

    @property
    def model(self) -> Model:
        """Return whose vectors they are."""
        return Model("local", hashing.MODEL, self.dimension, 1_000)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text."""
        return [hashing.embed(text, self.dimension) for text in texts]


@dataclass(frozen=True, slots=True)
class Http:
    """Asks a vendor over HTTP."""

    outbound: Outbound
    vendor: Vendor
    model: Model
    key: str = field(repr=False)
    base_url: str = ""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text; raises EmbeddingError."""
        asked = self.vendor.ask(self.model, self.key, texts)
        url = (self.base_url or self.vendor.base_url) + asked.path
        try:
            reply = self.outbound.call(
                "POST",
                url,
                headers={"Content-Type": "application/json", **asked.headers},
                body=dumps(dict(asked.body)).encode(),
                timeout_s=TIMEOUT_S,
                most_bytes=_MOST_BYTES,
            )
        except (CallFailedError, AddressRefusedError) as error:
            raise EmbeddingError(f"{self.vendor.name}: {error.message}") from None
        try:
            told = loads(reply.body)
        except InvalidRequestError:
            told = None
        if reply.status != _OK:
            raise vendors.refusal(self.vendor.name, reply.status, told, self.key)
        return vendors.read(self.vendor.name, self.vendor.vectors, told, len(texts))


@dataclass
class Bedrock:
    """Asks Titan on Amazon Bedrock; its client is made when it is first asked."""

    make_client: Callable[[], Any]
    model: Model

    @cached_property
    def _client(self) -> Any:
        return self.make_client()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each text; raises EmbeddingError."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[float]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.invoke_model(
                modelId=self.model.name,
                body=dumps(vendors.titan_body(self.model, text)),
                contentType="application/json",
                accept="application/json",
            )
            told = loads(answer["body"].read())
        except ClientError as error:
            raise _refusal(error.response.get("Error", {})) from None
        except BotoCoreError as error:
            raise EmbeddingError(f"Bedrock: {type(error).__name__}") from None
        except InvalidRequestError:
            raise EmbeddingError("The answer of Bedrock is no JSON.") from None
        return vendors.titan_vector(told)


@dataclass
class Vectoriser:
    """Makes vectors, not twice of the same text in one process."""

    embedder: Embedder
    _kept: OrderedDict[str, Vector] = field(default_factory=OrderedDict)

    @property
    def label(self) -> str:
        """Return whose vectors they are."""
        return self.embedder.model.label

    def vectors(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector for each text; raises NoVectorsError."""
        found = {text: self._kept[text] for text in texts if text in self._kept}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        at_once = self.embedder.model.at_once
        for start in range(0, len(missing), at_once):
            part = missing[start : start + at_once]
            found |= zip(part, self._made(part), strict=True)
        self._keep(found)
        return [found[text] for text in texts]

    def _made(self, texts: Sequence[str]) -> list[Vector]:
        model = self.embedder.model
        try:
            made = self.embedder.embed(texts)
            for vector in made:
                vendors.check_length(model, vector)
        except EmbeddingError as error:
            raise NoVectorsError(error.message) from None
        try:
            return [Vector.of(vector, model.label) for vector in made]
        except InvalidRequestError as error:
            raise NoVectorsError(f"{model.vendor}: {error.message}") from None

    def _keep(self, found: Mapping[str, Vector]) -> None:
        for text, vector in found.items():
            self._kept[text] = vector
            self._kept.move_to_end(text)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


def embedder(
    told: Embeddings, outbound: Callable[[], Outbound], bedrock: Callable[[], Any]
) -> Embedder:
    """Return what makes vectors as the settings say; raises ConfigurationError."""
    match told.provider:
        case "local":
            return Local(told.dimension or hashing.DIMENSION)
        case "bedrock":
            return Bedrock(bedrock, vendors.titan(told.model, told.dimension))
    vendor = vendors.VENDORS[told.provider]
    if not told.key:
        raise ConfigurationError(
            f"EVENTYARD_EMBEDDINGS={told.provider} needs {vendor.key_name}; 'local' "
            "needs none."
        )
    model = vendor.model(told.model, told.dimension)
    return Http(outbound(), vendor, model, told.key, told.url)


def _refusal(error: Mapping[str, Any]) -> EmbeddingError:
    code = str(error.get("Code") or "an error")
    return EmbeddingError(f"Bedrock answered {code}: {error.get('Message') or '':.200}")
