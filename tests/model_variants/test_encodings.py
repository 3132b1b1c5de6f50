"""Packed bodies: what they unpack to, and where unpacking ends."""

import gzip
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.serving.oip.encodings import (
    BadEncoding,
    TooLong,
    UnknownEncoding,
    unpacked,
)
from tests.deep import drawn

BODY = b"a tensor, or what stands for one " * 50
GZIPPED = gzip.compress(BODY, mtime=0)  # the same in every process


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("identity", BODY),
        ("", BODY),
        ("gzip", GZIPPED),
        ("GZip ", GZIPPED),
        ("x-gzip", GZIPPED),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare(BODY)),
    ],
)
def test_what_was_packed_comes_out_as_it_was(encoding: str, packed: bytes) -> None:
    assert unpacked(packed, encoding, len(BODY)) == BODY


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare])
def test_a_bomb_is_refused_before_it_has_gone_off(pack: object) -> None:
    bomb = pack(bytes(50_000_000))  # type: ignore[operator]
    encoding = "gzip" if pack is gzip.compress else "deflate"
    tracemalloc.start()
    try:
        with pytest.raises(TooLong, match="more than 1000 bytes"):
            unpacked(bomb, encoding, 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 1000])
def test_what_is_not_known_is_named(encoding: str) -> None:
    with pytest.raises(UnknownEncoding, match="gzip, deflate and none") as refused:
        unpacked(BODY, encoding, 10_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("packed", [BODY, GZIPPED[:-9], GZIPPED * 2])
def test_damage_is_said(packed: bytes) -> None:
    with pytest.raises(BadEncoding):
        unpacked(packed, "gzip", 10_000)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "identity"]))
@settings(max_examples=drawn(150))
def test_no_bytes_at_all_are_unpacked_beyond_the_bound(body: bytes, encoding: str) -> None:
    with suppress(BadEncoding, TooLong):
        assert len(unpacked(body, encoding, 400)) <= 400
