"""How vendors of embeddings are asked, and what they answer; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from eventyard.core.errors import EventRouterError, InvalidRequestError

#: Statuses after which the same question may be answered.
BUSY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_REASON: Final = 200

Vectors = list[list[float]]


class EmbeddingError(EventRouterError):
    """The vendor made no vectors."""

    code = "embedding_failed"


class BusyError(EmbeddingError):
    """The vendor has too much to do now."""

    code = "embedding_busy"
    retryable = True


@dataclass(frozen=True, slots=True)
class Model:
    """A model, how long its vectors are, and how many texts it takes at once."""

    vendor: str
    name: str
    dimension: int
    at_once: int

    @property
    def label(self) -> str:
        """Return what tells its vectors from those of others."""
        return f"{self.vendor}/{self.name}/{self.dimension}"


@dataclass(frozen=True, slots=True)
class Question:
    """A call over HTTP: where, with which headers and which JSON."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor over HTTP."""

    name: str
    base_url: str
    #: The variable that its key is in.
    key_name: str
    default_model: str
    #: The lengths of vectors that models have, unless another is asked for.
    dimensions: Mapping[str, int]
    at_once: int
    ask: Callable[[Model, str, Sequence[str]], Question]
    vectors: Callable[[Any], Vectors]

    def model(self, name: str | None = None, dimension: int | None = None) -> Model:
        """Return a model by its name; raises InvalidRequestError."""
        chosen = name or self.default_model
        length = dimension or self.dimensions.get(chosen)
        if length is None:
            raise InvalidRequestError(
                f"How long are the vectors of {chosen!r}? Give its dimension; known are "
                f"{', '.join(self.dimensions)}."
            )
        return Model(self.name, chosen, length, self.at_once)


def _ask_openai(model: Model, key: str, texts: Sequence[str]) -> Question:
    body: dict[str, Any] = {
        "model": model.name,
        "input": list(texts),
        "encoding_format": "float",
    }
    # Older models have one length alone, and refuse to be asked for it.
    if model.name.startswith("text-embedding-3"):
        body["dimensions"] = model.dimension
    return Question("/v1/embeddings", {"Authorization": f"Bearer {key}"}, body)


def _openai_vectors(told: Any) -> Vectors:
    rows = sorted(told["data"], key=lambda row: row["index"])
    return [row["embedding"] for row in rows]


def _ask_gemini(model: Model, key: str, texts: Sequence[str]) -> Question:
    name = f"models/{model.name.removeprefix('models/')}"
    asked = [
        {
            "model": name,
            "content": {"parts": [{"text": text}]},
            "outputDimensionality": model.dimension,
        }
        for text in texts
    ]
    path = f"/v1beta/{quote(name)}:batchEmbedContents"
    return Question(path, {"x-goog-api-key": key}, {"requests": asked})


def _gemini_vectors(told: Any) -> Vectors:
    return [row["values"] for row in told["embeddings"]]


#: https://platform.openai.com/docs/api-reference/embeddings/create
OPENAI: Final = Vendor(
    name="openai",
    base_url="https://api.openai.com",
    key_name="OPENAI_API_KEY",
    default_model="text-embedding-3-small",
    dimensions={
        "text-embedding-3-small": 1_536,
        "text-embedding-3-large": 3_072,
        "text-embedding-ada-002": 1_536,
    },
    at_once=256,
    ask=_ask_openai,
    vectors=_openai_vectors,
)
#: https://ai.google.dev/api/embeddings
GEMINI: Final = Vendor(
    name="gemini",
    base_url="https://generativelanguage.googleapis.com",
    key_name="GEMINI_API_KEY",
    default_model="gemini-embedding-001",
    dimensions={"gemini-embedding-001": 3_072, "text-embedding-004": 768},
    at_once=100,
    ask=_ask_gemini,
    vectors=_gemini_vectors,
)
VENDORS: Final = {vendor.name: vendor for vendor in (OPENAI, GEMINI)}

#: Amazon Bedrock takes one text at a time, signed by IAM: see `titan_body`.
TITAN: Final = "amazon.titan-embed-text-v2:0"
_TITANS: Final = {TITAN: 1_024, "amazon.titan-embed-text-v1": 1_536}


def titan(name: str | None = None, dimension: int | None = None) -> Model:
    """Return a Titan model of Bedrock; raises InvalidRequestError."""
    chosen = name or TITAN
    length = dimension or _TITANS.get(chosen)
    if length is None:
        raise InvalidRequestError(
            f"How long are the vectors of {chosen!r}? Give its dimension."
        )
    return Model("bedrock", chosen, length, 1)


def titan_body(model: Model, text: str) -> dict[str, Any]:
    """Return what `InvokeModel` is asked."""
    if model.name.endswith("-v1"):
        return {"inputText": text}
    return {"inputText": text, "dimensions": model.dimension, "normalize": True}


def titan_vector(told: Any) -> list[float]:
    """Return what `InvokeModel` answered; raises EmbeddingError."""
    return read("bedrock", lambda answer: [answer["embedding"]], told, 1)[0]


def read(
    name: str, vectors: Callable[[Any], Vectors], told: Any, count: int
) -> Vectors:
    """Return so many vectors of an answer; raises EmbeddingError."""
    try:
        found: Any = vectors(told)
        sound = all(isinstance(one, list) and one for one in found)
    except (KeyError, TypeError, IndexError, AttributeError):
        raise EmbeddingError(f"The answer of {name} has no vectors.") from None
    if len(found) != count or not sound:
        raise EmbeddingError(
            f"The answer of {name} has {len(found)} vectors for {count} texts."
        )
    vectors_found: Vectors = found
    return vectors_found


def check_length(model: Model, vector: Sequence[float]) -> None:
    """Raise EmbeddingError unless a vector is as long as the model's are."""
    if len(vector) != model.dimension:
        raise EmbeddingError(
            f"{model.name} answered with {len(vector)} numbers, not {model.dimension}."
        )


def refusal(name: str, status: int, told: Any, key: str) -> EmbeddingError:
    """Return what a vendor's refusal is to us; the key is in none of it."""
    fault = told.get("error") if isinstance(told, Mapping) else None
    message = fault.get("message") if isinstance(fault, Mapping) else None
    text = str(message or "no reason given").replace(key or "\0", "[secret]")
    kind = BusyError if status in BUSY else EmbeddingError
    return kind(
        f"{name} answered {status}: {text[:_LONGEST_REASON]}",
        details={"status": status},
    )
