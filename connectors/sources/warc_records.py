"""The records of a WARC file, plain or gzip, however much of it is broken: never more than one record in memory.

Own framing and not a library's: those at hand end at the first broken member, take a cut record for a whole one, or
drop what stands behind a record that lies about its length (docs/warc.md). Work is linear in the bytes of the file and
what they unpack to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

KEPT = 2_048  # bytes kept of what cannot be read
CHUNK = 1 << 16
PROBE = 1 << 17  # compressed bytes in which the first bytes of a member are found, whatever its header holds
LONGEST_HEAD = 1 << 16  # bytes of a record's own header; real ones have 500
_GZIP = 31  # zlib's window bits for its largest window in a gzip frame
_MAGIC = b"\x1f\x8b\x08"
_MARK = b"WARC/"
_BREAKS = re.compile(rb"[\r\n\0]*")  # zeros: padding, or what a power cut leaves
_FIRST = rb"WARC/\d\.\d\d?[ \t]{0,8}\r?\n"
_VERSION = re.compile(_FIRST)
_NEXT = re.compile(_FIRST + rb"[A-Za-z][\w-]{0,60}:")  # anywhere: what was torn has no line end before it
_TAIL = 96  # bytes of that which may stand at the end of a buffer
_HEAD_END = re.compile(rb"\r?\n\r?\n|" + _FIRST)
_FOLD = re.compile(r"\r?\n[ \t]+")
_WASTED = 4  # times the file's size: what may be read in vain because of broken members and lying lengths
_HASHES = frozenset(("sha1", "sha256", "sha512", "md5"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WarcRecord:
    """One record, whole.

    offset, length: of its gzip member in the file as it is, if it has one to itself; else in the unpacked file.
    end: bytes of the file read so far. fields: by lower-case name, the first of each. block: what Content-Length
    counts; of a block above the limit only the beginning, and `too_long` says how long it is.
    intact: whether the block has the digest that the record states; None if it states none that we know.
    """

    offset: int
    length: int
    end: int
    fields: Mapping[str, str]
    block: bytes
    too_long: int | None = None
    intact: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Bytes that are no record. offset: as in `WarcRecord`. data: how they begin."""

    offset: int
    end: int
    error: str
    data: bytes


class _Damaged(Exception):
    """The compressed bytes cannot be unpacked further."""


def read_records(file: BinaryIO, limit: int) -> Iterator[WarcRecord | Broken]:
    """Every record of the file and every stretch of bytes that is none, in their order. Content never raises.

    limit: longest block that is kept whole, in bytes.
    """
    start = file.read(PROBE)
    zipped = start.startswith(_MAGIC[:2]) or (_MARK not in start and _MAGIC in start)
    stream = _Zipped(file) if zipped else _Plain(file)
    while True:
        try:
            found = _next(stream, limit)
        except _Damaged as damage:
            offset, data = stream.place, bytes(stream.buffer[:KEPT])
            error = stream.recover() or str(damage)
            yield Broken(offset=offset, end=stream.at, error=error, data=data)
            continue
        if found is None:
            return
        yield found


# -- framing -----------------------------------------------------------------------------------------------------------


