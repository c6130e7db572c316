"""Content codings undone, with an end to what they may unpack to."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

import brotli  # type: ignore[import-untyped]  # it brings no types
import zstandard

from pipeline.errors import Unusable

ACCEPTED = "gzip, deflate, br, zstd"
NESTED = 2  # codings on one body; more is an attack
STEP = 64 * 1024  # unpacked at a time
BITE = 16 * 1024  # packed bytes at a time
ZSTD_BITE = 256  # zstd cannot be told where to stop: this much becomes 8 MB at most (128 kB for each 4 bytes)
MEMBERS = 4_096  # gzip members or zstd frames in one body
WINDOW = 8 * 1024 * 1024  # largest zstd window on the web, RFC 9659

_FRAMES = frozenset(
    magic.to_bytes(4, "little") for magic in (0xFD2FB528, *range(0x184D2A50, 0x184D2A60))
)  # zstd frames and skippable ones, RFC 8878

#: What servers say of a body that is not coded at all.
_PLAIN = frozenset(("", "identity", "none", "binary", "8bit"))
#: Charsets and media types, which belong into other headers.
_NO_CODING = re.compile(r"(?:utf|iso|windows|cp|koi8|us-ascii|ascii)[-_\w]{0,12}|[\w.+-]{1,40}/[\w.+-]{1,40}")


def unpack(raw: bytes, coding: str | None, limit: int, *, cut: bool = False) -> bytes:
    """The body behind `raw`. coding: the value of Content-Encoding. limit: most bytes of any layer; work stops there.

    cut: what is longer than the limit, or broken behind a good beginning, is cut off there instead of refused.
    Raises: Unusable "too-large", "bad-encoding".
    """
    names = codings(coding)
    if not names or not raw:
        if len(raw) > limit and not cut:
            raise Unusable(f"longer than {limit} bytes", reason="too-large")
        return raw[:limit] if len(raw) > limit else raw
    if len(names) > NESTED:
        raise Unusable(f"{len(names)} codings on one body", reason="bad-encoding")
    for name in reversed(names):
        raw = _unpack_one(raw, name, limit, cut)
    return raw


def codings(value: str | None) -> list[str]:
    """The codings that a Content-Encoding header names, in the order of their application, without the plain ones."""
    if not value:
        return []
    named = (part.partition(";")[0].strip().strip("\"'").lower() for part in value.split(","))
    return [name for name in named if name not in _PLAIN and not _NO_CODING.fullmatch(name)]


def _unpack_one(raw: bytes, name: str, limit: int, cut: bool) -> bytes:
    pieces_of = _CODINGS.get(name)
    if pieces_of is None:
        raise Unusable(f"coded as {name[:40]!r}", reason="bad-encoding")
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in pieces_of(raw):
            if not piece:
                continue
            size += len(piece)
            pieces.append(piece)
            if size > limit:
                if not cut:
                    raise Unusable(f"unpacks to more than {limit} bytes", reason="too-large")
                break
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError, MemoryError) as e:
        if not (cut and size):
            raise Unusable(f"not {name}: {e}", reason="bad-encoding") from e
    return b"".join(pieces)[:limit] if size > limit else b"".join(pieces)


def _gzip(raw: bytes) -> Iterator[bytes]:
    """Members one after the other; what follows the last one and is none is ignored, as browsers do."""
    for number, place in _members(raw):
        if number and raw[place.at : place.at + 2] != b"\x1f\x8b":
            return
        yield from _zlib_pieces(zlib.decompressobj(wbits=31), place)


def _deflate(raw: bytes) -> Iterator[bytes]:
    """Zlib as the standard says, or the bare stream that some servers send."""
    zlib_header = len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0
    return _zlib_pieces(zlib.decompressobj(wbits=15 if zlib_header else -15), _Place(raw))


def _zlib_pieces(unpacker: zlib._Decompress, place: _Place) -> Iterator[bytes]:
    while not unpacker.eof:
        chunk = place.take()
        while chunk and not unpacker.eof:
            yield unpacker.decompress(chunk, STEP)
            chunk = unpacker.unconsumed_tail
    place.at -= len(unpacker.unused_data)


def _brotli(raw: bytes) -> Iterator[bytes]:
    unpacker = brotli.Decompressor()
    piece = unpacker.process(raw, output_buffer_limit=STEP)
    while piece or not unpacker.can_accept_more_data():
        yield piece
        piece = unpacker.process(b"", output_buffer_limit=STEP)
    if not unpacker.is_finished():
        raise EOFError("ends too early")


def _zstd(raw: bytes) -> Iterator[bytes]:
    for number, place in _members(raw):
        if number and raw[place.at : place.at + 4] not in _FRAMES:
            return
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        while not unpacker.eof:
            yield unpacker.decompress(place.take(ZSTD_BITE))
        place.at -= len(unpacker.unused_data)


class _Place:
    """How far a body has been read."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, size: int = BITE) -> bytes:
        """The next bytes. Raises: EOFError at the end."""
        chunk = self.raw[self.at : self.at + size]
        if not chunk:
            raise EOFError("ends too early")
        self.at += len(chunk)
        return chunk


def _members(raw: bytes) -> Iterator[tuple[int, _Place]]:
    """One place, again and again until the body is read or holds more members than any honest one."""
    place = _Place(raw)
    for number in range(MEMBERS):
        if place.at >= len(raw):
            return
        yield number, place
    raise EOFError(f"more than {MEMBERS} members")


_CODINGS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
