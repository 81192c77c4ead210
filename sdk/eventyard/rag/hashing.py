"""Vectors without a model: words and their parts, hashed; the same everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from math import sqrt
from typing import Final

MODEL: Final = "hashing-1"
DIMENSION: Final = 256
_WORD: Final = re.compile(r"[^\W_]+")
_GRAM: Final = 3
#: How much the parts of a word count beside the word itself.
_PARTS: Final = 1.0
#: Words that say little, and how much they count.
_LITTLE: Final = 0.15
_COMMON_WORDS: Final = """
a an and are as at be been but by can could did do does for from had has have he her
his how i if in into is it its me my no not of on or our she should so that the
their them then there these they this to us was we were what when where which who
whom whose why will with would you your au aux avec ce ces dans de des du elle en
est et il la le les leur mais ne nous ou par pas pour que qui sa se ses son sur un
une vous
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())

Features = tuple[tuple[int, float], ...]


def embed(text: str, dimension: int = DIMENSION) -> list[float]:
    """
    Return a vector of length 1: texts that share words, or parts of them, are near.

    It knows no meanings: "car" and "automobile" are strangers to it.
    """
    vector = [0.0] * dimension
    for word, count in Counter(_words(text)).items():
        weight = sqrt(count) * (_LITTLE if word in _COMMON else 1.0)
        for number, share in _features(word):
            sign = 1.0 if number & 1 else -1.0
            vector[(number >> 1) % dimension] += sign * weight * share
    return _normalised(vector, text, dimension)


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    return _WORD.findall(plain) or list(filter(None, (text.strip(),)))


@lru_cache(maxsize=16_384)
def _features(word: str) -> Features:
    padded = f"^{word}$"
    grams = {padded[at : at + _GRAM] for at in range(len(padded) - _GRAM + 1)}
    share = _PARTS / sqrt(len(grams)) if grams else 0.0
    parts = ((_number(f"part:{gram}"), share) for gram in sorted(grams))
    return ((_number(f"word:{word}"), 1.0), *parts)


def _number(feature: str) -> int:
    raw = blake2b(feature.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "little")


def _normalised(vector: list[float], text: str, dimension: int) -> list[float]:
    length = sqrt(sum(value * value for value in vector))
    if length == 0.0:
        # Nothing in it, or its parts undid each other: a direction of its own.
        vector[_number(f"text:{text}") % dimension] = length = 1.0
    return [value / length for value in vector]
