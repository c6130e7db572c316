"""Lines of a plain, gzip or zstd file, streamed: never more than a chunk and one line in memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import zstandard

KEPT = 65_536  # bytes kept of a line that is too long
CHUNK = 1 << 17
_ZSTD_STEP = 512  # compressed bytes a call: at zstd's highest ratio (a block of 128 kB in 4 bytes) 16 MB come out
_BOM = b"\xef\xbb\xbf"
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line end.

    number: from 1. offset: of its first byte in the uncompressed file. length: in bytes.
    data: the bytes; of a line longer than the limit only the first 64 kB, and `too_long` is set.
    broken: why the file ends here, before the line does (data: what there is of it).
    """

    number: int
    offset: int
    length: int
    data: bytes
    too_long: bool = False
    broken: str | None = None


def read_lines(file: BinaryIO, limit: int) -> Iterator[Line]:
    """The lines of the file that are not blank; gzip and zstd are known by their first bytes.

    limit: longest line to keep whole, in bytes. A UTF-8 byte order mark at the start belongs to no line. A file that
    cannot be decompressed further gives what was read and ends with a `broken` line.
    """
    number, start, length = 1, 0, 0  # the line under way: where it begins, how much of it was seen
    held = bytearray()
    chunks = _chunks(file)
    broken = None
    while True:
        try:
            chunk = next(chunks, b"")
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            chunk, broken = b"", str(error) or type(error).__name__
        if not chunk:
            break
        pieces = chunk.split(b"\n")
        for piece in pieces[:-1]:
            length += len(piece)
            if held:
                _hold(held, piece, limit)
                piece = bytes(held)
                held.clear()
            line = _line(number, start, length, piece, limit)
            if line:
                yield line
            start += length + 1
            number, length = number + 1, 0
        length += len(pieces[-1])
        _hold(held, pieces[-1], limit)
    if broken is not None:
        yield Line(number, start, length, bytes(held[:KEPT]), broken=broken)
    elif length and (line := _line(number, start, length, bytes(held), limit)):
        yield line


def _hold(held: bytearray, piece: bytes, limit: int) -> None:
    held += piece[: limit + 1 - len(held)] if len(held) <= limit else b""


def _line(number: int, start: int, length: int, data: bytes, limit: int) -> Line | None:
    if length > limit:
        return Line(number, start, length, data[:KEPT], too_long=True)
    if number == 1 and data.startswith(_BOM):
        data, start = data[3:], start + 3
    data = data[:-1] if data.endswith(b"\r") else data
    return Line(number, start, len(data), data) if data and not data.isspace() else None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    magic = file.read(2)
    file.seek(0)
    match _MAGIC.get(magic):
        case "gzip":
            with gzip.GzipFile(fileobj=file) as plain:
                while chunk := plain.read1(CHUNK):
                    yield chunk
        case "zstd":
            yield from _zstd(file)
        case _:
            while chunk := file.read(CHUNK):
                yield chunk


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    """Frame after frame. (The library's stream reader takes a file cut short for a whole one.)"""
    frame = None
    waiting: list[bytes] = []
    size = 0
    try:
        while data := file.read(_ZSTD_STEP):
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                plain = frame.decompress(data)
                waiting.append(plain)
                size += len(plain)
                data = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
            if size >= CHUNK:
                yield b"".join(waiting)
                waiting, size = [], 0
    except zstandard.ZstdError:
        if size:
            yield b"".join(waiting)
        raise
    if size:
        yield b"".join(waiting)
    if frame:
        raise EOFError("the compressed file ends in the middle of a frame")