def _next(stream: _Plain, limit: int) -> WarcRecord | Broken | None:
    """The record that begins where the stream stands, or what stands there instead; None at the end of the file.

    Raises: _Damaged.
    """
    if not _begin(stream):
        return None
    head = _head(stream)
    if head is None:
        return _pass_over(stream, 0, "no WARC record")
    fields = _fields(stream.buffer[:head])
    length = _length(fields)
    if length is None:
        return _pass_over(stream, head, "a record that does not say how long it is")
    place = _Place(stream, head + length)
    if length > limit:
        return _long(stream, place, fields, head, length)
    if not stream.fill(head + length):
        return _pass_over(stream, head, f"a record of {length} bytes that ends after {len(stream.buffer) - head}")
    damage = None
    try:
        ended = _ends(stream, head + length)
    except _Damaged as error:
        ended, damage = False, error
    if not ended and _NEXT.search(stream.buffer, head, head + length):
        return _pass_over(stream, head, "a record whose length is wrong: the next begins inside it")
    block = bytes(memoryview(stream.buffer)[head : head + length])
    intact = _intact(fields.get("warc-block-digest"), block)
    if not ended and not intact:
        if damage is not None:
            raise damage
        return _pass_over(stream, head, "a record whose length is wrong, or what follows it is broken")
    if intact is False and _NEXT.search(block) and stream.may_waste(length):
        return _pass_over(stream, head, "a record that runs on to the end of another")
    stream.drop(head + length)
    stream.strip()
    offset, size = place.of_record()
    return WarcRecord(offset=offset, length=size, end=stream.at, fields=fields, block=block, intact=intact)


def _long(stream: _Plain, place: _Place, fields: Mapping[str, str], head: int, length: int) -> WarcRecord | Broken:
    """A record above the limit: walked past, never held."""
    stream.fill(head + KEPT)
    block = bytes(stream.buffer[head : head + KEPT])
    error = f"a record that claims {length} bytes, which is wrong"
    if not stream.may_end(head + length):
        return _pass_over(stream, head, error)
    if not stream.drop(head + length):
        return Broken(offset=place.start, end=stream.at, error=error, data=block)
    _ends(stream, 0)
    stream.strip()
    offset, size = place.of_record()
    return WarcRecord(offset=offset, length=size, end=stream.at, fields=fields, block=block, too_long=length)


class _Place:
    """Where the record begins that the stream stands at. start: as `Broken.offset`."""

    def __init__(self, stream: _Plain, total: int) -> None:
        self._stream, self._total = stream, total
        self._member, self._plain, self._fresh = stream.place, stream.plain, stream.fresh
        self.start = self._member if self._fresh else self._plain

    def of_record(self) -> tuple[int, int]:
        """Offset and length, once the stream stands behind the record and the line breaks that follow it."""
        stream = self._stream
        if self._fresh and stream.over and stream.place == self._member:
            return self._member, stream.at - self._member
        return self._plain, self._total


def _begin(stream: _Plain) -> bool:
    """Goes to the first byte that is no line break; False at the end of the file."""
    while True:
        stream.strip()
        if stream.buffer:
            return True
        if not stream.pull() and not stream.go_on():
            return False


def _head(stream: _Plain) -> int | None:
    """Bytes of the header, the blank line included; None if no header stands here."""
    if not stream.fill(len(_MARK)) or not stream.buffer.startswith(_MARK):
        return None
    looked = 0
    while True:
        found = _HEAD_END.search(stream.buffer, max(len(_MARK), looked - _TAIL), LONGEST_HEAD)
        if found:
            blank = not found[0].startswith(_MARK)
            return found.end() if blank and _VERSION.match(stream.buffer) else None
        looked = len(stream.buffer)
        if looked >= LONGEST_HEAD or not stream.fill(looked + 1):
            return None


def _ends(stream: _Plain, total: int) -> bool:
    """Whether behind so many bytes there is nothing more, or the next record. Raises: _Damaged."""
    at = total
    while True:
        breaks = _BREAKS.match(stream.buffer, at)
        at = breaks.end() if breaks else at
        if len(stream.buffer) - at >= len(_MARK):
            return stream.buffer.startswith(_MARK, at)
        del breaks  # it holds the buffer
        if at - total > PROBE:
            return True
        if not stream.pull():
            return _MARK.startswith(stream.buffer[at:])


