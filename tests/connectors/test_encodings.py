from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.encodings import codings, unpack
from pipeline.errors import Unusable

TEXT = "قال شهود عيان إن القصف استمر حتى الفجر. ".encode() * 400


def bare_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.compress),
]


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
@pytest.mark.parametrize("data", [b"", b"a", TEXT, os.urandom(200_000)], ids=["empty", "letter", "text", "noise"])
def test_what_was_packed_comes_out_again(coding: str, pack: Callable[[bytes], bytes], data: bytes) -> None:
    assert unpack(pack(data), coding, 1_000_000) == data
    assert unpack(pack(data), f" {coding.upper()} , identity", 1_000_000) == data


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_the_limit_is_exact(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert unpack(pack(TEXT), coding, len(TEXT)) == TEXT
    with pytest.raises(Unusable) as refused:
        unpack(pack(TEXT), coding, len(TEXT) - 1)
    assert refused.value.reason == "too-large"
    assert unpack(pack(TEXT), coding, len(TEXT) - 1, cut=True) == TEXT[:-1]


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_what_ends_too_early_is_refused_or_cut(coding: str, pack: Callable[[bytes], bytes]) -> None:
    noise = os.urandom(300_000)
    short = pack(noise)[:-150_000]
    with pytest.raises(Unusable) as refused:
        unpack(short, coding, 1_000_000)
    assert refused.value.reason == "bad-encoding"
    begun = unpack(short, coding, 1_000_000, cut=True)
    assert len(begun) > 50_000
    assert noise.startswith(begun)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_members_follow_each_other_and_junk_behind_them_is_nothing(pack: Callable[[bytes], bytes]) -> None:
    coding = "gzip" if pack is gzip.compress else "zstd"
    assert unpack(pack(b"one ") + pack(b"") + pack(b"two"), coding, 100) == b"one two"
    assert unpack(pack(b"one") + b"junk", coding, 100) == b"one"
    with pytest.raises(Unusable) as refused:
        unpack(pack(b"") * 100_000, coding, 100)
    assert refused.value.reason == "bad-encoding"


def test_a_zstd_window_beyond_what_the_web_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(Unusable) as refused:
        unpack(packed.compress(TEXT) + packed.flush(), "zstd", 1_000_000)
    assert refused.value.reason == "bad-encoding"


def test_two_codings_are_undone_from_the_last_and_three_are_refused() -> None:
    assert unpack(gzip.compress(brotli.compress(TEXT)), "br, gzip", 1_000_000) == TEXT
    with pytest.raises(Unusable):
        unpack(gzip.compress(brotli.compress(TEXT)), "gzip, br", 1_000_000)
    with pytest.raises(Unusable):
        unpack(gzip.compress(gzip.compress(gzip.compress(TEXT))), "gzip, gzip, gzip", 1_000_000)


def test_a_body_without_coding_is_itself() -> None:
    assert unpack(TEXT, None, len(TEXT)) is TEXT
    assert unpack(TEXT, "none, UTF-8", len(TEXT)) is TEXT
    assert unpack(b"", "gzip", 0) == b""
    with pytest.raises(Unusable) as refused:
        unpack(TEXT, None, 10)
    assert refused.value.reason == "too-large"


def test_codings_are_named_in_their_order() -> None:
    assert codings("Br,  GZIP, identity,") == ["br", "gzip"]
    assert codings(None) == []


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]))
def test_no_bytes_do_more_than_be_refused(data: bytes, coding: str) -> None:
    try:
        assert len(unpack(data, coding, 10_000)) <= 10_000
    except Unusable as e:
        assert e.reason in ("bad-encoding", "too-large")  # noqa: PT017
    assert len(unpack_cut(data, coding)) <= 10_000


def unpack_cut(data: bytes, coding: str) -> bytes:
    try:
        return unpack(data, coding, 10_000, cut=True)
    except Unusable:
        return b""


@pytest.mark.parametrize("said", ["windows-1256", "UTF-8", "text/html", "iso-8859-6", "text/xml;charset=utf-8"])
def test_a_charset_or_media_type_is_no_coding(said: str) -> None:
    assert unpack(b"words", said, 100) == b"words"


@pytest.mark.parametrize("said", ['"gzip"', "gzip; q=1.0", "GZIP, utf-8"])
def test_a_coding_is_known_however_it_is_written(said: str) -> None:
    assert unpack(gzip.compress(b"words"), said, 100) == b"words"
