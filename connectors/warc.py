"""Raw answers to disk before anything is parsed: WARC/1.1, one gzip member per record, files that a kill cannot spoil.

What the files hold, field by field, and what a replay makes of them: docs/warc.md.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import errno
import hashlib
import importlib.metadata
import logging
import os
import re
import uuid
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import orjson

from connectors.clock import Clock
from connectors.responses import Hop, Kind, Response
from pipeline.config import WarcSettings
from pipeline.errors import Unusable
from pipeline.records import Archived, Article, Entry

log = logging.getLogger("rasd.warc")

#: Our own field of a record: what the request was for (`Kind`), or one of the three below.
KIND = "Rasd-Kind"
#: Our own field of a page's response: the record that holds its feed entry comes next.
ANNOUNCED = "Rasd-Announced"
#: Our own field of a page or a feed's text: `Known` as JSON.
KNOWN = "Rasd-Known"
#: Our own field of a feed's text: the address that the entry's own was found to lead to, as JSON.
LANDED = "Rasd-Landed"
ENTRY = "entry"  # a metadata record: the feed entry that announced the page before it
FEED_TEXT = "feed-text"  # a metadata record: a feed entry whose own text went on as an article
HOP = "hop"  # a redirect on the way to the answer

SYNC_SECONDS = 1.0  # a power cut costs no more than this; a kill costs nothing
PAUSE_SECONDS = 2.0  # between two tries while the disk is full
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EFBIG}
_GZIP = 31  # zlib's window bits for its largest window in a gzip frame
_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_BREAKS = re.compile(r"[\r\n\0]+")
_TRANSFER = "transfer-encoding"
_TARGET = "WARC-Target-URI"

Fields = list[tuple[str, str]]
Pack = Callable[[str, int], tuple[bytes, int]]  # (file name, offset) → gzip members, length of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What earlier readings of a page settled, written beside the next one so that a replay settles it likewise.

    article, canonical: the identity under which the page's text first went on. moved: whether the answer came from
    another address than was asked; then `key`, the address where it last was itself (else that was asked), and `title`
    tell whether it is still the same article.
    """

    article: str
    canonical: str | None = None
    moved: bool = False
    key: str | None = None
    title: str | None = None

    def settle(self, article: Article) -> Article:
        """The article under its page's identity. Raises: Unusable (reason "soft-404") if it is another page's."""
        elsewhere = self.moved and article.canonical_url not in (self.canonical, self.key)
        if elsewhere and article.title != self.title:
            raise Unusable(f"{self.key} leads to another article now", reason="soft-404")
        if article.id == self.article:
            return article
        return replace(article, id=self.article, canonical_url=self.canonical)