def _pass_over(stream: _Plain, skip: int, error: str) -> Broken:
    """Goes to the next beginning of a record behind `skip` bytes, or to the end of the member. Raises: _Damaged."""
    offset, data = stream.place if stream.fresh else stream.plain, bytes(stream.buffer[:KEPT])
    start = max(1, skip)
    while True:
        found = _NEXT.search(stream.buffer, start)
        if found:
            stream.drop(found.start())
            break
        keep = min(_TAIL, len(stream.buffer) - start)
        stream.drop(len(stream.buffer) - keep)
        start = 0
        if not stream.pull():
            stream.drop(len(stream.buffer))
            break
    return Broken(offset=offset, end=stream.at, error=error, data=data)


def _fields(head: bytearray) -> dict[str, str]:
    """The named fields of a header; the first of each name."""
    lines = _FOLD.sub(" ", head.decode("utf-8", "replace")).split("\n")[1:]
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _length(fields: Mapping[str, str]) -> int | None:
    said = fields.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def _intact(stated: str | None, block: bytes) -> bool | None:
    """Whether the block has this digest ("sha1:" and base32 or hex); None for none that we know."""
    name, _, value = (stated or "").strip().partition(":")
    name = name.lower().replace("-", "")
    if name not in _HASHES:
        return None
    digest = hashlib.new(name, block, usedforsecurity=False).digest()
    try:
        if len(value) == 2 * len(digest):
            return binascii.unhexlify(value) == digest
        return base64.b32decode(value.upper() + "=" * (-len(value) % 8)) == digest
    except ValueError:
        return None


# -- bytes -------------------------------------------------------------------------------------------------------------


class _Plain:
    """The bytes of an uncompressed file.

    buffer: unpacked bytes that were not taken yet. plain: the first one's offset in the unpacked file. place: where the
    gzip member under way begins in the file. fresh: nothing but line breaks of it was taken yet. over: all was.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)
        self.buffer = bytearray()
        self.plain = 0
        self.fresh = False
        self._wasted = 0

    @property
    def place(self) -> int:
        return self.plain

    @property
    def at(self) -> int:
        """How far the file was read."""
        return self.plain + len(self.buffer)

    @property
    def over(self) -> bool:
        return False

    def pull(self) -> bool:
        """Adds some bytes of this member to the buffer; False at its end. Raises: _Damaged, now and at every call."""
        data = self._file.read(CHUNK)
        self.buffer += data
        return bool(data)

    def fill(self, size: int) -> bool:
        """Whether the buffer holds so many bytes now, or the records end before. Raises: _Damaged."""
        while len(self.buffer) < size:
            if not self.pull() and not self._flows_on():
                return False
        return True

    def _flows_on(self) -> bool:
        return False

    def go_on(self) -> bool:
        """Begins the next member; False at the end of the file. Raises: _Damaged."""
        return False

    def recover(self) -> str | None:
        """After _Damaged: goes to the next member that can be unpacked, or to the end of the file.

        Returns what else there is to say.
        """
        return None

    def may_end(self, size: int) -> bool:
        """Whether a record may end behind so many bytes, as far as can be told without reading up to there."""
        end = self.plain + size
        if end > self._size:
            return False
        self._file.seek(end)
        behind = self._file.read(64).lstrip(b"\r\n\0")
        self._file.seek(self.at)
        return behind.startswith(_MARK) or not behind

    def may_waste(self, size: int) -> bool:
        """Whether so many bytes may be read in vain, besides what was before: work stays linear in the file's size."""
        self._wasted += size
        return self._wasted <= _WASTED * self._size + PROBE

    def drop(self, size: int) -> bool:
        """Takes so many bytes; False if there are fewer. Raises: _Damaged."""
        ahead = size - len(self.buffer)
        if ahead > 0:
            self._file.seek(self.at + ahead)
        del self.buffer[:size]
        self.plain += size
        return True

    def strip(self) -> None:
        """Takes the line breaks that the buffer begins with."""
        breaks = _BREAKS.match(self.buffer)
        if breaks and breaks.end():
            size = breaks.end()
            del breaks  # it holds the buffer
            del self.buffer[:size]
            self.plain += size


