"""Events and running totals as JSON lines, one file a day: `<data>/events/2018-03-01.jsonl`.

A file only grows. Its lines are the messages as they were sent, written when the coding that closes their set arrives;
an event that a newer coding no longer lists gets a `retraction` line in the same file. All lines of one id stand in one
file, so the last line of an id is what holds. Codings stand apart, in `events/codings/`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from connectors.sinks.standing import Held, Standing, bounded, load_held, save_held, settle
from pipeline.errors import StorageError, StoragePaused
from pipeline.records import Coding, Event, Record, Retraction, Toll

CODINGS_BYTES = 64 * 1024 * 1024  # a file of codings is followed by the next one beyond this
YEARS = range(1900, 2100)  # a day outside is a slip of the text or of its reading and names no file
UNDATED = "undated.jsonl"
MARKER = ".rasd-sink"  # in a folder whose files were committed; names the state that they belong to
UNCOMMITTED = ".rasd-uncommitted"  # the files that a flush is just making, a name a line

_OURS = re.compile(r"\d{4}-\d\d-\d\d\.jsonl|undated\.jsonl|codings/\d{6}\.jsonl")
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO}
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS  # as on the wire


def open_append(path: Path) -> BinaryIO:
    return open(path, "ab")


class JsonlSink:
    """See the module and `connectors.sinks.Sink`. State kept by the runner:

    file/<name>       committed length of each file
    article/<id>      newest coding of the article and where its events stand
    pending/<id>      events whose coding has not arrived yet
    codings           number of the codings file now written
    folder            present once anything was committed: the id that `.rasd-sink` names too

    A file that the state does not know is a leftover of a killed flush only if `.rasd-uncommitted` names it, which is
    written before the file's first byte. Any other belongs to another log and is never touched.
    """

    name = "jsonl"
    topics: tuple[str, ...] = ("rasd.events",)

    def __init__(self, data: Path, *, opener: Callable[[Path], BinaryIO] = open_append) -> None:
        self.folder = data / "events"
        self._open = opener
        self._committed: Mapping[str, bytes] = {}
        self._batch = _Batch()
        self._marked = False
        self._ready = False

    # -- the contract ------------------------------------------------------------------------------------------------

    def resume(self, committed: Mapping[str, bytes]) -> None:
        self._ready = False
        self._committed = committed
        self._batch = _Batch()
        found = _examine(self.folder, committed)
        self._marked = found.marked
        with _passing(self.folder):
            (self.folder / "codings").mkdir(parents=True, exist_ok=True)
            _sync_folders([self.folder, self.folder.parent])
            for name in found.leftovers:
                (self.folder / name).unlink()
            for name, length in found.too_long.items():
                os.truncate(self.folder / name, length)
            self._mark()
            (self.folder / UNCOMMITTED).unlink(missing_ok=True)
        self._ready = True

    def write(self, record: Record, value: bytes) -> None:
        self._batch.id = self._batch.id or id_of(value)
        match record:
            case Event() | Toll():
                held = Held(bounded(record.revision), record.id, day_file(record), one_line(value))
                sets = self._pending(record.article_id)
                sets.pop(held.key, None)
                sets[held.key] = held
            case Coding():
                self._close_set(record, one_line(value))
            case _:
                raise TypeError(f"the jsonl sink takes events, tolls and codings, not {type(record).__name__}")

    def flush(self) -> Mapping[str, bytes]:
        if not self._ready:
            raise StoragePaused(f"{self.folder}: not brought back to its committed state yet")
        self._ready = False  # until this succeeds: what it leaves half written must be cut first
        batch = self._batch
        changes = dict(batch.changes)
        for article, sets in batch.sets.items():
            if sets or f"pending/{article}" in self._committed:
                changes[f"pending/{article}"] = save_held(sets.values())
        with _passing(self.folder):
            self._mark()
            changes |= self._append_all(batch.lines)
        if changes and "folder" not in self._committed:
            changes["folder"] = batch.id
        self._batch = _Batch()
        self._ready = True
        return changes

    def close(self) -> None:
        self._batch = _Batch()
        if self._ready:
            with contextlib.suppress(OSError):  # the next `resume` does it
                self._mark()
                if all(f"file/{name}" in self._committed for name in _announced(self.folder)):
                    (self.folder / UNCOMMITTED).unlink(missing_ok=True)

    # -- one set of records ------------------------------------------------------------------------------------------

    def _close_set(self, coding: Coding, line: bytes) -> None:
        sets = self._pending(coding.article_id)
        found = {h.id: h for h in sets.values() if h.revision == bounded(coding.revision)}
        for key in [k for k in sets if k[0] <= bounded(coding.revision)]:
            del sets[key]
        state = f"article/{coding.article_id}"
        before = self._state(state)
        settled = settle(Standing.load(before) if before else None, coding, found)
        if settled is None:
            return
        for held, file in settled.written:
            self._add(file, held.line)
        for id, file in settled.retracted:
            retraction = Retraction(
                id=id,
                article_id=coding.article_id,
                revision=bounded(coding.revision),
                generation=bounded(coding.generation),
            )
            self._add(file, orjson.dumps(retraction, option=_OPTIONS))
        self._add(self._codings_file(), line)
        self._batch.changes[state] = settled.standing.save()

    def _pending(self, article: str) -> dict[tuple[int, str], Held]:
        sets = self._batch.sets.get(article)
        if sets is None:
            sets = {h.key: h for h in load_held(self._committed.get(f"pending/{article}", b""))}
            self._batch.sets[article] = sets
        return sets

    def _state(self, key: str) -> bytes:
        return self._batch.changes.get(key) or self._committed.get(key, b"")

    def _add(self, file: str, line: bytes) -> None:
        self._batch.lines.setdefault(file, []).append(line)
        self._batch.sizes[file] = self._batch.sizes.get(file, 0) + len(line) + 1

    def _codings_file(self) -> str:
        """The file of codings that the next line goes to: decided by bytes alone, so that batches do not matter."""
        number = int(self._state("codings") or b"1")
        file = f"codings/{number:06}.jsonl"
        if self._length(file) + self._batch.sizes.get(file, 0) < CODINGS_BYTES:
            return file
        self._batch.changes["codings"] = b"%d" % (number + 1)
        return f"codings/{number + 1:06}.jsonl"

    # -- files -------------------------------------------------------------------------------------------------------

    def _length(self, name: str) -> int:
        return int(self._committed.get(f"file/{name}", b"0"))

    def _mark(self) -> None:
        """Leaves a mark once something was committed, so that these files are never taken for leftovers."""
        if not self._marked and (id := self._committed.get("folder")):
            text = f"Written by the jsonl sink of rasd; see docs/sinks.md\nid {id.decode()}\n"
            (self.folder / MARKER).write_text(text, "utf-8")
            self._marked = True

    def _announce(self, names: Iterable[str]) -> None:
        """Names the files that are about to be made, durably, before they hold anything."""
        new = [name for name in names if f"file/{name}" not in self._committed]
        for name in new:
            if size := _size(self.folder / name):
                raise StorageError(
                    f"{self.folder / name}: holds {size} bytes, not the 0 we wrote", reason="sink-changed"
                )
        if new:
            with open(self.folder / UNCOMMITTED, "wb") as file:
                file.write("".join(f"{name}\n" for name in new).encode())
                file.flush()
                os.fsync(file.fileno())
            _sync_folders([self.folder])

    def _append_all(self, lines: Mapping[str, list[bytes]]) -> dict[str, bytes]:
        self._announce(lines)
        created = set()
        lengths = {}
        for name, added in lines.items():
            path = self.folder / name
            start = self._length(name)
            if not path.exists():
                if start:
                    raise StorageError(
                        f"{path}: the file is gone, but {start} bytes were written to it: put it back, or reset the"
                        " sink so that everything is written again",
                        reason="sink-gone",
                    )
                created.add(path.parent)
            data = b"\n".join([*added, b""])
            with self._open(path) as file:
                if (size := os.fstat(file.fileno()).st_size) != start:
                    raise StorageError(f"{path}: holds {size} bytes, not the {start} we wrote", reason="sink-changed")
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            lengths[f"file/{name}"] = b"%d" % (start + len(data))
        _sync_folders(created)
        return lengths


@dataclass(slots=True)
class _Batch:
    """What was written since the last flush.

    id: named after its first message. changes: state to commit. sets: pending records by article.
    lines: what to append, by file. sizes: its bytes.
    """

    id: bytes = b""
    changes: dict[str, bytes] = field(default_factory=dict)
    sets: dict[str, dict[tuple[int, str], Held]] = field(default_factory=dict)
    lines: dict[str, list[bytes]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """A folder that goes with its state.

    marked: it has the mark. lengths: of the committed files. leftovers: files to remove. too_long: length to cut to.
    """

    marked: bool
    lengths: Mapping[str, int]
    leftovers: list[str]
    too_long: Mapping[str, int]


def check(data: Path, committed: Mapping[str, bytes]) -> str:
    """What the folder holds, in a few words. Raises: StorageError where `resume` would; touches nothing."""
    found = _examine(data / "events", committed)
    if not found.lengths:
        return "nothing written yet"
    return f"{len(found.lengths):,} files, {sum(found.lengths.values()):,} bytes"


def _examine(folder: Path, committed: Mapping[str, bytes]) -> _Found:
    """Compares the files with the state, by names and sizes. Raises: StorageError if they cannot belong together."""
    id = committed.get("folder")
    marked, mark = _read_mark(folder / MARKER)
    if id is not None and not folder.is_dir():
        raise StorageError(
            f"{folder}: the folder is gone, but events were written to it: put it back, or `rasd sinks reset jsonl`"
            " so that everything is written again",
            reason="sink-gone",
        )
    if (marked and id is None) or (mark and mark != id):
        raise _foreign(folder, "these files were written from another log")
    lengths = {key[5:]: int(committed[key]) for key in committed if key.startswith("file/")}
    sizes = {name: _size(folder / name) for name in lengths}
    gone = sorted(name for name, size in sizes.items() if size is None)
    if gone:
        raise StorageError(
            f"{folder}: {_some(gone)} {'are' if len(gone) > 1 else 'is'} gone, but events were written there: put back"
            " what is missing, or `rasd sinks reset jsonl` so that everything is written again",
            reason="sink-gone",
        )
    for name, size in sizes.items():
        if size is not None and size < lengths[name]:
            raise StorageError(
                f"{folder / name}: {lengths[name] - size} bytes are missing at the end: put the file back, or"
                " `rasd sinks reset jsonl` so that everything is written again",
                reason="sink-cut",
            )
    strange = [name for name in _files(folder) if name not in lengths]
    announced = _announced(folder)
    foreign = [name for name in strange if name not in announced and _size(folder / name)]
    if foreign:
        raise _foreign(folder, f"the log knows nothing of {_some(foreign)}")
    too_long = {name: length for name, length in lengths.items() if (sizes[name] or 0) > length}
    return _Found(marked, lengths, strange, too_long)


def _foreign(folder: Path, what: str) -> StorageError:
    advice = "move the folder away, bring the log back, or `rasd sinks reset jsonl`"
    return StorageError(f"{folder}: {what}: {advice}", reason="sink-foreign")


def _read_mark(path: Path) -> tuple[bool, bytes | None]:
    """Whether the mark is there, and the id that it names."""
    try:
        found = re.search(rb"^id (\w+)$", path.read_bytes(), re.MULTILINE)
    except (FileNotFoundError, NotADirectoryError):
        return False, None
    return True, found[1] if found else None


def _announced(folder: Path) -> set[str]:
    try:
        return set((folder / UNCOMMITTED).read_text("utf-8").split())
    except FileNotFoundError:
        return set()


def _files(folder: Path) -> Iterator[str]:
    """Names of the files here that a sink wrote, by their pattern."""
    for prefix, inside in (("", folder), ("codings/", folder / "codings")):
        with contextlib.suppress(FileNotFoundError), os.scandir(inside) as entries:
            names = sorted(prefix + e.name for e in entries if e.is_file(follow_symlinks=False))
            yield from (name for name in names if _OURS.fullmatch(name))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _some(names: list[str]) -> str:
    """The first names and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def id_of(value: bytes) -> bytes:
    """What names a sink's state: a hash of the first message it took, so that the same archive gives the same files."""
    return hashlib.blake2b(value, digest_size=8).hexdigest().encode()


def day_file(record: Event | Toll) -> str:
    """`2018-03-01.jsonl`: first day of an event, last day of a toll's period, else the day of publication (UTC)."""
    day = record.date.start if isinstance(record, Event) else record.period.end
    if day is None and record.published is not None:
        day = record.published.date()
    if day is None or day.year not in YEARS:
        return UNDATED
    return f"{day.isoformat()}.jsonl"


def one_line(value: bytes) -> bytes:
    """The JSON on one line: a line break in valid JSON is only white space between its tokens."""
    return value.replace(b"\r", b" ").replace(b"\n", b" ")


def _sync_folders(folders: Iterable[Path]) -> None:
    for folder in sorted(folders):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _passing(folder: Path) -> Iterator[None]:
    """Turns troubles of the disk that may pass into StoragePaused."""
    try:
        yield
    except OSError as e:
        if e.errno in _PASSING:
            raise StoragePaused(f"{e.filename or folder}: {e.strerror}") from e
        raise