class WarcWriter:
    """The archive of one process. Only one thread writes, so records of concurrent callers never mix.

    A file is made when it is first needed and never opened again by a later run: what a kill tore stays the end of its
    file. Times come from `clock` and the answers; only the rhythm of fsync is the machine's own.
    """

    def __init__(self, folder: Path, settings: WarcSettings, *, clock: Clock) -> None:
        self._folder, self._settings, self._clock = folder, settings, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rasd-warc")
        self._file: _File | None = None
        self._made = 0
        self._due: asyncio.TimerHandle | None = None

    async def keep(
        self, response: Response, kind: Kind, entry: Entry | None = None, *, known: Known | None = None
    ) -> Archived:
        """Writes the answer, the entry that announced it, and the redirects that led to it, all or none of them.

        Returns where the response record stands once the bytes are with the operating system: a kill from then on
        loses nothing; a power cut may lose the last second. While the disk is full it waits and tries again.
        Raises: Unusable for an entry that has no UTF-8 form, OSError for what waiting does not mend.
        """
        said = None if entry is None else _dump(entry)
        return await self._write(partial(_pack_response, response, kind, said, known, self._settings.level))

    async def keep_entry(self, entry: Entry, url: str | None = None, *, known: Known | None = None) -> Archived:
        """Writes that the text of this entry itself goes on as an article, so that a replay makes the same one.

        url: what `entry_article` is given besides. Returns and raises as `keep` does; the place is that of this
        record, which names the feed's answer (`entry.archive`).
        """
        now = entry.seen or dt.datetime.fromtimestamp(int(self._clock.now()), dt.UTC)
        return await self._write(partial(_pack_entry, entry, url, _dump(entry), known, now, self._settings.level))

    async def close(self) -> None:
        """Ends the file under way; its bytes are on the disk then."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        with self._clock.working():
            await asyncio.get_running_loop().run_in_executor(self._thread, self._end_file)
        self._thread.shutdown()

    async def _write(self, pack: Pack) -> Archived:
        loop = asyncio.get_running_loop()
        refused = False
        while True:
            try:
                with self._clock.working():
                    where = await loop.run_in_executor(self._thread, self._append, pack, self._clock.now())
            except OSError as e:
                if e.errno not in _PASSING:
                    raise
                if not refused:
                    log.warning("%s: paused: %s. Nothing is lost; trying again every %g s",
                                self._folder, e.strerror, PAUSE_SECONDS)  # fmt: skip
                refused = True
                await self._clock.sleep_until(self._clock.now() + PAUSE_SECONDS)
                continue
            if refused:
                log.warning("%s: storage is back, going on", self._folder)
            if self._due is None:
                self._due = loop.call_later(SYNC_SECONDS, self._sync_soon)
            return where

    def _sync_soon(self) -> None:
        self._due = None
        self._thread.submit(self._sync).add_done_callback(_report)

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _append(self, pack: Pack, now: float) -> Archived:
        file = self._file
        if file is not None and file.size >= self._settings.rotate_bytes:
            self._end_file()
            file = None
        if file is None:
            file = self._file = self._new_file(now)
        offset = file.size
        members, first = pack(file.name, offset)
        try:
            file.append(members)
        except OSError:
            if file.torn:
                self._file = None
            raise
        return Archived(file=file.name, offset=offset, length=first)

    def _new_file(self, now: float) -> _File:
        at = dt.datetime.fromtimestamp(int(now), dt.UTC)
        where = f"{os.uname().nodename}\x1f{os.path.abspath(self._folder)}\x1f{at.isoformat()}"
        mark = hashlib.blake2b(where.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            name = f"rasd-{at:%Y%m%d%H%M%S}-{self._made:05d}-{mark}.warc.gz"
            self._made += 1
            try:
                file = _File(self._folder / name)
            except FileExistsError:  # of an earlier run that began in the same second
                continue
            break
        try:
            file.append(_member(_about(name, at), self._settings.level))
        except OSError:
            file.discard()
            raise
        _sync_folder(self._folder)
        return file

    def _sync(self) -> None:
        if self._file is not None:
            self._file.sync()

    def _end_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


class _File:
    """A file that grows by whole records. size: of what stands in it whole.

    torn: part of a record may stand behind that and could not be cut off; nothing more may be written then.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._unsynced = False
        self.size = 0
        self.torn = False

    def append(self, data: bytes) -> None:
        """All of it or, raising OSError, nothing."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            self._cut()
            raise
        self.size += len(data)
        self._unsynced = True

    def _cut(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.torn = True
            os.close(self._descriptor)

    def sync(self) -> None:
        if self._unsynced:
            os.fsync(self._descriptor)
            self._unsynced = False

    def close(self) -> None:
        try:
            self.sync()
        except OSError as e:  # the bytes are with the system; whether it ever writes them, nobody can know now
            log.error("%s: may not be on the disk: %s", self._path, e.strerror)
        os.close(self._descriptor)

    def discard(self) -> None:
        """Takes a file away that never got its first record."""
        if not self.torn:
            os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _report(done: Future[None]) -> None:
    if error := done.exception():
        log.error("the archive could not be brought to the disk: %s", error)


# -- records -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Record:
    """type, fields: of the record, without those that follow from it. The block is `head` and then `payload`."""

    type: str
    date: dt.datetime
    fields: Fields
    head: bytes
    payload: bytes
    id: str


def _pack_response(
    response: Response, kind: Kind, entry: bytes | None, known: Known | None, level: int, name: str, offset: int
) -> tuple[bytes, int]:
    identity = record_id(name, offset)
    fields = [
        (_TARGET, response.url),
        ("Content-Type", "application/http; msgtype=response"),
        (KIND, kind),
    ]
    if response.cut:
        fields.append(("WARC-Truncated", "length"))
    if known is not None:
        fields.append((KNOWN, _dump(known).decode()))
    if entry is not None:
        fields.append((ANNOUNCED, "next"))
    packed = (response.header("content-encoding") or "identity").strip().lower() != "identity"
    record = _Record("response", response.fetched, fields, _head(response), response.raw, identity)
    members = [_member(record, 0 if packed else level)]  # packing it again costs as much as all else and saves nothing

    def follow(kind: str, type_: str, url: str, content: str, link: str, head: bytes, payload: bytes) -> None:
        fields = [(_TARGET, url), ("Content-Type", content), (KIND, kind), (link, identity)]
        own = record_id(name, offset + sum(map(len, members)))
        members.append(_member(_Record(type_, response.fetched, fields, head, payload, own), level))

    if entry is not None:
        follow(ENTRY, "metadata", response.url, "application/json", "WARC-Refers-To", b"", entry)
    for hop in response.hops:
        http = "application/http; msgtype=response"
        follow(HOP, "response", hop.url, http, "WARC-Concurrent-To", _hop_head(hop), b"")
    return b"".join(members), len(members[0])


def _pack_entry(
    entry: Entry,
    url: str | None,
    dumped: bytes,
    known: Known | None,
    now: dt.datetime,
    level: int,
    name: str,
    offset: int,
) -> tuple[bytes, int]:
    fields = [(_TARGET, entry.url or entry.feed), ("Content-Type", "application/json"), (KIND, FEED_TEXT)]
    if url is not None:
        fields.append((LANDED, _dump(url).decode()))
    if known is not None:
        fields.append((KNOWN, _dump(known).decode()))
    answer = entry.archive
    if answer is not None and answer.offset is not None:
        fields.append(("WARC-Refers-To", record_id(answer.file, answer.offset)))
    member = _member(_Record("metadata", now, fields, b"", dumped, record_id(name, offset)), level)
    return member, len(member)


def _about(name: str, at: dt.datetime) -> _Record:
    """The warcinfo record that opens every file."""
    said = (
        ("software", _software()),
        ("format", "WARC File Format 1.1"),
        ("conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"),
        ("robots", "obey"),
    )
    fields = [("WARC-Filename", name), ("Content-Type", "application/warc-fields")]
    payload = b"".join(_field(*pair) for pair in said)
    return _Record("warcinfo", at, fields, b"", payload, record_id(name, 0))


def _software() -> str:
    try:
        return f"rasd/{importlib.metadata.version('rasd')}"
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        return "rasd"


def record_id(file: str, offset: int) -> str:
    """The id of the record that begins at this offset of this archive file of ours."""
    return f"<{uuid.uuid5(uuid.NAMESPACE_URL, f'{file}#{offset}').urn}>"


def _member(record: _Record, level: int) -> bytes:
    """The record as one gzip member; equal records give equal bytes."""
    block = hashlib.sha1(record.head, usedforsecurity=False)
    block.update(record.payload)
    fields: Fields = [
        ("WARC-Type", record.type),
        ("WARC-Record-ID", record.id),
        ("WARC-Date", f"{record.date.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"),
        *((name, _UNSAFE.sub(_escape, value) if name == _TARGET else value) for name, value in record.fields),
        ("WARC-Block-Digest", _sha1(block.digest())),
    ]
    if record.head:
        payload = hashlib.sha1(record.payload, usedforsecurity=False)
        fields.append(("WARC-Payload-Digest", _sha1(payload.digest())))
    fields.append(("Content-Length", str(len(record.head) + len(record.payload))))
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    parts = (b"WARC/1.1\r\n", *(_field(*pair) for pair in fields), b"\r\n", record.head)
    return b"".join(
        (
            packer.compress(b"".join(parts)),
            packer.compress(record.payload),
            packer.compress(b"\r\n\r\n"),
            packer.flush(),
        )
    )


def _head(response: Response) -> bytes:
    """Status line and headers as they came; a transfer coding, which the body has no more, under another name."""
    lines = [_status_line(response.status, response.reason)]
    for name, value in response.headers:
        lines.append(_field(f"X-Crawler-{name}" if name.lower() == _TRANSFER else name, value))
    return b"".join((*lines, b"\r\n"))


def _hop_head(hop: Hop) -> bytes:
    return _status_line(hop.status, "") + _field("Location", hop.location) + b"\r\n"


def _status_line(status: int, reason: str) -> bytes:
    return _bytes(f"HTTP/1.1 {status} {reason}") + b"\r\n"


def _field(name: str, value: str) -> bytes:
    return _bytes(f"{name}: {value}") + b"\r\n"


def _bytes(line: str) -> bytes:
    """One line. Bytes that were no UTF-8 when they came (surrogate escapes) become what they were."""
    line = _BREAKS.sub(" ", line)
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")


def _escape(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _sha1(digest: bytes) -> str:
    return f"sha1:{base64.b32encode(digest).decode()}"


def _dump(record: Entry | Known | str) -> bytes:
    try:
        return orjson.dumps(record, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError as e:
        raise Unusable(f"an entry without UTF-8 form: {e}", reason="bad-text") from e
