"""Replays archives from disk: WARC files, JSON lines, texts, saved pages and feeds, alone or in folders.

Nothing here looks at the clock: the same archive read with the same options gives the same records in the same order.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from connectors.clean import Page, clean_page
from connectors.sinks.jsonl import MARKER, UNCOMMITTED
from connectors.sources.charset import decode
from connectors.sources.feeds import parse_feed
from connectors.sources.lines import KEPT, Line, read_lines
from connectors.sources.rows import Options, make_article, read_row, reject, row_decoder, wanted
from connectors.sources.warc import Waiting, read_warc
from connectors.urls import outlet_of
from pipeline.errors import FileError, RasdError, Unusable
from pipeline.records import Archived, Article, Entry, Reject

__all__ = ["Archive", "Found", "Options", "read_row"]

log = logging.getLogger(__name__)

Make = Callable[[], Article | Reject]
Item = tuple[int, Make]  # bytes of the file consumed so far, and what makes the record
Clean = Callable[..., Page]
_COMPRESSED = (".gz", ".zst")
_OPENERS = (b"[", b"{")
_SAVED_FROM = re.compile(rb"<!--\s*saved from url=\(\d+\)(\S+)")  # what browsers write into pages that they save
_HEAD = 4_096  # bytes of a saved page in which that stands
_OUTPUT = (MARKER, UNCOMMITTED)  # either is in a folder that a sink writes
_DATA = ("log.sqlite", "run.lock")  # both are in a data folder
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # a link to nothing, or removed meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One record of an archive, with how far the reader has come.

    position: raw items read so far, this one included; give it to `read(skip=)` to go on behind it.
    bytes_done: raw (compressed) bytes consumed so far over all files; never above `Archive.total_bytes`.
    """

    position: int
    bytes_done: int
    record: Article | Reject


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    name: str  # how records call it: the argument's own name and the path below it
    size: int = 0
    mtime_ns: int = 0
    trouble: str | None = None  # why it cannot be entered or looked at


class Archive:
    """Files and folders to replay, in a fixed order.

    identity: equal for the same relative names, sizes, modification times and options.
    total_bytes: size of all files as they lie on disk.
    files: the paths in the order they are read.
    Raises: FileError for a path that does not exist or holds nothing readable; ConfigError for bad `options.fields`.
    """

    def __init__(self, paths: Sequence[Path], options: Options, clean: Clean = clean_page) -> None:
        """clean: reads HTML pages; called as `clean(data, url=…)`, raises Unusable or another RasdError.

        It may have `submit`, which begins the same and gives what waits for the page, and `ahead`: how many pages may
        be under way. Order and content do not depend on that.
        """
        row_decoder(tuple(options.fields.items()))
        self._options = options
        self._clean = clean
        self._entries = [entry for path in paths for entry in _entries(Path(path))]
        self.files = [entry.path for entry in self._entries if entry.trouble is None]
        self.total_bytes = sum(entry.size for entry in self._entries)
        self.identity = _identity(self._entries, options)

    def read(self, skip: int = 0) -> Iterator[Found]:
        """Every article that the options want and every reject, from behind the first `skip` items on.

        Content never raises: what cannot be used comes as a Reject. `read(skip=n)` gives exactly what `read()` gives
        behind position n, also under a limit.
        """
        options = self._options
        articles = 0
        if options.limit is not None and options.limit <= 0:
            return
        for position, done, make in _begun(self._all(), 0 if options.limit else skip, getattr(self._clean, "ahead", 0)):
            if position <= skip and options.limit is None:
                continue
            record = make()
            if isinstance(record, Article):
                if not wanted(record, options):
                    continue
                articles += 1
            if position > skip:
                yield Found(position=position, bytes_done=done, record=record)
            if articles == options.limit:
                return

    def _all(self) -> Iterator[tuple[int, int, Make]]:
        """Every item with its position and the bytes of all files consumed up to it."""
        position = done = 0
        for entry in self._entries:
            for consumed, make in _items(entry, self._options, self._clean):
                position += 1
                yield position, done + min(consumed, entry.size), make
            done += entry.size


def _begun(items: Iterator[tuple[int, int, Make]], skip: int, ahead: int) -> Iterator[tuple[int, int, Make]]:
    """The same items in the same order, those behind `skip` begun up to `ahead` items before their turn."""
    waiting: deque[tuple[int, int, Make]] = deque()
    for position, done, make in items:
        if position > skip and ahead and isinstance(make, Waiting):
            make.begin()
        waiting.append((position, done, make))
        while waiting and (len(waiting) > ahead or not isinstance(waiting[0][2], Waiting)):
            yield waiting.popleft()
    yield from waiting