class _Zipped(_Plain):
    """The bytes of a gzip file, member after member. A member that begins with a record begins one; another goes on
    with what the one before it held (files that were compressed in blocks)."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._input = b""
        self._from = 0  # where that stands in the file
        self._member = 0
        self._unzip: zlib._Decompress | None = None
        self._damage: _Damaged | None = None

    @property
    def place(self) -> int:
        return self._member

    @property
    def at(self) -> int:
        return self._from

    @property
    def over(self) -> bool:
        return not self.buffer and self._unzip is not None and self._unzip.eof

    def pull(self) -> bool:
        if self._damage is not None:
            raise self._damage
        unzip = self._unzip
        while unzip is not None and not unzip.eof:
            ended = not self._input and not self._read()
            try:
                data = unzip.decompress(self._input, CHUNK)
            except zlib.error as error:
                raise self._broke(str(error)) from error
            rest = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
            self._from += len(self._input) - len(rest)
            self._input = rest
            if data:
                self.buffer += data
                return True
            if ended and not unzip.eof:
                raise self._broke("the file ends in the middle of a gzip member")
        return False

    def _flows_on(self) -> bool:
        """Goes over to the next member if no record begins with it."""
        while len(self._input) < PROBE and self._read():
            pass
        try:
            first = zlib.decompressobj(_GZIP).decompress(self._input, len(_MARK))
        except zlib.error:
            return False
        if not first or first == _MARK:
            return False
        self._open()
        return True

    def go_on(self) -> bool:
        self._unzip = None
        while True:
            padding = len(self._input) - len(self._input.lstrip(b"\0"))  # as tapes have it
            self._from += padding
            self._input = self._input[padding:]
            if len(self._input) >= len(_MAGIC) or not self._read():
                break
        if not self._input:
            return False
        self._member = self._from
        if not self._input.startswith(_MAGIC):
            raise self._broke("no gzip member")
        self._open()
        self.fresh = True
        return True

    def recover(self) -> str | None:
        self.plain += len(self.buffer)
        self.buffer.clear()
        self._damage = self._unzip = None
        start, note = self._member + 1, None
        if not self.may_waste(self._from - self._member):
            start, note = self._size, "too much is broken: the rest of the file was not read"
        self._from, self._input = self._member_from(start), b""
        self._file.seek(self._from)
        return note

    def drop(self, size: int) -> bool:
        self.fresh = False
        while size > len(self.buffer):
            size -= len(self.buffer)
            self.plain += len(self.buffer)
            self.buffer.clear()
            if not self.pull() and not self._flows_on():
                return False
        del self.buffer[:size]
        self.plain += size
        return True

    def may_end(self, size: int) -> bool:
        return True

    def _open(self) -> None:
        self._unzip, self._member, self.fresh = zlib.decompressobj(_GZIP), self._from, False

    def _read(self) -> bool:
        data = self._file.read(CHUNK)
        self._input += data
        return bool(data)

    def _broke(self, why: str) -> _Damaged:
        self._damage = _Damaged(why)
        return self._damage

    def _member_from(self, start: int) -> int:
        """Where the first member begins from there on that can be unpacked, at least its beginning; else the end."""
        self._file.seek(start)
        held = b""
        while data := self._file.read(CHUNK):
            held += data
            at = -1
            while (at := held.find(_MAGIC, at + 1)) >= 0:
                if self._unpacks(start + at):
                    return start + at
            cut = max(0, len(held) - len(_MAGIC) + 1)
            held, start = held[cut:], start + cut
        return self._size

    def _unpacks(self, start: int) -> bool:
        where = self._file.tell()
        self._file.seek(start)
        data = self._file.read(PROBE)
        self._file.seek(where)
        try:
            return bool(zlib.decompressobj(_GZIP).decompress(data, len(_MARK)))
        except zlib.error:
            return False
