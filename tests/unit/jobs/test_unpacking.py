"""Bodies are unpacked within limits."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventyard.jobs.scraping.fetching import FetchError
from eventyard.jobs.scraping.unpacking import unpack

MOST = 10_000


def bare(body: bytes) -> bytes:
    packed = zlib.compressobj(wbits=-15)
    return packed.compress(body) + packed.flush()


@given(st.binary(max_size=2_000))
def test_what_was_packed_comes_back(body: bytes) -> None:
    assert unpack(body, "", MOST) == body
    assert unpack(gzip.compress(body), "gzip", MOST) == body
    assert unpack(zlib.compress(body), "deflate", MOST) == body
    assert unpack(bare(body), "deflate", MOST) == body


def test_members_one_behind_the_other_are_one_body() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")

    assert unpack(packed, "x-gzip", MOST) == b"one two"
    assert unpack(packed + b"\0\0", " GZIP ", MOST) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_not_unpacked_beyond_the_limit(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress

    with pytest.raises(FetchError, match="more than 10000 bytes"):
        unpack(pack(bytes(10_001)), encoding, MOST)
    assert len(unpack(pack(bytes(10_000)), encoding, MOST)) == MOST


def test_a_bomb_of_many_members_has_one_limit() -> None:
    with pytest.raises(FetchError, match="more than 10000 bytes"):
        unpack(gzip.compress(bytes(6_000)) * 2, "gzip", MOST)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "body", [b"", b"nothing packed", gzip.compress(b"x" * 99, mtime=0)[:20]]
)
def test_what_is_broken_is_told(encoding: str, body: bytes) -> None:
    with pytest.raises(FetchError, match=r"cannot be unpacked|is cut off"):
        unpack(body, encoding, MOST)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 500])
def test_an_encoding_that_nobody_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(FetchError, match="cannot be read"):
        unpack(b"", encoding, MOST)


@given(st.binary(max_size=500), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_unpacked_or_refused(body: bytes, encoding: str) -> None:
    with suppress(FetchError):
        assert len(unpack(body, encoding, MOST)) <= MOST
