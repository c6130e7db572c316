"""Imported place names: one file, searched where it lies.

Extraction (`processors/extract/atlas.py`) opens it once and looks up names that a place cue announces; bare words of
running text must not be looked up (far too many are names of villages). `digest` belongs into the lexicon hash of every
record that such a lookup may change.

File, little-endian: MAGIC, a digest of all that follows, three sizes (names, places, bytes of names), uint32 tables
(where each name begins, its place, where each place begins), the folded names in order, the places as lines. It is
mapped, not read: opening costs one pass for the digest, a lookup some steps of a binary search, memory what the system
caches anyway (bench/places.md).
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import FileError
from processors.text import fold_word

MAGIC = b"rasd.gazetteer/1\n"
_DIGEST = 16
_HEAD = struct.Struct("<IIQ")


@dataclass(frozen=True, slots=True)
class GazetteerPlace:
    """A place as some gazetteer has it. id: "geonames:164816"; names: every spelling, the Latin one first.

    country: two letters, "" if unknown. admin1: name of the province. precision: as in records.Place. lat, lon:
    degrees. source: the file that it came from.
    """

    id: str
    names: tuple[str, ...]
    country: str
    admin1: str
    precision: str
    lat: float | None
    lon: float | None
    source: str

    @property
    def name(self) -> str:
        return self.names[0]


class Gazetteer:
    """A mapped gazetteer file. Safe to share between threads; close it or let it go."""

    def __init__(self, path: Path, view: memoryview) -> None:
        """Raises: FileError if it is no gazetteer, or a damaged one."""
        head = len(MAGIC) + _DIGEST
        body = head + _HEAD.size
        if bytes(view[: len(MAGIC)]) != MAGIC:
            raise FileError(path, None, "not a gazetteer of this version")
        digest = hashlib.blake2b(view[head:], digest_size=_DIGEST).digest()
        if digest != view[len(MAGIC) : head] or len(view) < body:
            raise FileError(path, None, "damaged: its digest is another")
        self.digest: str = digest.hex()
        self.names: int
        self.places: int
        self.names, self.places, size = _HEAD.unpack(view[head:body])
        counts = (self.names + 1, self.names, self.places + 1)
        ends = [body + 4 * sum(counts[: i + 1]) for i in range(3)]
        self._name_at = _uint32(view[body : ends[0]])
        self._place_of = _uint32(view[ends[0] : ends[1]])
        self._place_at = _uint32(view[ends[1] : ends[2]])
        self._names = view[ends[2] : ends[2] + size]
        self._lines = view[ends[2] + size :]

    def lookup(self, folded_name: str, country: str | None = None) -> tuple[GazetteerPlace, ...]:
        """Places of that name (as `fold_word` gives it), of one country if asked, in the order of import."""
        wanted = folded_name.encode()
        low, high = 0, self.names
        while low < high:
            middle = (low + high) // 2
            if self._name(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        numbers = set()
        while low < self.names and self._name(low) == wanted:
            numbers.add(self._place_of[low])
            low += 1
        found = (self._place(n) for n in sorted(numbers))
        return tuple(p for p in found if country is None or p.country == country)

    def __iter__(self) -> Iterator[GazetteerPlace]:
        return (self._place(n) for n in range(self.places))

    def __len__(self) -> int:
        return self.places

    def _name(self, n: int) -> bytes:
        return bytes(self._names[self._name_at[n] : self._name_at[n + 1]])

    def _place(self, n: int) -> GazetteerPlace:
        line = bytes(self._lines[self._place_at[n] : self._place_at[n + 1]]).decode()
        id_, names, country, admin1, precision, lat, lon, source = line.split("\t")
        return GazetteerPlace(
            id_, tuple(names.split("|")), country, admin1, precision, _degrees(lat), _degrees(lon), source
        )


def open_gazetteer(path: Path) -> Gazetteer:
    """Raises: FileError if it is no gazetteer of this version or was damaged; OSError."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise FileError(path, None, "not a gazetteer of this version")
        return Gazetteer(path, memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def pack(places: Iterable[GazetteerPlace]) -> bytes:
    """The bytes of a gazetteer file. Of two places with one id the later counts; equal input gives equal bytes."""
    by_id = {place.id: place for place in places}
    lines: list[bytes] = []
    names: set[tuple[bytes, int]] = set()
    for n, place in enumerate(by_id.values()):
        lat, lon = ("" if d is None else f"{d:.5f}" for d in (place.lat, place.lon))
        spelled = "|".join(_clean(name) for name in place.names)
        fields = (place.id, spelled, place.country, place.admin1, place.precision, lat, lon, place.source)
        line = "\t".join(field if field is spelled else _clean(field) for field in fields)
        lines.append(line.encode("utf-8", "replace"))
        names |= {(fold_word(name).encode("utf-8", "replace"), n) for name in place.names}
    ordered = sorted(pair for pair in names if pair[0])
    blob = b"".join(name for name, _ in ordered)
    body = b"".join(
        (
            _table(_starts(name for name, _ in ordered)),
            _table(array("I", [n for _, n in ordered])),
            _table(_starts(lines)),
            blob,
            *lines,
        )
    )
    body = _HEAD.pack(len(ordered), len(lines), len(blob)) + body
    return MAGIC + hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def _starts(parts: Iterable[bytes]) -> array[int]:
    starts = array("I", [0])
    for part in parts:
        starts.append(starts[-1] + len(part))
    return starts


def _table(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = array("I", values)
        values.byteswap()
    return values.tobytes()


def _uint32(view: memoryview) -> memoryview | array[int]:
    if sys.byteorder == "little":
        return view.cast("I") if view.c_contiguous else array("I", bytes(view))
    values = array("I", bytes(view))
    values.byteswap()
    return values


def _clean(field: str) -> str:
    return " ".join(field.replace("|", " ").split())


def _degrees(text: str) -> float | None:
    return float(text) if text else None