def _items(entry: _Entry, options: Options, clean: Clean) -> Iterator[Item]:
    if entry.trouble is not None:
        yield 0, partial(reject, "bad-archive", entry.trouble, b"", file=entry.name, truncated=True)
        return
    try:
        with entry.path.open("rb") as file:
            yield from READERS[_suffix(entry.path)](file, entry, options, clean)
    except OSError as error:
        yield entry.size, partial(reject, "bad-archive", _words(error), b"", file=entry.name, truncated=True)


def _rows(file: BinaryIO, entry: _Entry, options: Options, clean: Clean) -> Iterator[Item]:
    first = True
    for line in read_lines(file, options.max_bytes):
        if first and line.data.strip() in _OPENERS:
            error = "a JSON document over several lines; wanted is one object a line"
            yield entry.size, partial(_refuse, line, "bad-archive", error, entry)
            return
        first = False
        if line.broken is not None:
            yield entry.size, partial(_refuse, line, "bad-archive", line.broken, entry)
        elif line.too_long:
            error = f"a line of {line.length} bytes, {options.max_bytes} are allowed"
            yield file.tell(), partial(_refuse, line, "too-large", error, entry)
        else:
            yield file.tell(), partial(read_row, line.data, options, entry.name, line.number, line.offset)


def _refuse(line: Line, reason: str, error: str, entry: _Entry) -> Reject:
    return reject(reason, error, line.data, file=entry.name, line=line.number, offset=line.offset, truncated=True)


def _documents(read: Callable[[bytes, _Entry, Options, Clean], Article]) -> Reader:
    """The reader of files that hold one document each."""

    def document(data: bytes, entry: _Entry, options: Options, clean: Clean) -> Article | Reject:
        try:
            return read(data, entry, options, clean)
        except RasdError as error:
            return _refuse_file(data, entry, error, options)

    def items(file: BinaryIO, entry: _Entry, options: Options, clean: Clean) -> Iterator[Item]:
        data = file.read(options.max_bytes + 1)
        yield entry.size, partial(document, data, entry, options, clean)

    return items


def _read_text(data: bytes, entry: _Entry, options: Options, clean: Clean) -> Article:
    _check_size(data, options)
    body = decode(data)
    if not body.strip():
        raise Unusable("an empty text", reason="no-text")
    if "\x00" in body:
        raise Unusable("holds the NUL character", reason="bad-text")
    return make_article(options, title=None, body=body, basis="unknown", archive=_whole(data, entry))


def _read_page(data: bytes, entry: _Entry, options: Options, clean: Clean) -> Article:
    _check_size(data, options)
    saved = _SAVED_FROM.search(data[:_HEAD])
    url = saved[1].decode("utf-8", "replace") if saved else None
    page = clean(data, url=url)
    return make_article(
        options,
        url=url or page.canonical_url,
        canonical=page.canonical_url,
        outlet=page.outlet,
        language=page.language,
        title=page.title,
        body=page.body,
        author=page.author,
        section=page.section,
        published=page.published,
        basis="page",
        updated=page.updated,
        archive=_whole(data, entry),
    )


def _feed(file: BinaryIO, entry: _Entry, options: Options, clean: Clean) -> Iterator[Item]:
    data = file.read(options.max_bytes + 1)
    try:
        _check_size(data, options)
        for found in parse_feed(data, entry.name).entries:
            yield entry.size, partial(_read_entry, found, entry, options)
    except RasdError as error:
        yield entry.size, partial(_refuse_file, data, entry, error, options)


def _read_entry(found: Entry, entry: _Entry, options: Options) -> Article | Reject:
    if not found.body and not found.title:
        named = (found.url or found.source_id or "").encode("utf-8", "replace")
        return reject("no-text", "an entry without title and text", named, file=entry.name, truncated=True)
    return make_article(
        options,
        source_id=found.source_id,
        url=found.url,
        outlet=outlet_of(found.url) or found.outlet,
        feed=found.feed,
        language=found.language,
        title=found.title,
        body=found.body,
        partial=found.partial,
        author=found.author,
        published=found.published,
        basis="feed",
        updated=found.updated,
        archive=Archived(file=entry.name),
    )


def _warc(file: BinaryIO, entry: _Entry, options: Options, clean: Clean) -> Iterator[Item]:
    yield from read_warc(file, entry.name, options, clean)


def _check_size(data: bytes, options: Options) -> None:
    if len(data) > options.max_bytes:
        raise Unusable(f"a file above {options.max_bytes} bytes", reason="too-large")


def _whole(data: bytes, entry: _Entry) -> Archived:
    return Archived(file=entry.name, offset=0, length=len(data))


def _refuse_file(data: bytes, entry: _Entry, error: RasdError, options: Options) -> Reject:
    cut = error.reason == "too-large"
    return reject(
        error.reason,
        str(error),
        data[:KEPT] if cut else data,
        file=entry.name,
        offset=0,
        retryable=error.retryable,
        truncated=cut and len(data) > KEPT,
    )


Reader = Callable[[BinaryIO, _Entry, Options, Clean], Iterator[Item]]

#: What reads a file, by the suffix of its name.
READERS: dict[str, Reader] = {
    ".jsonl": _rows,
    ".ndjson": _rows,
    ".json": _rows,
    ".txt": _documents(_read_text),
    ".html": _documents(_read_page),
    ".htm": _documents(_read_page),
    ".xml": _feed,
    ".rss": _feed,
    ".atom": _feed,
    ".warc": _warc,
}


def _suffix(path: Path) -> str:
    """The suffix that names the format, if there is a reader for it."""
    suffix = path.suffix.lower()
    if suffix in _COMPRESSED:
        inner = Path(path.stem).suffix.lower()
        known = READERS.get(inner) is _rows or (inner == ".warc" and suffix == ".gz")
        return inner if known else ""
    return suffix if suffix in READERS else ""


def _entries(path: Path) -> list[_Entry]:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise FileError(path, None, error.strerror or "cannot be read") from error
    if not is_folder:
        entry = _entry(path, path.name)
        if entry is None:
            raise FileError(path, None, "is not a file")
        if not _suffix(path):
            raise FileError(path, None, f"unknown kind of file; known are {', '.join(sorted(READERS))}")
        return [entry]
    base = Path(os.path.abspath(path)).name
    troubles: list[OSError] = []
    found, ignored = [], 0
    for relative in _walk(path, troubles.append):
        if not _suffix(Path(relative)):
            ignored += 1
        elif entry := _entry(path / relative, f"{base}/{relative}"):
            found.append((relative, entry))
    for refused in troubles:
        where = Path(os.fsdecode(refused.filename))
        if where == path:
            raise FileError(path, None, _words(refused)) from refused
        relative = where.relative_to(path).as_posix()
        found.append((relative, _Entry(where, _printable(f"{base}/{relative}"), trouble=_words(refused))))
    if ignored:
        log.info("%s: %d files of other kinds ignored", path, ignored)
    if not found:
        raise FileError(path, None, f"no file in it that can be read; known are {', '.join(sorted(READERS))}")
    return [entry for _, entry in sorted(found, key=lambda pair: os.fsencode(pair[0]))]


def _walk(folder: Path, failed: Callable[[OSError], None]) -> Iterator[str]:
    """Relative paths of all files that are not hidden; a folder that is linked into itself is entered once.

    What this program wrote itself is no archive and passed over. failed: told of folders that cannot be listed.
    """
    seen = set()
    for where, folders, files in os.walk(folder, onerror=failed, followlinks=True):
        status = os.stat(where)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        if any(name in files for name in _OUTPUT) or (Path(where) != folder and all(name in files for name in _DATA)):
            log.warning("%s: passed over, it holds what rasd wrote", where)
            folders.clear()
            continue
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=os.fsencode)
        for name in files:
            if not name.startswith("."):
                yield (Path(where) / name).relative_to(folder).as_posix()


def _entry(path: Path, name: str) -> _Entry | None:
    """None for what is no file."""
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in _NOWHERE:
            return None
        return _Entry(path, _printable(name), trouble=_words(error))
    if not stat.S_ISREG(status.st_mode):
        return None
    return _Entry(path, _printable(name), status.st_size, status.st_mtime_ns)


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _words(error: OSError) -> str:
    return error.strerror or str(error)


def _identity(entries: Sequence[_Entry], options: Options) -> str:
    """32 hex digits over the files and the options."""
    parts: list[object] = [(entry.name, entry.size, entry.mtime_ns) for entry in entries]
    parts += [options.since, options.until, sorted(options.outlets), options.limit, sorted(options.fields.items())]
    parts += [options.published, options.language, options.max_bytes]
    return hashlib.blake2b("\n".join(map(repr, parts)).encode(), digest_size=16).hexdigest()
